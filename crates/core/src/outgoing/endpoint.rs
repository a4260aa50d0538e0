//! An address of the merchant's that events are sent to.

use serde::{Deserialize, Serialize};
use url::Url;

use super::EventFilter;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{VaultRecordId, WebhookEndpointId};
use crate::name::TenantId;

/// Whether anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Events are sent.
    Enabled,
    /// Nothing is sent; events wait.
    Disabled,
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Somebody asked for it.
    Requested,
    /// The receiver answered 410.
    Gone,
    /// Every attempt of a long time failed.
    Failing,
}

impl DisabledReason {
    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// A secret that was replaced and still signs beside the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousSecret {
    /// The sealed secret.
    pub record: VaultRecordId,
    /// Until when it signs.
    pub until: Timestamp,
}

/// An endpoint as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Stable id; the owner of its secrets in the vault.
    pub id: WebhookEndpointId,
    /// Whose.
    pub tenant: TenantId,
    /// Where events are sent.
    pub url: Url,
    /// Which ones.
    pub events: EventFilter,
    /// The merchant's own words.
    pub description: Option<String>,
    /// Why nothing is sent; `None` while it is enabled.
    pub disabled: Option<DisabledReason>,
    /// Since when every attempt failed; `None` after one that went well.
    pub failing_since: Option<Timestamp>,
    /// The sealed secret that signs.
    pub secret: VaultRecordId,
    /// The one before it.
    pub previous_secret: Option<PreviousSecret>,
    /// The sequence number of the last event that deliveries were made from.
    pub cursor: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed, the cursor apart.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

/// An endpoint as the API and events show it, without its secrets.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookEndpointView {
    /// `whe_…`.
    pub id: WebhookEndpointId,
    /// Always `webhook_endpoint`.
    pub object: &'static str,
    /// Where events are sent.
    pub url: Url,
    /// Which ones.
    pub events: EventFilter,
    /// The merchant's own words.
    pub description: Option<String>,
    /// Whether anything is sent.
    pub state: EndpointState,
    /// Why not.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when every attempt failed.
    pub failing_since: Option<Timestamp>,
    /// Until when the secret before the current one signs as well.
    pub previous_secret_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl WebhookEndpointView {
    /// What others are told of it. The URL's path and query may hold a secret of the receiver, so its origin must do.
    pub(crate) fn told_to_others(&self) -> Result<serde_json::Value> {
        let told = serde_json::to_value(self);
        let mut told = told.map_err(|_| Error::internal("an endpoint could not be written as JSON"))?;
        told["url"] = self.url.origin().ascii_serialization().into();
        Ok(told)
    }
}

impl From<&WebhookEndpoint> for WebhookEndpointView {
    fn from(endpoint: &WebhookEndpoint) -> Self {
        let state =
            if endpoint.disabled.is_some() { EndpointState::Disabled } else { EndpointState::Enabled };
        Self {
            id: endpoint.id,
            object: "webhook_endpoint",
            url: endpoint.url.clone(),
            events: endpoint.events.clone(),
            description: endpoint.description.clone(),
            state,
            disabled_reason: endpoint.disabled,
            failing_since: endpoint.failing_since,
            previous_secret_until: endpoint.previous_secret.map(|previous| previous.until),
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}
