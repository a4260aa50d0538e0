//! A reference gateway in memory, with its provider: the smallest thing that behaves like a real
//! one. Tests of the use cases drive it; authors of providers can read it as an example.

mod charges;
mod charging;
mod gateway;
mod told;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::{Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust};
use billfold_core::entropy::SystemEntropy;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, CreateSession, Deletion, EventSubject, ProviderEvent,
    ProviderMethod, ProviderSession, ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider,
    WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::secret::{ExposeSecret, SecretString, matches_secret};
use billfold_core::transport::{Reached, Transport, TransportError};
use billfold_core::{Error, ErrorKind, Result};
use bytes::Bytes;

pub use charges::{ChargeOutcome, LedgerCharge, LedgerRefund};
pub use gateway::{Instrument, ReferenceGateway, Trouble};

/// The header that carries the webhook secret.
pub const SECRET_HEADER: &str = "x-reference-secret";

/// Speaks to a [`ReferenceGateway`].
#[derive(Debug)]
pub struct ReferenceProvider {
    gateway: Arc<ReferenceGateway>,
    capabilities: Capabilities,
    abilities: ChargeAbilities,
    charges: bool,
    secret: SecretString,
}

impl ReferenceProvider {
    /// A provider for `gateway`, whose webhooks carry `secret`.
    pub fn new(gateway: Arc<ReferenceGateway>, secret: &str) -> Self {
        let (capabilities, abilities) = (capabilities(), charging::abilities());
        Self { gateway, capabilities, abilities, charges: true, secret: SecretString::from(secret) }
    }

    /// The same, with other capabilities: what it can do is up to the test.
    #[must_use]
    pub fn declaring(mut self, change: impl FnOnce(&mut Capabilities)) -> Self {
        change(&mut self.capabilities);
        self
    }

    /// The same, charging with other abilities; all of them are there at first.
    #[must_use]
    pub fn charging_with(mut self, change: impl FnOnce(&mut ChargeAbilities)) -> Self {
        change(&mut self.abilities);
        self
    }

    /// The same, but it saves and does not charge.
    #[must_use]
    pub fn not_charging(mut self) -> Self {
        self.charges = false;
        self
    }
}

fn capabilities() -> Capabilities {
    let channel = |code: &str, kind, country: &str, currency: &str, merchant_initiated| Channel {
        code: code.to_owned(),
        name: code.to_owned(),
        kind,
        country: country.parse().expect("a country code"),
        currencies: vec![currency.parse().expect("a currency code")],
        merchant_initiated,
    };
    Capabilities {
        name: "Reference".to_owned(),
        channels: vec![
            channel("CARD", MethodKind::Card, "ID", "IDR", true),
            channel("PURSE", MethodKind::Wallet, "ID", "IDR", false),
            channel("CARD", MethodKind::Card, "PH", "PHP", true),
        ],
        webhook_trust: Trust::Hint,
        webhook_refusal: Capabilities::WEBHOOK_REFUSAL,
        session_lifetime: SessionLifetime {
            min: Duration::from_mins(10),
            default: Duration::from_mins(30),
            max: Duration::from_hours(24),
        },
        metadata: MetadataLimits { keys: 20, key_length: 40, value_length: 80 },
        merchant_initiated_needs_terms: true,
        remote_deletion: true,
    }
}

#[async_trait]
impl TokenizationProvider for ReferenceProvider {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        match &request.customer.given_names {
            Some(name) if name.chars().count() > 50 => {
                Err(Error::invalid("/customer/given_names", "at most 50 characters"))
            }
            _ => Ok(()),
        }
    }

    async fn create_session(&self, _cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        self.gateway.create(&request).await
    }

    async fn fetch_session(&self, _cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        self.gateway.fetch(&session.reference).await
    }

    async fn cancel_session(&self, _cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        self.gateway.cancel(&session.reference).await
    }

    fn read_return(&self, _request: &ReturnRequest) -> ReturnHint {
        ReturnHint::default()
    }

    fn read_webhook(
        &self,
        delivery: &WebhookDelivery,
    ) -> std::result::Result<WebhookBatch, WebhookRejection> {
        let mut given = delivery.headers.get_all(SECRET_HEADER).iter();
        let (Some(only), None) = (given.next(), given.next()) else {
            return Err(WebhookRejection::Unauthentic);
        };
        if !matches_secret(&self.secret, only.as_bytes(), &SystemEntropy).unwrap_or(false) {
            return Err(WebhookRejection::Unauthentic);
        }
        let body: serde_json::Value =
            serde_json::from_slice(&delivery.body).map_err(|_| WebhookRejection::Unreadable)?;
        // One event, or several in a list.
        let events = match body.get("events").and_then(serde_json::Value::as_array) {
            Some(events) => events.iter().map(event).collect::<Option<_>>(),
            None => event(&body).map(|event| vec![event]),
        };
        let trust = self.capabilities.webhook_trust;
        Ok(WebhookBatch::new(trust, events.ok_or(WebhookRejection::Unreadable)?))
    }

    async fn fetch_method(&self, _cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        self.gateway.method(token.token.expose_secret()).await
    }

    async fn delete_method(&self, _cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        self.gateway.delete(token.token.expose_secret()).await
    }

    async fn check(&self, _cx: &CallContext) -> Result<()> {
        self.gateway.take_trouble("check").await.map_or(Ok(()), Err)
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        self.charges.then_some(self as &dyn ChargeProvider)
    }
}

fn event(body: &serde_json::Value) -> Option<ProviderEvent> {
    let text = |key: &str| body.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    let name = text("event")?;
    let part = |key: &str| text(key).unwrap_or_default();
    let mut key = format!("{name}:{}:{}", part("session"), part("token"));
    if name.starts_with("charge.") || name.starts_with("refund.") {
        key = format!("{key}:{}:{}:{}", part("charge"), part("reference"), part("refund"));
    }
    let subject = match (text("token"), text("session")) {
        (Some(token), _) => EventSubject::Method { token, merchant_reference: text("reference") },
        (None, Some(session)) => {
            EventSubject::Session { reference: Some(session), merchant_reference: text("reference") }
        }
        // Where webhooks are hints, core asks the gateway whatever is told here.
        (None, None) if name.starts_with("charge.") || name.starts_with("refund.") => EventSubject::Charge {
            reference: text("charge"),
            merchant_reference: text("reference"),
            told: told::told(body).map(Box::new),
        },
        (None, None) => EventSubject::Other,
    };
    Some(ProviderEvent::new(name, key, subject))
}

/// The reference provider needs no network; a transport that is used anyway is a defect.
#[derive(Debug)]
pub struct NoTransport;

#[async_trait]
impl Transport for NoTransport {
    async fn send(
        &self,
        _: http::Request<Bytes>,
        _: Duration,
    ) -> std::result::Result<http::Response<Bytes>, TransportError> {
        Err(TransportError { reached: Reached::NotSent, message: "there is no network here".into() })
    }
}

/// The error of a gateway that acted or not, nobody knows.
pub fn outcome_unknown() -> Error {
    Error::new(ErrorKind::GatewayUnavailable, "the gateway did not answer in time")
        .with_retry(billfold_core::error::Retry::OutcomeUnknown)
}
