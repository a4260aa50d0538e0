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
use billfold_core::settings::Settings;
use billfold_core::transport::Transport;
use billfold_core::{CustomerSelector, Result, StartSession};
use billfold_provider_gocardless::KIND;
use billfold_sandbox::{CompleteSession, Delivery, Sandbox, SandboxControl, WireWebhook};
use billfold_testkit::provider::{
    self as suite, Ability, Card, ChargeDriver, Driver, Rotation, SentWebhook, Signer,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use crate::charges::Charges;
use crate::support::{ACCESS_TOKEN, WEBHOOK_SECRET, profile, sandbox, transport};

const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("webhook-signature");
const NEXT_SECRET: &str = "CANARY-next";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gocardless_keeps_the_contract() {
    suite::run(|| async { Arc::new(GoCardlessDriver::start().await) as Arc<dyn Driver> }).await;
}

/// The settings of an account at the sandbox.
pub(crate) fn values(sandbox: &Sandbox) -> Value {
    json!({"base_url": sandbox.base_url(), "access_token": ACCESS_TOKEN, "webhook_secret": WEBHOOK_SECRET})
}

pub(crate) fn wire(control: &SandboxControl, delivery: &Delivery) -> (HeaderMap, bytes::Bytes) {
    let WireWebhook { headers, body } = control.wire(delivery, None);
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    (headers.collect(), body.into())
}

struct GoCardlessDriver {
    sandbox: Sandbox,
    taken: AtomicUsize,
}

impl GoCardlessDriver {
    async fn start() -> Self {
        Self { sandbox: sandbox().await, taken: AtomicUsize::new(0) }
    }

    fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    fn session(&self, id: &str) -> Option<Value> {
        self.control().sessions().into_iter().find(|session| session["id"] == id)
    }

    fn finish(&self, session: &str, card: Card, status: Option<&str>) -> Option<String> {
        let number = if card == Card::One { "55779911" } else { "31926819" };
        let complete = CompleteSession {
            card_number: Some(number.to_owned()),
            token_status: status.map(str::to_owned),
            ..CompleteSession::default()
        };
        self.control().complete(session, &complete)
    }
}

fn signed(body: &[u8], secret: &str) -> SentWebhook {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let value = HeaderValue::from_str(&hex::encode(hmac::sign(&key, body))).unwrap();
    SentWebhook { headers: HeaderMap::from_iter([(SIGNATURE_HEADER, value)]), body: body.to_vec().into() }
}

#[async_trait]
impl Driver for GoCardlessDriver {
    fn build(&self, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        Registry::linked().unwrap().build(KIND, settings)
    }

    fn settings(&self) -> Value {
        values(&self.sandbox)
    }

    fn secret_settings(&self) -> Vec<&'static str> {
        vec!["access_token", "webhook_secret"]
    }

    fn wrong_api_key(&self) -> (&'static str, String) {
        ("access_token", "sandbox_other".to_owned())
    }

    fn rotation(&self) -> Option<Rotation> {
        let mut after = self.settings();
        after["webhook_secret"] = NEXT_SECRET.into();
        let mut during = after.clone();
        during["previous_webhook_secret"] = WEBHOOK_SECRET.into();
        Some(Rotation { during, after })
    }

    fn canaries(&self) -> Vec<String> {
        vec![ACCESS_TOKEN.to_owned(), WEBHOOK_SECRET.to_owned()]
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        (ability == Ability::Expire).then_some("a billing request does not end by time")
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
            "GBP".parse().unwrap(),
            "GB".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        )
    }

    async fn sessions(&self) -> Vec<String> {
        let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
        self.control().sessions().iter().map(id).collect()
    }

    async fn metadata(&self, session: &str) -> Option<BTreeMap<String, String>> {
        serde_json::from_value(self.session(session)?["metadata"].clone()).ok()
    }

    async fn way_back(&self, session: &str, success: bool) -> Option<Url> {
        let field = if success { "redirect_uri" } else { "exit_uri" };
        self.session(session)?["flow"][field].as_str()?.parse().ok()
    }

    async fn complete(&self, session: &str, card: Card) -> Option<String> {
        self.finish(session, card, Some("active"))
    }

    async fn complete_pending(&self, session: &str, card: Card) -> Option<String> {
        self.finish(session, card, None)
    }

    async fn activate(&self, token: &str) -> bool {
        self.control().set_token_status(token, "active", None)
    }

    async fn replace(&self, token: &str) -> Option<String> {
        if !self.control().set_token_status(token, "replaced", None) {
            return None;
        }
        let old = self.control().tokens().into_iter().find(|mandate| mandate["id"] == token)?;
        old["links"]["new_mandate"].as_str().map(str::to_owned)
    }

    async fn decline(&self, session: &str) -> bool {
        self.control().fail(session, "exited")
    }

    async fn expire(&self, _: &str) -> bool {
        false
    }

    async fn revoke(&self, token: &str) -> bool {
        self.control().set_token_status(token, "cancelled", None)
    }

    async fn is_usable(&self, token: &str) -> bool {
        let known = self.control().tokens().iter().any(|mandate| mandate["id"] == token);
        known && self.control().gone_tokens().iter().all(|mandate| mandate["id"] != token)
    }

    async fn is_open(&self, session: &str) -> bool {
        self.session(session).is_some_and(|session| session["status"] == "pending")
    }

    async fn webhooks(&self) -> Vec<SentWebhook> {
        let sent = self.control().deliveries();
        let taken = self.taken.swap(sent.len(), Ordering::SeqCst);
        let wired = sent[taken..].iter().map(|delivery| wire(&self.control(), delivery));
        wired.map(|(headers, body)| SentWebhook { headers, body }).collect()
    }

    fn sign(&self, body: &[u8], signer: Signer, _: Timestamp) -> SentWebhook {
        let secret = match signer {
            Signer::Current => WEBHOOK_SECRET,
            Signer::Next => NEXT_SECRET,
            Signer::Stranger => "somebody-else",
            Signer::Empty => "",
        };
        signed(body, secret)
    }

    /// The events are the same; the delivery may have another id.
    fn again(&self, webhook: &SentWebhook) -> SentWebhook {
        let mut body: Value = serde_json::from_slice(&webhook.body).unwrap();
        body["meta"]["webhook_id"] = "WB0000AGAIN".into();
        signed(body.to_string().as_bytes(), WEBHOOK_SECRET)
    }

    fn unknown_event(&self) -> Value {
        json!({"events": [{"id": "EV1", "resource_type": "gadgets", "action": "painted", "links": {"gadget": "G1"}}]})
    }

    /// The signature is over the whole of a delivery: an event that somebody else put into it spoils it.
    fn forged_batch(&self, genuine: &[SentWebhook]) -> Option<SentWebhook> {
        let mut events = Vec::new();
        for webhook in genuine {
            let body: Value = serde_json::from_slice(&webhook.body).unwrap();
            events.extend(body["events"].as_array().unwrap().iter().cloned());
        }
        events.push(json!({"id": "EV2", "resource_type": "mandates", "action": "active", "links": {"mandate": "MD1"}}));
        let headers = genuine.first().map(|webhook| webhook.headers.clone()).unwrap_or_default();
        let body = json!({"events": events, "meta": {"webhook_id": "WB1"}}).to_string();
        Some(SentWebhook { headers, body: body.into() })
    }

    fn proof_header(&self) -> Option<HeaderName> {
        Some(SIGNATURE_HEADER)
    }

    fn tolerance(&self) -> Option<Duration> {
        None
    }

    fn statuses(&self) -> Vec<&'static str> {
        vec!["/billing_requests/status", "/mandates/status"]
    }

    fn charges(&self) -> Option<Arc<dyn ChargeDriver>> {
        Some(Arc::new(Charges { control: self.control() }))
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}
