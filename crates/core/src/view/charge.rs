//! Charges and refunds as the outside sees them.

use std::collections::BTreeMap;

use serde::Serialize;
use url::Url;

use super::Next;
use crate::charge::{
    Advice, CaptureMode, Charge, ChargeReason, ChargeStatus, DeclineClass, Initiator, Refund, RefundReason,
    RefundStatus, Step,
};
use crate::clock::Timestamp;
use crate::id::{ChargeId, CustomerId, PaymentMethodId, RefundId};
use crate::money::Currency;
use crate::name::GatewayName;
use crate::session::Via;
use crate::settings::Mode;

/// Why a charge was declined, and what to do next.
#[derive(Debug, Clone, Serialize)]
pub struct DeclineView {
    /// The class to decide by, common to all gateways.
    pub class: DeclineClass,
    /// The gateway's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What to do next.
    pub advice: Advice,
}

/// Money given back.
#[derive(Debug, Clone, Serialize)]
pub struct RefundView {
    /// `rfd_…`.
    pub id: RefundId,
    /// Always `refund`.
    pub object: &'static str,
    /// Minor units of the charge's currency.
    pub amount: i64,
    /// Where it stands.
    pub status: RefundStatus,
    /// Why.
    pub reason: RefundReason,
    /// The gateway's code when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl From<&Refund> for RefundView {
    fn from(refund: &Refund) -> Self {
        Self {
            id: refund.id,
            object: "refund",
            amount: refund.amount,
            status: refund.status,
            reason: refund.reason,
            code: refund.code.clone(),
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}

/// A charge.
#[derive(Debug, Clone, Serialize)]
pub struct ChargeView {
    /// `chg_…`.
    pub id: ChargeId,
    /// Always `charge`.
    pub object: &'static str,
    /// Where it stands.
    pub status: ChargeStatus,
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
    /// How much was asked for, in minor units.
    pub amount: i64,
    /// The currency of every amount here.
    pub currency: Currency,
    /// How much was taken.
    pub captured_amount: i64,
    /// How much was given back or is being given back.
    pub refunded_amount: i64,
    /// Who started it.
    pub initiator: Initiator,
    /// Why.
    pub reason: ChargeReason,
    /// When the money is taken.
    pub capture: CaptureMode,
    /// The merchant's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Shown to the customer where the gateway does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The merchant's own pairs.
    pub metadata: BTreeMap<String, String>,
    /// Where the customer goes after a step that only they can take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<Url>,
    /// What the customer has to do; only while the charge waits for them, and only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decline: Option<DeclineView>,
    /// Money given back.
    pub refunds: Vec<RefundView>,
    /// The charge whose decline led to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_of: Option<ChargeId>,
    /// An answer of the gateway that contradicts what was asked; someone has to look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// By which way its end was learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_via: Option<Via>,
    /// Its way so far.
    pub timeline: Vec<Step>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl ChargeView {
    pub(crate) fn new(charge: &Charge, next: Option<Next>) -> Self {
        let details = charge.details.clone();
        Self {
            id: charge.id,
            object: "charge",
            status: charge.status,
            gateway: charge.gateway.clone(),
            provider: charge.provider.clone(),
            mode: charge.mode,
            customer_id: charge.customer_id,
            payment_method_id: charge.payment_method_id,
            amount: charge.money.amount,
            currency: charge.money.currency,
            captured_amount: details.captured,
            refunded_amount: charge.refunded(),
            initiator: details.initiator,
            reason: details.reason,
            capture: details.capture,
            reference: details.reference,
            description: details.description,
            metadata: details.metadata,
            return_url: details.return_url,
            next,
            decline: details.decline.map(|decline| DeclineView {
                advice: decline.class.advice(),
                class: decline.class,
                code: decline.code,
            }),
            refunds: details.refunds.iter().map(RefundView::from).collect(),
            fallback_of: details.fallback_of,
            incident: details.incident,
            settled_via: details.settled_via,
            timeline: details.timeline,
            created_at: charge.created_at,
            updated_at: charge.updated_at,
        }
    }
}
