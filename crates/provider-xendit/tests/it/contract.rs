//! The contract of providers, kept against the sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use billfold_core::capability::Usage;
use billfold_core::clock::{Clock as _, SystemClock, Timestamp};
use billfold_core::provider::TokenizationProvider;
use billfold_core::registry::Registry;
use billfold_core::settings::Settings;
use billfold_core::transport::Transport;
use billfold_core::{CustomerSelector, Result, StartSession};
use billfold_provider_xendit::KIND;
use billfold_sandbox::{CompleteSession, Delivery, Sandbox, SandboxConfig, SandboxControl, WireWebhook};
use billfold_testkit::provider::{self, Ability, Card, ChargeDriver, Driver, Rotation, SentWebhook, Signer};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use crate::charge_driver::XenditCharges;
use crate::support::{CALLBACK_TOKEN, SECRET_KEY, changed, profile, transport};

const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-callback-token");
const NEXT_TOKEN: &str = "CANARY-next-callback-token";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept() {
    provider::run(|| async { Arc::new(XenditDriver::start().await) as Arc<dyn Driver> }).await;
}

struct XenditDriver {
    sandbox: Sandbox,
    taken: AtomicUsize,
}

impl XenditDriver {
    async fn start() -> Self {
        let config = SandboxConfig {
            secret_key: SECRET_KEY.into(),
            callback_token: CALLBACK_TOKEN.into(),
            ..SandboxConfig::default()
        };
        Self { sandbox: Sandbox::start(config).await.unwrap(), taken: AtomicUsize::new(0) }
    }

    fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    fn session(&self, id: &str) -> Option<Value> {
        let mut sessions = self.control().sessions().into_iter();
        sessions.find(|session| session["payment_session_id"] == id)
    }

    fn wire(&self, delivery: &Delivery) -> SentWebhook {
        let WireWebhook { headers, body } = self.control().wire(delivery, None);
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        SentWebhook { headers: headers.collect(), body: body.into() }
    }
}

#[async_trait]
impl Driver for XenditDriver {
    fn build(&self, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        Registry::linked().unwrap().build(KIND, settings)
    }

    fn settings(&self) -> Value {
        json!({"base_url": self.sandbox.base_url(), "secret_key": SECRET_KEY, "callback_token": CALLBACK_TOKEN})
    }

    fn secret_settings(&self) -> Vec<&'static str> {
        vec!["secret_key", "callback_token"]
    }

    fn wrong_api_key(&self) -> (&'static str, String) {
        ("secret_key", "xnd_development_other".to_owned())
    }

    fn rotation(&self) -> Option<Rotation> {
        let after = changed(self.settings(), &json!({"callback_token": NEXT_TOKEN}));
        let during = changed(after.clone(), &json!({"previous_callback_token": CALLBACK_TOKEN}));
        Some(Rotation { during, after })
    }

    fn canaries(&self) -> Vec<String> {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{SECRET_KEY}:"));
        vec![SECRET_KEY.to_owned(), basic, CALLBACK_TOKEN.to_owned()]
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        match ability {
            Ability::Pending => Some("the sandbox's tokens are usable as soon as they are saved"),
            Ability::Replace => Some("its tokens are not replaced by others"),
            _ => None,
        }
    }

    fn transport(&self) -> Arc<dyn Transport> {
        transport()
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn request(&self, customer: &str) -> StartSession {
        StartSession::new(
            CustomerSelector::reference(customer, profile()),
            Usage::UnscheduledCustomer,
            "IDR".parse().unwrap(),
            "ID".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        )
    }

    async fn sessions(&self) -> Vec<String> {
        let id = |session: &Value| session["payment_session_id"].as_str().unwrap().to_owned();
        self.control().sessions().iter().map(id).collect()
    }

    async fn metadata(&self, session: &str) -> Option<BTreeMap<String, String>> {
        serde_json::from_value(self.session(session)?["metadata"].clone()).ok()
    }

    async fn way_back(&self, session: &str, success: bool) -> Option<Url> {
        let field = if success { "success_return_url" } else { "cancel_return_url" };
        self.session(session)?[field].as_str()?.parse().ok()
    }

    async fn complete(&self, session: &str, card: Card) -> Option<String> {
        let number = if card == Card::One { "4000000000001091" } else { "5200000000001005" };
        let complete = CompleteSession { card_number: Some(number.to_owned()), ..CompleteSession::default() };
        self.control().complete(session, &complete)
    }

    async fn decline(&self, session: &str) -> bool {
        self.control().fail(session, "CARD_DECLINED")
    }

    async fn expire(&self, session: &str) -> bool {
        self.control().expire(session)
    }

    async fn revoke(&self, token: &str) -> bool {
        self.control().set_token_status(token, "EXPIRED", None)
    }

    async fn is_usable(&self, token: &str) -> bool {
        let tokens = self.control().tokens();
        tokens.iter().any(|known| known["payment_token_id"] == token && known["status"] == "ACTIVE")
    }

    async fn is_open(&self, session: &str) -> bool {
        self.session(session).is_some_and(|session| session["status"] == "ACTIVE")
    }

    async fn webhooks(&self) -> Vec<SentWebhook> {
        let sent = self.control().deliveries();
        let taken = self.taken.swap(sent.len(), Ordering::SeqCst);
        sent[taken..].iter().map(|delivery| self.wire(delivery)).collect()
    }

    fn sign(&self, body: &[u8], signer: Signer, _at: Timestamp) -> SentWebhook {
        let token = match signer {
            Signer::Current => CALLBACK_TOKEN,
            Signer::Next => NEXT_TOKEN,
            Signer::Stranger => "somebody-else",
            Signer::Empty => "",
        };
        let headers = HeaderMap::from_iter([(TOKEN_HEADER, HeaderValue::from_static(token))]);
        SentWebhook { headers, body: body.to_vec().into() }
    }

    fn again(&self, webhook: &SentWebhook) -> SentWebhook {
        let mut body: Value = serde_json::from_slice(&webhook.body).unwrap();
        body["created"] = self.now().plus(Duration::from_mins(1)).to_string().into();
        SentWebhook { body: body.to_string().into(), ..webhook.clone() }
    }

    fn unknown_event(&self) -> Value {
        json!({"event": "account.painted", "created": "2026-03-01T08:05:02Z", "business_id": "b", "data": {"id": "a-1"}})
    }

    fn proof_header(&self) -> Option<HeaderName> {
        Some(TOKEN_HEADER)
    }

    fn tolerance(&self) -> Option<Duration> {
        None
    }

    fn statuses(&self) -> Vec<&'static str> {
        vec!["/status"]
    }

    fn charges(&self) -> Option<Arc<dyn ChargeDriver>> {
        Some(Arc::new(XenditCharges::new(self.control())))
    }

    fn is_idempotent(&self) -> bool {
        false
    }
}
