//! The requests, whole: what is sent is what the file says. Bodies are laid out for reading.

use billfold_core::capability::Usage;
use billfold_core::clock::Timestamp;
use billfold_core::provider::{CreateSession, CustomerProfile, ReturnRequest, SessionRef, TokenRef};
use serde_json::{Value, json};

use crate::script::{SESSION, Script, TOKEN, context, list, provider};

fn request(options: Option<Value>, channels: &[&str], usage: Usage) -> CreateSession {
    let back: url::Url = "https://pay.shop.example/return/ses_1/nonce".parse().unwrap();
    let mut request = CreateSession::new(
        SESSION,
        "cus_018f0000000070008000000000000002",
        usage,
        "EUR".parse().unwrap(),
        "NL".parse().unwrap(),
        back.clone(),
        back,
        Timestamp::from_millis(1_780_003_600_000),
    );
    request.channels = channels.iter().map(|code| (*code).to_owned()).collect();
    request.provider_options = options;
    request
}

#[tokio::test]
async fn requests_are_what_they_were() {
    let (script, provider) = (Script::of([]), provider());
    let cx = context(&script);
    let mut hosted = request(None, &["scheme"], Usage::Recurring);
    hosted.metadata.insert("order".to_owned(), "a&b=c \"d\"".to_owned());
    hosted.locale = Some("nl".to_owned());
    hosted.customer = CustomerProfile {
        given_names: Some("Lorem".to_owned()),
        surname: Some("Ipsum".to_owned()),
        email: Some("lorem@example.com".to_owned()),
        mobile_number: Some("+31612345678".to_owned()),
    };
    let _ = provider.create_session(&cx, hosted).await;
    let mut embedded = request(Some(json!({"flow": "embedded"})), &[], Usage::OnSession);
    embedded.customer.given_names = Some("Lorem".to_owned());
    let _ = provider.create_session(&cx, embedded).await;
    let _ = provider.create_session(&cx, request(None, &[], Usage::UnscheduledMerchant)).await;
    for query in ["sessionId=CS1A2B3C&sessionResult=Ab02b4c0%21x%2F%3D", "redirectResult=X6XtfGC3%21Y"] {
        script.then(200, &[], &list(&[]).to_string());
        let mut session = SessionRef::new(SESSION);
        session.evidence = provider.read_return(&ReturnRequest::new(query)).evidence;
        let _ = provider.fetch_session(&cx, session).await;
    }
    let _ = provider.cancel_session(&cx, SessionRef::new(SESSION)).await;
    let mut token = TokenRef::new(TOKEN);
    token.customer = Some(SESSION.to_owned());
    let _ = provider.fetch_method(&cx, token.clone()).await;
    let _ = provider.delete_method(&cx, token).await;
    let _ = provider.check(&cx).await;
    let sent = script.seen().join("\n\n") + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/requests.txt");
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(sent == known, "the requests differ from {file}; they are now:\n{sent}");
}
