//! Webhooks as they come in and as providers read them.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::capability::Trust;
use crate::clock::Timestamp;
use crate::provider::SignedCharge;

/// A webhook as received: nothing parsed, nothing dropped.
#[derive(Clone)]
#[non_exhaustive]
pub struct WebhookDelivery {
    /// The body, byte for byte.
    pub body: Bytes,
    /// Every header, repeated ones too.
    pub headers: http::HeaderMap,
    /// The URL's query, raw.
    pub query: String,
    /// When it came.
    pub received_at: Timestamp,
}

impl WebhookDelivery {
    /// A delivery.
    pub fn new(
        body: Bytes,
        headers: http::HeaderMap,
        query: impl Into<String>,
        received_at: Timestamp,
    ) -> Self {
        Self { body, headers, query: query.into(), received_at }
    }
}

impl fmt::Debug for WebhookDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookDelivery({} bytes at {})", self.body.len(), self.received_at)
    }
}

/// A webhook that proved its origin, as far as the gateway lets it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookBatch {
    /// How much the proof covers.
    pub trust: Trust,
    /// What it tells: nothing, one thing, or many.
    pub events: Vec<ProviderEvent>,
    /// The answer that this gateway wants once the delivery is stored.
    pub acknowledge: Acknowledgement,
}

impl WebhookBatch {
    /// A batch that is acknowledged with an empty 200.
    pub fn new(trust: Trust, events: Vec<ProviderEvent>) -> Self {
        Self { trust, events, acknowledge: Acknowledgement::default() }
    }
}

/// One thing that a webhook tells.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProviderEvent {
    /// The gateway's name of the event, for people.
    pub name: String,
    /// The same in every delivery of this event and different for every other: the gateway's event
    /// id, or event, object and status together. Never anything that changes between attempts.
    pub dedupe_key: String,
    /// What it is about.
    pub subject: EventSubject,
}

/// What an event is about. Ids from a webhook are used to ask the gateway, never to believe.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventSubject {
    /// A session changed.
    Session {
        /// The gateway's id of it.
        reference: Option<String>,
        /// Our reference, where the event carries it.
        merchant_reference: Option<String>,
    },
    /// A saved method changed.
    Method {
        /// The gateway's token.
        token: String,
        /// Our reference of the session that saved it, where the event carries it.
        merchant_reference: Option<String>,
    },
    /// A charge changed, or a refund of it.
    Charge {
        /// The gateway's id of it.
        reference: Option<String>,
        /// Our charge id, where the event carries it.
        merchant_reference: Option<String>,
        /// What is told, where the delivery's signature covers all of it; then the gateway is not asked.
        told: Option<Box<SignedCharge>>,
    },
    /// Something that Billfold does not act on; stored and acknowledged.
    Other,
}

impl ProviderEvent {
    /// An event.
    pub fn new(name: impl Into<String>, dedupe_key: impl Into<String>, subject: EventSubject) -> Self {
        Self { name: name.into(), dedupe_key: dedupe_key.into(), subject }
    }
}

impl fmt::Debug for ProviderEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderEvent").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The answer that tells the gateway not to send a delivery again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: &'static str,
}

impl Default for Acknowledgement {
    fn default() -> Self {
        Self { status: 200, body: "" }
    }
}

/// A webhook that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejection {
    /// It did not prove that it comes from the gateway: nothing is stored, and it is answered with
    /// [`crate::capability::Capabilities::webhook_refusal`].
    #[error("the webhook's secret is missing or wrong")]
    Unauthentic,
    /// It proved its origin, but its body cannot be read: stored as evidence and answered with 400.
    #[error("the webhook's body cannot be read")]
    Unreadable,
}
