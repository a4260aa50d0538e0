//! The contract of providers, kept against the sandbox: on the hosted page with both webhooks, and embedded with the
//! token webhook alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::capability::Usage;
use billfold_core::clock::{Clock as _, SystemClock, Timestamp};
use billfold_core::provider::TokenizationProvider;
use billfold_core::registry::Registry;
use billfold_core::settings::Settings;
use billfold_core::transport::Transport;
use billfold_core::{CustomerSelector, Result, StartSession};
use billfold_provider_adyen::KIND;
use billfold_sandbox::{CompleteSession, Delivery, Sandbox, SandboxControl, WireWebhook};
use billfold_testkit::provider::{
    self as suite, Ability, Card, ChargeDriver, Driver, Rotation, SentWebhook, Signer,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use crate::charges::Charges;
use crate::support::{API_KEY, TOKEN_KEY, profile, sandbox, settings, transport};

const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("hmacsignature");
const NEXT_KEY: &str = "CA4A4100000000000000000000000000000000000000000000000000000000C2";
const STRANGERS_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000001";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosted_page_with_both_webhooks_keeps_the_contract() {
    suite::run(|| async { Arc::new(AdyenDriver::start(Run::Hosted).await) as Arc<dyn Driver> }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_sessions_with_the_token_webhook_keep_the_contract() {
    suite::run(|| async { Arc::new(AdyenDriver::start(Run::Embedded).await) as Arc<dyn Driver> }).await;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Both webhooks are set up.
    Hosted,
    /// The token webhook alone.
    Embedded,
}

struct AdyenDriver {
    sandbox: Sandbox,
    charges: Arc<Charges>,
    taken: AtomicUsize,
    run: Run,
}

impl AdyenDriver {
    async fn start(run: Run) -> Self {
        let sandbox = sandbox().await;
        let charges = Arc::new(Charges::new(sandbox.control()));
        Self { sandbox, charges, taken: AtomicUsize::new(0), run }
    }

    fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    fn session(&self, reference: &str) -> Option<Value> {
        self.control().sessions().into_iter().find(|session| session["reference"] == reference)
    }

    fn settings_with(&self, token_key: &str) -> Value {
        let mut values = settings(&self.sandbox, token_key);
        if self.run == Run::Embedded {
            values.as_object_mut().unwrap().remove("standard_webhook_hmac_key");
        }
        values
    }

    /// The keys of both webhooks, when that of the token webhook is `token_key`.
    fn keys(&self, token_key: &str) -> (String, String) {
        let standard = settings(&self.sandbox, token_key)["standard_webhook_hmac_key"].clone();
        (token_key.to_owned(), standard.as_str().unwrap().to_owned())
    }

    fn wire(&self, delivery: &Delivery) -> SentWebhook {
        let WireWebhook { headers, body } = self.control().wire(delivery, None);
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        SentWebhook { headers: headers.collect(), body: body.into() }
    }
}

fn hmac_of(key: &str, message: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &hex::decode(key).unwrap()), message))
}

/// A token webhook.
fn signed(body: &[u8], key: &str) -> SentWebhook {
    let value = HeaderValue::from_str(&hmac_of(key, body)).unwrap();
    SentWebhook { headers: HeaderMap::from_iter([(SIGNATURE_HEADER, value)]), body: body.to_vec().into() }
}

/// A standard webhook, every item of which is signed anew; `None` when the body is none.
fn signed_items(body: &[u8], key: &str) -> Option<SentWebhook> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    for item in value.get_mut("notificationItems")?.as_array_mut()? {
        let item = item.get_mut("NotificationRequestItem")?;
        let text = |pointer: &str| match item.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let fields = [
            text("/pspReference"),
            text("/originalReference"),
            text("/merchantAccountCode"),
            text("/merchantReference"),
            text("/amount/value"),
            text("/amount/currency"),
            text("/eventCode"),
            text("/success"),
        ];
        let signature = hmac_of(key, fields.join(":").as_bytes());
        item["additionalData"]["hmacSignature"] = signature.into();
    }
    Some(unsigned(value.to_string()))
}

fn unsigned(body: String) -> SentWebhook {
    SentWebhook { headers: HeaderMap::new(), body: Bytes::from(body) }
}

/// The items of a standard webhook.
fn items(webhook: &SentWebhook) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&webhook.body).unwrap();
    body["notificationItems"].as_array().cloned().unwrap_or_default()
}

#[async_trait]
impl Driver for AdyenDriver {
    fn build(&self, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        Registry::linked().unwrap().build(KIND, settings)
    }

    fn settings(&self) -> Value {
        self.settings_with(TOKEN_KEY)
    }

    fn secret_settings(&self) -> Vec<&'static str> {
        vec!["api_key", "token_webhook_hmac_key"]
    }

    fn wrong_api_key(&self) -> (&'static str, String) {
        ("api_key", "AQEother".to_owned())
    }

    fn variant(&self) -> &'static str {
        match self.run {
            Run::Hosted => "hosted",
            Run::Embedded => "embedded",
        }
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        match ability {
            Ability::Expire => Some("nobody is told that a session's time is up"),
            Ability::Cancel => Some("the gateway ends no session on demand"),
            Ability::Pending => Some("its tokens are usable as soon as they are saved"),
            Ability::Replace => Some("an updated token keeps its id"),
            _ => None,
        }
    }

    fn rotation(&self) -> Option<Rotation> {
        let after = self.settings_with(NEXT_KEY);
        let (token, standard) = self.keys(TOKEN_KEY);
        let mut during = after.clone();
        during["previous_token_webhook_hmac_key"] = token.into();
        if self.run == Run::Hosted {
            during["previous_standard_webhook_hmac_key"] = standard.into();
        }
        Some(Rotation { during, after })
    }

    fn canaries(&self) -> Vec<String> {
        let (token, standard) = self.keys(TOKEN_KEY);
        vec![API_KEY.to_owned(), token, standard]
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
            "NL".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        );
        request.provider_options = (self.run == Run::Embedded).then(|| json!({"flow": "embedded"}));
        request
    }

    /// A session is known by our own reference.
    async fn sessions(&self) -> Vec<String> {
        let reference = |session: &Value| session["reference"].as_str().unwrap().to_owned();
        self.control().sessions().iter().map(reference).collect()
    }

    async fn metadata(&self, session: &str) -> Option<BTreeMap<String, String>> {
        serde_json::from_value(self.session(session)?["metadata"].clone()).ok()
    }

    /// There is one way back, whatever the customer did.
    async fn way_back(&self, session: &str, _: bool) -> Option<Url> {
        self.session(session)?["returnUrl"].as_str()?.parse().ok()
    }

    async fn complete(&self, session: &str, card: Card) -> Option<String> {
        let number = if card == Card::One { "4111111111111111" } else { "5555555555554444" };
        let complete = CompleteSession { card_number: Some(number.to_owned()), ..CompleteSession::default() };
        self.control().complete(session, &complete)
    }

    async fn decline(&self, session: &str) -> bool {
        self.control().fail(session, "Refused")
    }

    async fn expire(&self, session: &str) -> bool {
        self.control().expire(session)
    }

    async fn revoke(&self, token: &str) -> bool {
        self.control().set_token_status(token, "disabled", None)
    }

    async fn is_usable(&self, token: &str) -> bool {
        self.control().tokens().iter().any(|method| method["id"] == token && method["disabled"] != true)
    }

    async fn is_open(&self, session: &str) -> bool {
        self.session(session).unwrap_or_default()["status"] == "active"
    }

    async fn webhooks(&self) -> Vec<SentWebhook> {
        let sent = self.control().deliveries();
        let taken = self.taken.swap(sent.len(), Ordering::SeqCst);
        let set_up = |webhook: &SentWebhook| self.run == Run::Hosted || items(webhook).is_empty();
        sent[taken..].iter().map(|delivery| self.wire(delivery)).filter(set_up).collect()
    }

    fn sign(&self, body: &[u8], signer: Signer, _: Timestamp) -> SentWebhook {
        let (token, standard) = match signer {
            Signer::Current => self.keys(TOKEN_KEY),
            Signer::Next => self.keys(NEXT_KEY),
            Signer::Stranger => self.keys(STRANGERS_KEY),
            Signer::Empty => (String::new(), String::new()),
        };
        if let Some(signed) = signed_items(body, &standard) {
            return signed;
        }
        let of_a_token =
            serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("eventId").is_some());
        if self.run == Run::Embedded || of_a_token {
            return signed(body, &token);
        }
        // What is no list of items has no place for a signature.
        SentWebhook { headers: HeaderMap::new(), body: body.to_vec().into() }
    }

    /// Nothing changes between attempts.
    fn again(&self, webhook: &SentWebhook) -> SentWebhook {
        webhook.clone()
    }

    fn unknown_event(&self) -> Value {
        match self.run {
            Run::Hosted => json!({"live": "false", "notificationItems": [{"NotificationRequestItem": {
                "pspReference": "7914073381342284", "merchantAccountCode": "SandboxECOM", "eventCode": "PAINTED",
                "success": "true", "amount": {"value": 0, "currency": "EUR"}, "additionalData": {}}}]}),
            Run::Embedded => json!({"type": "recurring.token.painted", "eventId": "QBQQ9DLNRHHKGK38",
                "environment": "test", "createdAt": "2026-05-01T10:00:00Z", "data": {"merchantAccount": "SandboxECOM"}}),
        }
    }

    fn forged_batch(&self, genuine: &[SentWebhook]) -> Option<SentWebhook> {
        if self.run == Run::Embedded {
            return None;
        }
        let mut items: Vec<Value> = genuine.iter().flat_map(items).collect();
        if let Some(last) = items.last_mut() {
            last["NotificationRequestItem"]["pspReference"] = "7914073381342285".into();
            // Behind one that nobody altered, for a completion sends one item alone.
            let first = self.sign(self.unknown_event().to_string().as_bytes(), Signer::Current, self.now());
            items.splice(0..0, self::items(&first));
        }
        Some(unsigned(json!({"live": "false", "notificationItems": items}).to_string()))
    }

    fn proof_header(&self) -> Option<HeaderName> {
        (self.run == Run::Embedded).then_some(SIGNATURE_HEADER)
    }

    fn tolerance(&self) -> Option<Duration> {
        None
    }

    /// What a session saved is told by a list; its status, only to whom brings its result from a browser.
    fn statuses(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn charges(&self) -> Option<Arc<dyn ChargeDriver>> {
        Some(self.charges.clone())
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}
