//! The HTTP reference as the contract suite drives it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::Usage;
use billfold_core::clock::Timestamp;
use billfold_core::provider::{CustomerProfile, TokenizationProvider};
use billfold_core::settings::Settings;
use billfold_core::transport::Transport;
use billfold_core::{CustomerSelector, Result, StartSession};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use url::Url;

use super::charge_driver::Charges;
use super::gateway::HttpGateway;
use super::sending::{headers, sealed};
use super::webhook::{Body, Event, PROOF_HEADER, Proof, TOLERANCE};
use crate::provider::{Card, ChargeDriver, Driver, Rotation, SentWebhook, Signer};

const API_KEY: &str = "test_CANARY-key";
const SECRET: &str = "CANARY-webhook-secret";
const NEXT_SECRET: &str = "CANARY-next-secret";
const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

/// A gateway that nothing happened at, and the provider for it.
#[derive(Debug)]
pub struct HttpReference {
    gateway: Arc<HttpGateway>,
    proof: Proof,
    build: Build,
    variant: &'static str,
}

/// Builds a provider from its settings.
type Build = fn(&Settings) -> Result<Arc<dyn TokenizationProvider>>;

impl HttpReference {
    /// With webhooks that prove themselves like this.
    pub fn new(proof: Proof) -> Self {
        let variant = match proof {
            Proof::Token => "token",
            Proof::Signature => "signature",
            Proof::Items => "items",
        };
        Self { variant, ..Self::with(proof, super::build) }
    }

    /// With another provider that speaks to the same gateway and knows the same settings: one that is about to
    /// become that of a real gateway.
    pub fn with(proof: Proof, build: Build) -> Self {
        Self { gateway: Arc::new(HttpGateway::new(API_KEY)), proof, build, variant: "" }
    }

    /// How its webhooks prove themselves.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    fn table(&self, secret: &str) -> Value {
        json!({"api_key": API_KEY, "webhook_secret": secret, "proof": self.proof})
    }

    fn send(&self, events: Vec<Event>, secret: &str, at: Timestamp) -> SentWebhook {
        let seal = |event: Event| if self.proof == Proof::Items { sealed(event, secret) } else { event };
        let body = Body { events: events.into_iter().map(seal).collect() };
        self.raw(&serde_json::to_vec(&body).expect("JSON"), secret, at)
    }

    fn raw(&self, body: &[u8], secret: &str, at: Timestamp) -> SentWebhook {
        let headers = headers(self.proof, secret, body, at.as_millis() / 1000);
        SentWebhook { headers, body: body.to_vec().into() }
    }

    fn events(webhook: &SentWebhook) -> Vec<Event> {
        serde_json::from_slice::<Body>(&webhook.body).expect("one of ours").events
    }
}

pub(super) fn number(card: Card) -> &'static str {
    if card == Card::One { "4000000000001091" } else { "4000000000002503" }
}

#[async_trait]
impl Driver for HttpReference {
    fn build(&self, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        (self.build)(settings)
    }

    fn variant(&self) -> &'static str {
        self.variant
    }

    fn settings(&self) -> Value {
        self.table(SECRET)
    }

    fn secret_settings(&self) -> Vec<&'static str> {
        vec!["api_key", "webhook_secret"]
    }

    fn wrong_api_key(&self) -> (&'static str, String) {
        ("api_key", "test_other".to_owned())
    }

    fn rotation(&self) -> Option<Rotation> {
        let after = self.table(NEXT_SECRET);
        let mut during = after.clone();
        during["previous_webhook_secret"] = SECRET.into();
        Some(Rotation { during, after })
    }

    fn canaries(&self) -> Vec<String> {
        vec![API_KEY.to_owned(), SECRET.to_owned()]
    }

    fn transport(&self) -> Arc<dyn Transport> {
        self.gateway.clone()
    }

    fn now(&self) -> Timestamp {
        NOW
    }

    fn request(&self, customer: &str) -> StartSession {
        StartSession::new(
            CustomerSelector::reference(customer, CustomerProfile::default()),
            Usage::UnscheduledCustomer,
            "IDR".parse().expect("a currency"),
            "ID".parse().expect("a country"),
            "https://shop.example/done".parse().expect("a URL"),
        )
    }

    async fn sessions(&self) -> Vec<String> {
        self.gateway.state().sessions.keys().cloned().collect()
    }

    async fn metadata(&self, session: &str) -> Option<BTreeMap<String, String>> {
        Some(self.gateway.state().sessions.get(session)?.asked.metadata.clone())
    }

    async fn way_back(&self, session: &str, success: bool) -> Option<Url> {
        let asked = self.gateway.state().sessions.get(session)?.asked.clone();
        let url = if success { &asked.return_url } else { &asked.cancel_url };
        url.parse().ok()
    }

    async fn complete(&self, session: &str, card: Card) -> Option<String> {
        self.gateway.complete(session, number(card), "active")
    }

    async fn complete_pending(&self, session: &str, card: Card) -> Option<String> {
        self.gateway.complete(session, number(card), "pending")
    }

    async fn activate(&self, token: &str) -> bool {
        self.gateway.activate(token)
    }

    async fn replace(&self, token: &str) -> Option<String> {
        self.gateway.replace(token, number(Card::Other))
    }

    async fn decline(&self, session: &str) -> bool {
        let mut state = self.gateway.state();
        let Some(kept) = state.sessions.get(session) else { return false };
        let (session, reference) = (kept.session.id.clone(), kept.session.reference.clone());
        let event = Event { name: "attempt.failed".to_owned(), session, reference, ..Event::default() };
        state.sent.push(event);
        true
    }

    async fn expire(&self, session: &str) -> bool {
        self.gateway.end(session, "expired")
    }

    async fn revoke(&self, token: &str) -> bool {
        self.gateway.revoke(token)
    }

    async fn is_usable(&self, token: &str) -> bool {
        let state = self.gateway.state();
        state.tokens.get(token).and_then(|token| token.status.as_deref()) == Some("active")
    }

    async fn is_open(&self, session: &str) -> bool {
        let state = self.gateway.state();
        state.sessions.get(session).and_then(|kept| kept.session.status.as_deref()) == Some("open")
    }

    async fn webhooks(&self) -> Vec<SentWebhook> {
        let sent = std::mem::take(&mut self.gateway.state().sent);
        sent.into_iter().map(|event| self.send(vec![event], SECRET, NOW)).collect()
    }

    fn sign(&self, body: &[u8], signer: Signer, at: Timestamp) -> SentWebhook {
        let secret = match signer {
            Signer::Current => SECRET,
            Signer::Next => NEXT_SECRET,
            Signer::Stranger => "somebody-else",
            Signer::Empty => "",
        };
        match serde_json::from_slice::<Body>(body) {
            Ok(read) if self.proof == Proof::Items => self.send(read.events, secret, at),
            _ => self.raw(body, secret, at),
        }
    }

    fn again(&self, webhook: &SentWebhook) -> SentWebhook {
        let mut events = Self::events(webhook);
        for event in &mut events {
            event.attempt += 1;
        }
        self.send(events, SECRET, NOW.plus(Duration::from_mins(1)))
    }

    fn unknown_event(&self) -> Value {
        json!({"events": [{"name": "account.painted"}]})
    }

    fn forged_batch(&self, genuine: &[SentWebhook]) -> Option<SentWebhook> {
        if self.proof != Proof::Items {
            return None;
        }
        let events: Vec<Event> = genuine.iter().flat_map(Self::events).collect();
        let mut body = Body { events };
        if let Some(last) = body.events.last_mut() {
            last.status = Some("altered".to_owned());
        }
        let body = serde_json::to_vec(&body).ok()?;
        Some(SentWebhook { headers: HeaderMap::new(), body: body.into() })
    }

    fn proof_header(&self) -> Option<HeaderName> {
        (self.proof != Proof::Items).then_some(PROOF_HEADER)
    }

    fn tolerance(&self) -> Option<Duration> {
        (self.proof == Proof::Signature).then_some(TOLERANCE)
    }

    fn statuses(&self) -> Vec<&'static str> {
        vec!["/status", "/token/status"]
    }

    fn charges(&self) -> Option<Arc<dyn ChargeDriver>> {
        Some(Arc::new(Charges(self.gateway.clone())))
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}
