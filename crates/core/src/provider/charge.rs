//! Charging saved methods: the optional ability of a provider.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{CallContext, Echo, NextAction, RecurringTerms, TokenRef};
use crate::capability::{MethodKind, Usage};
use crate::charge::{CaptureMode, ChargeReason, Decline, Initiator, RefundReason, RefundStatus};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::money::{Country, Money};

/// What a gateway can do with charges, as data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChargeAbilities {
    /// Kinds of method of which an amount can be held first and captured later.
    pub manual_capture: Vec<MethodKind>,
    /// Whether less than the authorized amount can be captured.
    pub partial_capture: bool,
    /// Whether a charge can be ended before its money is taken.
    pub cancel: bool,
    /// Whether money can be given back.
    pub refunds: bool,
    /// Whether it can be given back in parts.
    pub partial_refunds: bool,
    /// Whether a charge can be found by our reference alone, after its answer was lost. Where it cannot, a webhook
    /// has to tell.
    pub lookup: bool,
    /// Whether a method that the gateway has not activated yet can be charged already, as bank debits can.
    pub pending_methods: bool,
}

/// A charge to make.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateCharge {
    /// Our charge id: unique, and the reference that the gateway keeps and gives back.
    pub reference: String,
    /// What is charged.
    pub token: TokenRef,
    /// Card, wallet or bank debit.
    pub kind: MethodKind,
    /// The gateway's channel code of the method.
    pub channel: String,
    /// How much.
    pub money: Money,
    /// Country of the merchant's activation at the gateway, as when the method was saved.
    pub country: Country,
    /// What the customer agreed to when the method was saved.
    pub usage: Usage,
    /// The terms that they agreed to.
    pub recurring: Option<RecurringTerms>,
    /// Who starts it.
    pub initiator: Initiator,
    /// Why.
    pub reason: ChargeReason,
    /// Whether no charge with this method succeeded before: the first of a series.
    pub first: bool,
    /// When the money is taken.
    pub capture: CaptureMode,
    /// Shown to the customer where the gateway does.
    pub description: Option<String>,
    /// The merchant's own pairs.
    pub metadata: BTreeMap<String, String>,
    /// Where the customer returns to after a step that only they can take.
    pub return_url: Url,
}

impl CreateCharge {
    /// A one-off charge by the customer, captured at once; everything else is set on the value.
    pub fn new(
        reference: impl Into<String>,
        token: TokenRef,
        (kind, channel): (MethodKind, impl Into<String>),
        money: Money,
        country: Country,
        usage: Usage,
        return_url: Url,
    ) -> Self {
        Self {
            reference: reference.into(),
            token,
            kind,
            channel: channel.into(),
            money,
            country,
            usage,
            recurring: None,
            initiator: Initiator::Customer,
            reason: ChargeReason::OneOff,
            first: true,
            capture: CaptureMode::Automatic,
            description: None,
            metadata: BTreeMap::new(),
            return_url,
        }
    }
}

/// Names a charge at the gateway.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChargeRef {
    /// The gateway's id; `None` when the answer that would have told it was lost.
    pub reference: Option<String>,
    /// Our charge id.
    pub merchant_reference: String,
    /// The token that was charged, where it is still there: for gateways that list charges by customer or mandate.
    pub token: Option<TokenRef>,
    /// How much was asked for.
    pub money: Money,
    /// When it was started.
    pub created_at: Timestamp,
    /// What the provider asked to be kept ([`ProviderCharge::extra`]).
    pub extra: BTreeMap<String, String>,
    /// What the customer's browser brought back for the gateway to judge; used to ask, never to believe.
    pub evidence: Option<String>,
}

impl ChargeRef {
    /// The charge that we call `merchant_reference`.
    pub fn new(merchant_reference: impl Into<String>, money: Money, created_at: Timestamp) -> Self {
        Self {
            reference: None,
            merchant_reference: merchant_reference.into(),
            token: None,
            money,
            created_at,
            extra: BTreeMap::new(),
            evidence: None,
        }
    }
}

/// Where a charge stands at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProviderChargeStatus {
    /// Being worked on.
    Processing,
    /// Waiting for the customer.
    RequiresAction,
    /// The money is held.
    Authorized,
    /// The money is taken.
    Succeeded,
    /// Refused; nothing is taken.
    Declined,
    /// The bank took back what had succeeded.
    Returned,
    /// Ended by us or by time before money was taken.
    Canceled,
    /// A status that this version does not know: not final, and never "paid".
    Unknown,
}

/// A charge as the gateway sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderCharge {
    /// The gateway's id of the charge.
    pub reference: String,
    /// Where it stands.
    pub status: ProviderChargeStatus,
    /// What the customer has to do.
    pub next: Option<NextAction>,
    /// How much the gateway says was asked for; compared with what was.
    pub money: Option<Money>,
    /// How much was taken, in minor units, where the gateway says; the whole amount of a success otherwise.
    pub captured: Option<i64>,
    /// Why it was declined.
    pub decline: Option<Decline>,
    /// What it says that it belongs to.
    pub echo: Echo,
    /// What this provider needs later to find, capture or refund the charge. Not secret.
    pub extra: BTreeMap<String, String>,
    /// What this provider needs for later charges of the same method, such as the network's transaction id: sealed
    /// with the token, in [`TokenRef::extra`].
    pub remember: BTreeMap<String, String>,
}

impl ProviderCharge {
    /// A charge of which only the id and the status are known.
    pub fn new(reference: impl Into<String>, status: ProviderChargeStatus) -> Self {
        Self {
            reference: reference.into(),
            status,
            next: None,
            money: None,
            captured: None,
            decline: None,
            echo: Echo::default(),
            extra: BTreeMap::new(),
            remember: BTreeMap::new(),
        }
    }

    /// One that was declined.
    pub fn declined(reference: impl Into<String>, decline: Decline) -> Self {
        Self { decline: Some(decline), ..Self::new(reference, ProviderChargeStatus::Declined) }
    }
}

/// What a gateway knows of something that was asked about.
#[derive(Debug, Clone)]
pub enum Lookup<T> {
    /// There it is.
    Found(T),
    /// The gateway never heard of it: nothing happened.
    Missing,
    /// This gateway cannot be asked with what is known.
    CannotTell,
}

/// Money to give back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateRefund {
    /// Of which charge.
    pub charge: ChargeRef,
    /// Our refund id: unique, and the reference that the gateway keeps where it takes one.
    pub reference: String,
    /// How much.
    pub money: Money,
    /// Whether it is all that was charged.
    pub full: bool,
    /// Why.
    pub reason: RefundReason,
}

impl CreateRefund {
    /// A refund of `money` of a charge.
    pub fn new(charge: ChargeRef, reference: impl Into<String>, money: Money, reason: RefundReason) -> Self {
        let full = charge.money == money;
        Self { charge, reference: reference.into(), money, full, reason }
    }
}

/// Names a refund at the gateway.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RefundRef {
    /// Of which charge.
    pub charge: ChargeRef,
    /// The gateway's id, once known.
    pub reference: Option<String>,
    /// Our refund id.
    pub merchant_reference: String,
    /// How much was asked for.
    pub money: Money,
}

impl RefundRef {
    /// The refund that we call `merchant_reference`.
    pub fn new(charge: ChargeRef, merchant_reference: impl Into<String>, money: Money) -> Self {
        Self { charge, reference: None, merchant_reference: merchant_reference.into(), money }
    }
}

/// A refund as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProviderRefund {
    /// The gateway's id of the refund.
    pub reference: String,
    /// Where it stands; [`RefundStatus::Unknown`] for a status that this version does not know.
    pub status: RefundStatus,
    /// How much the gateway says; compared with what was asked.
    pub money: Option<Money>,
    /// The gateway's code when it failed.
    pub code: Option<String>,
}

impl ProviderRefund {
    /// A refund of which only the id and the status are known.
    pub fn new(reference: impl Into<String>, status: RefundStatus) -> Self {
        Self { reference: reference.into(), status, money: None, code: None }
    }
}

/// What a webhook tells about a charge, where its signature covers all of it: such news is settled without asking
/// the gateway, which matters where the gateway has no way to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SignedCharge {
    /// Where the charge stands; [`ProviderChargeStatus::Unknown`] when the news is about a refund alone.
    pub status: ProviderChargeStatus,
    /// The amount in the news: of the charge, of the capture, or of the refund.
    pub money: Money,
    /// How much was taken, in minor units, where the news is about that. 0 of a charge that is still
    /// [`ProviderChargeStatus::Authorized`] means that a capture came to nothing.
    pub captured: Option<i64>,
    /// Why it was declined.
    pub decline: Option<Decline>,
    /// What became of a refund: our reference of it, and what the gateway says.
    pub refund: Option<(String, ProviderRefund)>,
}

impl SignedCharge {
    /// A charge of `money` is at `status`.
    pub fn new(status: ProviderChargeStatus, money: Money) -> Self {
        Self { status, money, captured: None, decline: None, refund: None }
    }
}

/// The optional ability to charge what was saved. Expected outcomes are values: a decline is a
/// [`ProviderCharge`], not an error. `Err` means "could not do, or could not tell"; an answer that was lost is
/// [`crate::error::Retry::OutcomeUnknown`], and core then asks and never charges again.
#[async_trait]
pub trait ChargeProvider: fmt::Debug + Send + Sync {
    /// What this account can do. The same for the life of the value.
    fn abilities(&self) -> &ChargeAbilities;

    /// Makes a charge. `cx.idempotency_key` is the same in every attempt at one charge.
    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge>;

    /// The truth about a charge, by the gateway's id where it is known and by ours otherwise.
    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>>;

    /// Takes what was authorized, or a part of it.
    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge>;

    /// Ends a charge before its money is taken. One that had ended is answered as it is, not as an error.
    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge>;

    /// Gives money back.
    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund>;

    /// The truth about a refund.
    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>>;
}
