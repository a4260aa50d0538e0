//! Rows that are the store's own business: webhooks, removals, events, API keys.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ApiKeyId, CustomerId, DeliveryId, EventId, PaymentMethodId, RemovalId, VaultRecordId};
use crate::name::{GatewayName, TenantId};
use crate::scope::Scopes;
use crate::vault::Fingerprint;

/// A keyset page: at most `limit` rows beyond `after`.
#[derive(Debug, Clone, Copy)]
pub struct Page<K> {
    /// The last id of the page before.
    pub after: Option<K>,
    /// The most rows.
    pub limit: u32,
}

impl<K> Page<K> {
    /// The first page.
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// Where a webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Stored, not processed.
    Received,
    /// Matches nothing yet; tried again later.
    Parked,
    /// Its effect is stored.
    Done,
    /// Nothing that Billfold acts on.
    Ignored,
    /// Matched nothing until the last attempt; kept and visible.
    Dead,
    /// From the gateway, but not readable; kept as evidence.
    Unreadable,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Received, Self::Parked, Self::Done, Self::Ignored, Self::Dead, Self::Unreadable];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Parked => "parked",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A webhook as stored: sealed before it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Stable id.
    pub id: DeliveryId,
    /// Whose gateway.
    pub tenant: TenantId,
    /// Which gateway sent it.
    pub gateway: GatewayName,
    /// Keyed fingerprint of the events' dedupe keys, or of the body when it has none.
    pub key: Fingerprint,
    /// The events' names, for people.
    pub summary: String,
    /// The sealed body and events; kept for a bounded time.
    pub body: VaultRecordId,
    /// The customer that it was about, once it was worked on: erased with them.
    pub customer_id: Option<CustomerId>,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it came.
    pub received_count: i64,
    /// How often it was worked on.
    pub attempts: i64,
    /// When it is worked on next; `None` when it is finished.
    pub next_attempt_at: Option<Timestamp>,
    /// Why it is where it is, for people.
    pub note: Option<String>,
    /// The webhook that came before under the same event id and told something else.
    pub conflicts_with: Option<DeliveryId>,
    /// When it first came.
    pub received_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

/// A token that is to be deleted at its gateway and then destroyed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Stable id.
    pub id: RemovalId,
    /// Whose token.
    pub tenant: TenantId,
    /// Where it is valid.
    pub gateway: GatewayName,
    /// The method that it belonged to.
    pub payment_method_id: PaymentMethodId,
    /// The sealed token.
    pub token: VaultRecordId,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next; `None` when it is finished.
    pub next_attempt_at: Option<Timestamp>,
    /// How it ended: `deleted`, `already_gone`, `local_only`, `superseded`, `gave_up`.
    pub outcome: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

/// Something that the merchant's system is told: ids and masked data, no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stable id.
    pub id: EventId,
    /// Position in the tenant's stream; given by the database, 0 before.
    pub sequence: i64,
    /// Whose event.
    pub tenant: TenantId,
    /// `session.completed`, `payment_method.saved`.
    pub name: String,
    /// The object that changed.
    pub object_id: String,
    /// The object after the change, as JSON text.
    pub data: String,
    /// When it happened.
    pub created_at: Timestamp,
}

/// An API key: the id in clear, the secret as SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public half.
    pub id: ApiKeyId,
    /// For which tenant.
    pub tenant: TenantId,
    /// What its owner calls it.
    pub name: String,
    /// What its bearer may do.
    pub scopes: Scopes,
    /// SHA-256 of the secret half.
    pub secret_hash: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
    /// Counts changes, from 1.
    pub version: i64,
}
