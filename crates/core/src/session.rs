//! Sessions: attempts to save a payment method.

pub mod state;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::capability::Usage;
use crate::clock::Timestamp;
use crate::id::{CustomerId, PaymentMethodId, SessionId, VaultRecordId};
use crate::money::{Country, Currency};
use crate::name::{GatewayName, TenantId};
use crate::provider::RecurringTerms;
use crate::routing::GatewayChoice;
use crate::settings::Mode;
pub use state::SessionStatus;

/// By which way a session was settled. The sweep's share is the rate of lost webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The answer to the call that created it.
    Create,
    /// The customer's browser came back.
    Return,
    /// The gateway told.
    Webhook,
    /// Billfold asked by itself.
    Sweep,
    /// The merchant canceled it.
    Cancel,
}

impl Via {
    /// The name in JSON and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Return => "return",
            Self::Webhook => "webhook",
            Self::Sweep => "sweep",
            Self::Cancel => "cancel",
        }
    }
}

/// What the customer agreed to when they saved the method, for the merchant to show later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Which version of the merchant's text they saw.
    pub text_version: String,
    /// When they agreed.
    pub agreed_at: Timestamp,
    /// Keyed fingerprint of the address that they agreed from: the same address can be recognised, and not read.
    pub address: Option<String>,
}

/// What happens to a session but is never searched for; stored as one JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDetails {
    /// What the method will be used for.
    pub usage: Usage,
    /// Terms of merchant-initiated use.
    pub recurring: Option<RecurringTerms>,
    /// Currency of later charges.
    pub currency: Currency,
    /// Country of the merchant's activation.
    pub country: Country,
    /// Channel codes offered; empty means all.
    pub channels: Vec<String>,
    /// Language of the hosted page.
    pub locale: Option<String>,
    /// Shown on the hosted page.
    pub description: Option<String>,
    /// The merchant's own pairs.
    pub metadata: BTreeMap<String, String>,
    /// Where the customer goes in the end.
    pub return_url: Url,
    /// Whether the saved method becomes the customer's default.
    pub make_default: bool,
    /// The gateway's customer, where there is one.
    pub gateway_customer: Option<String>,
    /// The methods that it saved.
    pub payment_methods: Vec<PaymentMethodId>,
    /// How it was settled.
    pub settled_via: Option<Via>,
    /// Why it failed, for the merchant.
    pub failure: Option<String>,
    /// When the customer's browser first came back.
    pub returned_at: Option<Timestamp>,
    /// How often the sweeper asked about it.
    pub checks: u32,
    /// What the customer agreed to, as the merchant told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// Why this gateway, when the request named none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_choice: Option<GatewayChoice>,
}

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Stable id; also the reference at the gateway.
    pub id: SessionId,
    /// Whose session.
    pub tenant: TenantId,
    /// At which gateway.
    pub gateway: GatewayName,
    /// The kind of provider behind it.
    pub provider: String,
    /// Test or live.
    pub mode: Mode,
    /// For which customer; the method saved can belong to no other.
    pub customer_id: CustomerId,
    /// Where it stands.
    pub status: SessionStatus,
    /// The gateway's id, once known.
    pub provider_reference: Option<String>,
    /// The sealed [`crate::view::Next`]: the link to the hosted page lets its bearer act as the customer.
    pub next: Option<VaultRecordId>,
    /// SHA-256 of the nonce in the return URL.
    pub nonce_hash: Vec<u8>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When the sweeper looks at it next; `None` when it never has to again.
    pub next_check_at: Option<Timestamp>,
    /// Everything that is not searched for.
    pub details: SessionDetails,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}
