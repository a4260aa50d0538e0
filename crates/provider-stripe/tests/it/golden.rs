//! The requests, byte for byte: what is sent is what the files say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::Usage;
use billfold_core::clock::{SystemClock, Timestamp};
use billfold_core::provider::{
    CallContext, CreateSession, CustomerProfile, EnsureCustomer, SessionRef, TokenRef, TokenizationProvider,
};
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::{Transport, TransportError};
use billfold_provider_stripe::KIND;
use bytes::Bytes;
use serde_json::json;

/// Keeps requests as text, and answers each with an object that says little.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

#[async_trait]
impl Transport for Recorder {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut lines = vec![format!("{} {}", request.method(), request.uri())];
        for (name, value) in request.headers() {
            let value = if value.is_sensitive() { "(sensitive)" } else { value.to_str().unwrap() };
            lines.push(format!("{name}: {value}"));
        }
        lines.extend(String::from_utf8(request.body().to_vec()).unwrap().split('&').map(str::to_owned));
        self.0.lock().unwrap().push(lines.join("\n").trim_end().to_owned());
        Ok(http::Response::new(Bytes::from(json!({"id": "pm_1", "customer": "cus_1"}).to_string())))
    }
}

fn provider() -> Arc<dyn TokenizationProvider> {
    let values = json!({"secret_key": "sk_test_k", "webhook_secret": "whsec_s"});
    let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
    let settings = Settings { gateway, mode: Mode::Test, origin, development: false, values };
    Registry::linked().unwrap().build(KIND, &settings).unwrap()
}

fn request(options: Option<serde_json::Value>, channels: &[&str], usage: Usage) -> CreateSession {
    let back: url::Url = "https://pay.shop.example/return/ses_1/nonce".parse().unwrap();
    let mut request = CreateSession::new(
        "ses_018f0000000070008000000000000001",
        "cus_018f0000000070008000000000000002",
        usage,
        "EUR".parse().unwrap(),
        "DE".parse().unwrap(),
        back.clone(),
        back,
        Timestamp::from_millis(1_780_003_600_000),
    );
    request.gateway_customer = Some("cus_NffrFeUfNV2Hib".to_owned());
    request.channels = channels.iter().map(|code| (*code).to_owned()).collect();
    request.metadata.insert("order".to_owned(), "a&b=c d".to_owned());
    request.provider_options = options;
    request
}

#[tokio::test]
async fn requests_are_what_they_were() {
    let (recorder, provider) = (Arc::new(Recorder::default()), provider());
    let cx = CallContext::new(recorder.clone(), Arc::new(SystemClock), "main", "key-1");
    let intent = Some(json!({"flow": "setup_intent"}));
    let profile = CustomerProfile {
        given_names: Some("Lorem".to_owned()),
        surname: Some("Ipsum".to_owned()),
        email: Some("lorem@example.com".to_owned()),
        mobile_number: Some("+491701234567".to_owned()),
    };
    let ensure = EnsureCustomer::new("cus_018f0000000070008000000000000002", profile);
    let token = || TokenRef::new("pm_1".to_owned());
    let _ = provider.customers().unwrap().ensure(&cx, ensure).await;
    let _ = provider.create_session(&cx, request(None, &["card", "sepa_debit"], Usage::Recurring)).await;
    let _ = provider.create_session(&cx, request(intent.clone(), &[], Usage::OnSession)).await;
    let _ = provider.create_session(&cx, request(intent, &["card"], Usage::Recurring)).await;
    let _ = provider.fetch_session(&cx, SessionRef::new("cs_test_1")).await;
    let _ = provider.fetch_session(&cx, SessionRef::new("seti_1")).await;
    let _ = provider.cancel_session(&cx, SessionRef::new("cs_test_1")).await;
    let _ = provider.cancel_session(&cx, SessionRef::new("seti_1")).await;
    let _ = provider.fetch_method(&cx, token()).await;
    let _ = provider.delete_method(&cx, token()).await;
    let sent = recorder.0.lock().unwrap().join("\n\n") + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/requests.txt");
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(sent == known, "the requests differ from {file}; they are now:\n{sent}");
}
