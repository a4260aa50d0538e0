//! The sandbox, a scripted gateway, and what tests begin with.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::Usage;
use billfold_core::clock::{SystemClock, Timestamp};
use billfold_core::provider::{CallContext, CreateSession, CustomerProfile, TokenizationProvider};
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_core::transport::{Reached, Transport, TransportError};
use billfold_provider_gocardless::KIND;
use billfold_sandbox::{Kind, Sandbox, SandboxConfig};
use bytes::Bytes;
use serde_json::{Value, json};

pub(crate) const ACCESS_TOKEN: &str = "sandbox_CANARYtoken";
pub(crate) const WEBHOOK_SECRET: &str = "CANARYsecret";

/// The transport that programs use. One for all tests, as it reads the system's trusted roots.
static TRANSPORT: LazyLock<Arc<ReqwestTransport>> =
    LazyLock::new(|| Arc::new(ReqwestTransport::for_development().unwrap()));

pub(crate) fn transport() -> Arc<ReqwestTransport> {
    TRANSPORT.clone()
}

pub(crate) async fn sandbox() -> Sandbox {
    let config = SandboxConfig {
        secret_key: ACCESS_TOKEN.into(),
        callback_token: WEBHOOK_SECRET.into(),
        ..SandboxConfig::of(Kind::GoCardless)
    };
    Sandbox::start(config).await.unwrap()
}

pub(crate) fn profile() -> CustomerProfile {
    CustomerProfile {
        given_names: Some("Lorem".to_owned()),
        surname: Some("Ipsum".to_owned()),
        email: Some("lorem@example.com".to_owned()),
        mobile_number: None,
    }
}

pub(crate) fn build(values: Value, development: bool) -> Arc<dyn TokenizationProvider> {
    let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
    let settings = Settings { gateway, mode: Mode::Test, origin, development, values };
    Registry::linked().unwrap().build(KIND, &settings).unwrap()
}

/// The provider of an account at the real gateway.
pub(crate) fn provider() -> Arc<dyn TokenizationProvider> {
    build(json!({"access_token": ACCESS_TOKEN, "webhook_secret": WEBHOOK_SECRET}), false)
}

pub(crate) fn request() -> CreateSession {
    let back: url::Url = "https://pay.shop.example/return/ses_1/nonce".parse().unwrap();
    let mut request = CreateSession::new(
        "ses_018f0000000070008000000000000001",
        "cus_018f0000000070008000000000000002",
        Usage::Recurring,
        "GBP".parse().unwrap(),
        "GB".parse().unwrap(),
        back.clone(),
        back,
        Timestamp::from_millis(1_780_003_600_000),
    );
    request.customer = profile();
    request
}

/// Keeps requests as text, and answers each with the next of its answers; when there are no more, none comes.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<(u16, Value)>>,
    pub(crate) sent: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = (u16, Value)>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self { answers, sent: Mutex::default() })
    }

    pub(crate) fn cx(self: &Arc<Self>) -> CallContext {
        CallContext::new(self.clone(), Arc::new(SystemClock), "main", "key-1")
    }

    /// Method and path of each request.
    pub(crate) fn paths(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        let first =
            |text: &String| text.lines().next().unwrap().replace("https://api-sandbox.gocardless.com", "");
        sent.iter().map(first).collect()
    }
}

#[async_trait]
impl Transport for Scripted {
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
        if let Ok(mut body) = serde_json::from_slice::<Value>(request.body()) {
            // Whether objects keep their order depends on what else is built.
            body.sort_all_objects();
            lines.push(serde_json::to_string_pretty(&body).unwrap());
        }
        self.sent.lock().unwrap().push(lines.join("\n"));
        let lost = || TransportError { reached: Reached::OutcomeUnknown, message: "timed out".to_owned() };
        let (status, body) = self.answers.lock().unwrap().pop_front().ok_or_else(lost)?;
        Ok(http::Response::builder().status(status).body(Bytes::from(body.to_string())).unwrap())
    }
}

/// An error as the gateway writes it.
pub(crate) fn refusal(kind: &str, error: Value) -> Value {
    json!({"error": {"type": kind, "code": 422, "message": "CANARY", "errors": [error], "request_id": "req-1"}})
}

pub(crate) fn missing() -> (u16, Value) {
    (404, refusal("invalid_api_usage", json!({"reason": "resource_not_found", "message": "CANARY"})))
}

pub(crate) fn not_cancelled() -> (u16, Value) {
    (422, refusal("invalid_state", json!({"reason": "cancellation_failed", "message": "CANARY"})))
}

pub(crate) fn mandate(id: &str, status: &str) -> Value {
    json!({"mandates": {"id": id, "status": status, "scheme": "bacs", "metadata": {},
        "links": {"customer": "CU1", "customer_bank_account": "BA1"}}})
}

pub(crate) fn replaced(id: &str, by: &str) -> Value {
    let mut replaced = mandate(id, "cancelled");
    replaced["mandates"]["links"]["new_mandate"] = by.into();
    replaced
}

pub(crate) fn account() -> Value {
    json!({"customer_bank_accounts": {"id": "BA1", "account_number_ending": "11", "bank_name": "BARCLAYS BANK PLC",
        "country_code": "GB"}})
}
