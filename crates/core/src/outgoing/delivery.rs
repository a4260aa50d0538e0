//! One event on its way to one endpoint.

use serde::{Deserialize, Serialize};

use super::SendError;
use crate::clock::Timestamp;
use crate::id::{EndpointDeliveryId, EventId, WebhookEndpointId};
use crate::name::TenantId;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointDeliveryState {
    /// It is sent, or sent again.
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// The last attempt failed; it is not sent again unless somebody asks for it.
    Failed,
}

impl EndpointDeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptError {
    /// The answer was not 2xx; redirects are not followed.
    Status,
    /// The name leads to an address that must not be called.
    ForbiddenAddress,
    /// The name could not be resolved.
    Dns,
    /// Nobody accepted the connection.
    Connect,
    /// The TLS handshake failed, most likely over the certificate.
    Tls,
    /// There was no answer in time.
    Timeout,
    /// The connection broke before there was an answer.
    Broken,
}

impl AttemptError {
    /// The name in JSON, in the database and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ForbiddenAddress => "forbidden_address",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
        }
    }
}

impl From<SendError> for AttemptError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::ForbiddenAddress => Self::ForbiddenAddress,
            SendError::Dns => Self::Dns,
            SendError::Connect => Self::Connect,
            SendError::Tls => Self::Tls,
            SendError::Timeout => Self::Timeout,
            SendError::Broken => Self::Broken,
        }
    }
}

/// How many attempts of a delivery are remembered: all of the usual ten, and those before a replay.
const REMEMBERED: usize = 20;

/// One attempt to send a delivery. Of what the receiver answered it has the status alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// Which attempt it was since the delivery was made or last replayed, from 1. One that is missing was cut off, by
    /// the end of the process as a rule.
    pub number: i64,
    /// When it began.
    pub at: Timestamp,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<AttemptError>,
    /// How long it took.
    pub duration_ms: u64,
}

/// A delivery as stored. It holds no part of the event but its type and ids: the event is read when it is sent, so
/// that an erasure reaches what has not been sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointDelivery {
    /// Stable id.
    pub id: EndpointDeliveryId,
    /// Whose.
    pub tenant: TenantId,
    /// To which endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// The event, and `webhook-id` in every attempt.
    pub event_id: EventId,
    /// The event's sequence number.
    pub sequence: i64,
    /// The event's type.
    pub event_name: String,
    /// The object that the event tells of; its events are sent in their order.
    pub object_id: String,
    /// Where it stands.
    pub state: EndpointDeliveryState,
    /// How often it was sent, since it was made or last replayed.
    pub attempts: i64,
    /// When it is sent next; `None` exactly when it is not pending.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last sent.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last answer, if there was one.
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    pub last_error: Option<AttemptError>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
    /// Its newest attempts, the latest last.
    pub history: Vec<DeliveryAttempt>,
}

impl EndpointDelivery {
    /// Remembers an attempt, and forgets the oldest when there are too many.
    pub(crate) fn remember(&mut self, attempt: DeliveryAttempt) {
        self.history.push(attempt);
        self.history.drain(..self.history.len().saturating_sub(REMEMBERED));
    }
}

/// A delivery as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointDeliveryView {
    /// `dlv_…`.
    pub id: EndpointDeliveryId,
    /// Always `webhook_delivery`.
    pub object: &'static str,
    /// To which endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// The event.
    pub event_id: EventId,
    /// Its sequence number.
    pub sequence: i64,
    /// Its type.
    pub event_type: String,
    /// The object that it tells of.
    pub object_id: String,
    /// Where it stands.
    pub state: EndpointDeliveryState,
    /// How often it was sent.
    pub attempts: i64,
    /// When it is sent next.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last sent.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    pub last_error: Option<AttemptError>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its newest attempts, the latest last; `None` in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<DeliveryAttempt>>,
}

impl EndpointDeliveryView {
    /// A delivery with its attempts.
    pub(crate) fn whole(mut row: EndpointDelivery) -> Self {
        let history = std::mem::take(&mut row.history);
        Self { history: Some(history), ..Self::from(row) }
    }
}

impl From<EndpointDelivery> for EndpointDeliveryView {
    fn from(row: EndpointDelivery) -> Self {
        Self {
            id: row.id,
            object: "webhook_delivery",
            endpoint_id: row.endpoint_id,
            event_id: row.event_id,
            sequence: row.sequence,
            event_type: row.event_name,
            object_id: row.object_id,
            state: row.state,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            last_attempt_at: row.last_attempt_at,
            last_status: row.last_status,
            last_error: row.last_error,
            created_at: row.created_at,
            updated_at: row.updated_at,
            history: None,
        }
    }
}
