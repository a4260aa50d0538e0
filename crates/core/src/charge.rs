//! Charges: payments made with a saved method, by the customer or by the merchant.

pub mod decline;
pub mod state;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::Timestamp;
use crate::id::{ChargeId, CustomerId, PaymentMethodId, RefundId, VaultRecordId};
use crate::money::Money;
use crate::name::{GatewayName, TenantId};
use crate::session::Via;
use crate::settings::Mode;
pub use decline::{Advice, Decline, DeclineClass};
pub use state::ChargeStatus;

/// Who starts a charge. Card schemes call the two CIT and MIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initiator {
    /// The customer is there and pays (CIT).
    Customer,
    /// The merchant charges without the customer (MIT).
    Merchant,
}

impl Initiator {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Merchant => "merchant",
        }
    }
}

/// Why a charge happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeReason {
    /// A single purchase.
    OneOff,
    /// A subscription's turn.
    Recurring,
    /// A part of one purchase.
    Installment,
    /// As the need arises, such as a top-up.
    Unscheduled,
}

impl ChargeReason {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneOff => "one_off",
            Self::Recurring => "recurring",
            Self::Installment => "installment",
            Self::Unscheduled => "unscheduled",
        }
    }
}

/// When the money is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMode {
    /// At once.
    #[default]
    Automatic,
    /// It is authorized, and captured by a second call.
    Manual,
}

impl CaptureMode {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Asked for; the gateway has not said how it ends.
    Processing,
    /// The money goes back.
    Succeeded,
    /// It does not.
    Failed,
    /// It is not known whether the gateway was reached.
    Unknown,
}

impl RefundStatus {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it can still change.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Processing | Self::Unknown)
    }
}

/// Why money is given back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// The customer asked for it.
    #[default]
    RequestedByCustomer,
    /// It was charged twice.
    Duplicate,
    /// The customer did not make the purchase.
    Fraudulent,
    /// The order is canceled.
    Cancellation,
    /// Anything else.
    Other,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Stable id; also the reference at the gateway.
    pub id: RefundId,
    /// Minor units of the charge's currency.
    pub amount: i64,
    /// Where it stands.
    pub status: RefundStatus,
    /// Why.
    pub reason: RefundReason,
    /// The gateway's id, once known.
    pub provider_reference: Option<String>,
    /// The gateway's code when it failed.
    pub code: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The step with which a capture begins.
pub(crate) const CAPTURING: &str = "capturing";

/// One step of a charge's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What happened: a status, `captured`, `refund_succeeded`, …
    pub what: String,
    /// By which way it was learnt.
    pub via: Option<Via>,
    /// When.
    pub at: Timestamp,
}

/// What happens to a charge but is never searched for; stored as one JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeDetails {
    /// Who started it.
    pub initiator: Initiator,
    /// Why.
    pub reason: ChargeReason,
    /// When the money is taken.
    pub capture: CaptureMode,
    /// The merchant's own reference.
    pub reference: Option<String>,
    /// Shown to the customer where the gateway does.
    pub description: Option<String>,
    /// The merchant's own pairs.
    pub metadata: BTreeMap<String, String>,
    /// Where the customer goes after a step that only they can take.
    pub return_url: Option<Url>,
    /// How much was taken, in minor units.
    pub captured: i64,
    /// How much is being captured; set before the gateway is asked.
    pub capturing: Option<i64>,
    /// Why it was declined.
    pub decline: Option<Decline>,
    /// Money given back.
    pub refunds: Vec<Refund>,
    /// What else the gateway needs to find or change the charge.
    pub extra: BTreeMap<String, String>,
    /// The charge whose decline led to this one.
    pub fallback_of: Option<ChargeId>,
    /// An answer of the gateway that contradicts what was asked.
    pub incident: Option<String>,
    /// By which way its end was learnt.
    pub settled_via: Option<Via>,
    /// When the customer's browser first came back.
    pub returned_at: Option<Timestamp>,
    /// Its way so far.
    pub timeline: Vec<Step>,
}

/// A charge as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Stable id; also the reference at the gateway.
    pub id: ChargeId,
    /// Whose charge.
    pub tenant: TenantId,
    /// At which gateway.
    pub gateway: GatewayName,
    /// The kind of provider behind it.
    pub provider: String,
    /// Test or live.
    pub mode: Mode,
    /// Of which customer.
    pub customer_id: CustomerId,
    /// With which method.
    pub payment_method_id: PaymentMethodId,
    /// Where it stands.
    pub status: ChargeStatus,
    /// How much was asked for.
    pub money: Money,
    /// The gateway's id, once known.
    pub provider_reference: Option<String>,
    /// The sealed [`crate::view::Next`]: the link lets its bearer act as the customer.
    pub next: Option<VaultRecordId>,
    /// SHA-256 of the nonce in the return URL.
    pub nonce_hash: Vec<u8>,
    /// When the sweeper looks at it next; `None` when it never has to again.
    pub next_check_at: Option<Timestamp>,
    /// Everything that is not searched for.
    pub details: ChargeDetails,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

impl Charge {
    /// How much was given back or is being given back, in minor units.
    pub fn refunded(&self) -> i64 {
        let counts = |refund: &&Refund| refund.status != RefundStatus::Failed;
        self.details.refunds.iter().filter(counts).map(|refund| refund.amount).sum()
    }

    /// When the capture began that is under way.
    pub fn capture_began(&self) -> Option<Timestamp> {
        self.details.capturing?;
        self.details.timeline.iter().rfind(|step| step.what == CAPTURING).map(|step| step.at)
    }

    /// How often a capture began.
    pub fn captures(&self) -> usize {
        self.details.timeline.iter().filter(|step| step.what == CAPTURING).count()
    }

    /// Whether its gateway may still have news.
    pub fn is_open(&self) -> bool {
        !self.status.is_final()
            || self.details.capturing.is_some()
            || self.details.refunds.iter().any(|refund| refund.status.is_open())
    }
}
