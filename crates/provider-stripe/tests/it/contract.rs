//! The contract of providers, kept against the sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use billfold_core::capability::Usage;
use billfold_core::clock::{Clock as _, SystemClock, Timestamp};
use billfold_core::provider::TokenizationProvider;
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::Transport;
use billfold_core::{CustomerSelector, Result, StartSession};
use billfold_provider_stripe::KIND;
use billfold_sandbox::{CompleteSession, Delivery, Sandbox, SandboxControl, WireWebhook};
use billfold_testkit::provider::{
    self as suite, Ability, Card, ChargeDriver, Driver, Rotation, SentWebhook, Signer,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use crate::charge_driver::StripeCharges;
use crate::support::{SECRET_KEY, WEBHOOK_SECRET, profile, sandbox, transport};

const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("stripe-signature");
const NEXT_SECRET: &str = "whsec_CANARY-next";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkout_keeps_the_contract() {
    suite::run(|| async { Arc::new(StripeDriver::start(false).await) as Arc<dyn Driver> }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setup_intents_keep_the_contract() {
    suite::run(|| async { Arc::new(StripeDriver::start(true).await) as Arc<dyn Driver> }).await;
}

/// The settings of an account at the sandbox.
fn values(sandbox: &Sandbox) -> Value {
    json!({"base_url": sandbox.base_url(), "secret_key": SECRET_KEY, "webhook_secret": WEBHOOK_SECRET})
}

/// The provider of an account at the sandbox.
pub(crate) fn provider(sandbox: &Sandbox) -> Arc<dyn TokenizationProvider> {
    let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
    let settings = Settings { gateway, mode: Mode::Test, origin, development: true, values: values(sandbox) };
    Registry::linked().unwrap().build(KIND, &settings).unwrap()
}

struct StripeDriver {
    sandbox: Sandbox,
    taken: AtomicUsize,
    /// Whether sessions are SetupIntents of their own, without a hosted page.
    intents: bool,
}

impl StripeDriver {
    async fn start(intents: bool) -> Self {
        Self { sandbox: sandbox().await, taken: AtomicUsize::new(0), intents }
    }

    fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    fn session(&self, id: &str) -> Option<Value> {
        let mut sessions = self.control().sessions().into_iter();
        sessions.find(|session| session["id"] == id)
    }

    /// Where a session keeps its SetupIntent: in itself, when it is one.
    fn intent(&self, id: &str) -> Option<Value> {
        let session = self.session(id)?;
        Some(if self.intents { session } else { session["setup_intent"].clone() })
    }

    fn wire(&self, delivery: &Delivery, secret: Option<&str>) -> SentWebhook {
        let WireWebhook { headers, body } = self.control().wire(delivery, secret);
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        SentWebhook { headers: headers.collect(), body: body.into() }
    }
}

fn signed(body: &[u8], secret: &str, at: Timestamp) -> SentWebhook {
    let time = at.as_millis() / 1000;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hex::encode(hmac::sign(&key, &[format!("{time}.").as_bytes(), body].concat()));
    let value = HeaderValue::from_str(&format!("t={time},v1={signature}")).unwrap();
    SentWebhook { headers: HeaderMap::from_iter([(SIGNATURE_HEADER, value)]), body: body.to_vec().into() }
}

#[async_trait]
impl Driver for StripeDriver {
    fn build(&self, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        Registry::linked().unwrap().build(KIND, settings)
    }

    fn settings(&self) -> Value {
        values(&self.sandbox)
    }

    fn secret_settings(&self) -> Vec<&'static str> {
        vec!["secret_key", "webhook_secret"]
    }

    fn wrong_api_key(&self) -> (&'static str, String) {
        ("secret_key", "sk_test_other".to_owned())
    }

    fn rotation(&self) -> Option<Rotation> {
        let mut after = self.settings();
        after["webhook_secret"] = NEXT_SECRET.into();
        let mut during = after.clone();
        during["previous_webhook_secret"] = WEBHOOK_SECRET.into();
        Some(Rotation { during, after })
    }

    fn canaries(&self) -> Vec<String> {
        vec![SECRET_KEY.to_owned(), WEBHOOK_SECRET.to_owned()]
    }

    fn variant(&self) -> &'static str {
        if self.intents { "setup-intents" } else { "checkout" }
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        match ability {
            Ability::Expire if self.intents => Some("a SetupIntent does not end by time"),
            Ability::Pending => Some("its payment methods are usable as soon as they are saved"),
            Ability::Replace => Some("a payment method keeps its id when its card is replaced"),
            Ability::Return if self.intents => Some("the merchant's own page decides where customers go"),
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
        let mut request = StartSession::new(
            CustomerSelector::reference(customer, profile()),
            Usage::UnscheduledCustomer,
            "EUR".parse().unwrap(),
            "DE".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        );
        request.provider_options = self.intents.then(|| json!({"flow": "setup_intent"}));
        request
    }

    async fn sessions(&self) -> Vec<String> {
        let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
        self.control().sessions().iter().map(id).collect()
    }

    async fn metadata(&self, session: &str) -> Option<BTreeMap<String, String>> {
        serde_json::from_value(self.intent(session)?["metadata"].clone()).ok()
    }

    async fn way_back(&self, session: &str, success: bool) -> Option<Url> {
        let field = if success { "success_url" } else { "cancel_url" };
        self.session(session)?[field].as_str()?.parse().ok()
    }

    async fn complete(&self, session: &str, card: Card) -> Option<String> {
        let number = if card == Card::One { "4242424242424242" } else { "5555555555554444" };
        let complete = CompleteSession { card_number: Some(number.to_owned()), ..CompleteSession::default() };
        self.control().complete(session, &complete)
    }

    async fn decline(&self, session: &str) -> bool {
        self.control().fail(session, "card_declined")
    }

    async fn expire(&self, session: &str) -> bool {
        self.control().expire(session)
    }

    async fn revoke(&self, token: &str) -> bool {
        self.control().set_token_status(token, "detached", None)
    }

    async fn is_usable(&self, token: &str) -> bool {
        let methods = self.control().tokens();
        methods.iter().any(|method| method["id"] == token && !method["customer"].is_null())
    }

    async fn is_open(&self, session: &str) -> bool {
        let session = self.session(session).unwrap_or_default();
        session["status"].as_str().is_some_and(|status| status == "open" || status.starts_with("requires_"))
    }

    async fn webhooks(&self) -> Vec<SentWebhook> {
        let sent = self.control().deliveries();
        let taken = self.taken.swap(sent.len(), Ordering::SeqCst);
        sent[taken..].iter().map(|delivery| self.wire(delivery, None)).collect()
    }

    fn sign(&self, body: &[u8], signer: Signer, at: Timestamp) -> SentWebhook {
        let secret = match signer {
            Signer::Current => WEBHOOK_SECRET,
            Signer::Next => NEXT_SECRET,
            Signer::Stranger => "whsec_somebody-else",
            Signer::Empty => "",
        };
        signed(body, secret, at)
    }

    fn again(&self, webhook: &SentWebhook) -> SentWebhook {
        signed(&webhook.body, WEBHOOK_SECRET, self.now().plus(Duration::from_mins(1)))
    }

    fn unknown_event(&self) -> Value {
        json!({"id": "evt_1", "object": "event", "type": "account.painted", "data": {"object": {"id": "acct_1"}}})
    }

    fn proof_header(&self) -> Option<HeaderName> {
        Some(SIGNATURE_HEADER)
    }

    fn tolerance(&self) -> Option<Duration> {
        Some(Duration::from_mins(5))
    }

    fn statuses(&self) -> Vec<&'static str> {
        vec!["/status", "/setup_intent/status"]
    }

    fn charges(&self) -> Option<Arc<dyn ChargeDriver>> {
        Some(Arc::new(StripeCharges::new(self.control())))
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}
