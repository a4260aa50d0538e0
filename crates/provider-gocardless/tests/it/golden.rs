//! The requests, byte for byte: what is sent is what the files say.

use billfold_core::provider::{SessionRef, TokenRef};
use serde_json::json;

use crate::support::{Scripted, account, mandate, provider, request};

#[tokio::test]
async fn requests_are_what_they_were() {
    let made = || (201, json!({"billing_requests": {"id": "BRQ1", "status": "pending"}}));
    let flow = || {
        (201, json!({"billing_request_flows": {"id": "BRF1", "authorisation_url": "https://pay.example"}}))
    };
    let fulfilled = json!({"billing_requests": {"id": "BRQ1", "status": "fulfilled", "links": {"mandate_request_mandate": "MD1"}}});
    let scripted = Scripted::new([
        made(),
        flow(),
        made(),
        flow(),
        (200, fulfilled),
        (200, mandate("MD1", "active")),
        (200, account()),
        (200, json!({"billing_requests": {"id": "BRQ1", "status": "cancelled"}})),
        (200, mandate("MD1", "cancelled")),
        (404, json!({"error": {"type": "invalid_api_usage"}})),
    ]);
    let (provider, cx) = (provider(), scripted.cx());
    provider.create_session(&cx, request()).await.unwrap();
    let mut full = request();
    full.gateway_customer = Some("CU000123".to_owned());
    full.channels = vec!["bacs".to_owned()];
    full.locale = Some("en".to_owned());
    full.description = Some("Pay for \"Lorem\" by the month".to_owned());
    full.metadata.insert("order".to_owned(), "a&b=c d".to_owned());
    full.provider_options = Some(json!({"verify": "when_available"}));
    provider.create_session(&cx, full).await.unwrap();
    provider.fetch_session(&cx, SessionRef::new("BRQ1")).await.unwrap();
    provider.cancel_session(&cx, SessionRef::new("BRQ1")).await.unwrap();
    provider.delete_method(&cx, TokenRef::new("MD1".to_owned())).await.unwrap();
    provider.check(&cx).await.unwrap();
    let sent = scripted.sent.lock().unwrap().join("\n\n") + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/requests.txt");
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(sent == known, "the requests differ from {file}; they are now:\n{sent}");
}
