//! The provider, charging: an account tells of its charges in one of three ways, as real gateways do. With
//! [`Proof::Token`] a webhook is a hint, and the gateway is asked; with [`Proof::Signature`] it tells all that there is
//! to tell; with [`Proof::Items`] it has to, for such an account cannot search for a charge by our reference.

use async_trait::async_trait;
use billfold_core::capability::{MethodKind, Trust};
use billfold_core::charge::{Decline, DeclineClass, RefundStatus};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Echo, EventSubject,
    Lookup, NextAction, ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef, SignedCharge,
};
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::{Error, ErrorKind, Result};
use http::Method;
use url::form_urlencoded;

use super::api::{Capture, Charge, Charges, NewCharge, NewRefund, Refund, Refunds};
use super::provider::{Effect, HttpProvider, code, plain};
use super::webhook::{Event, Proof};

pub(super) fn abilities(proof: Proof) -> ChargeAbilities {
    ChargeAbilities {
        manual_capture: vec![MethodKind::Card],
        partial_capture: true,
        cancel: true,
        refunds: true,
        partial_refunds: true,
        lookup: proof != Proof::Items,
        pending_methods: false,
    }
}

#[async_trait]
impl ChargeProvider for HttpProvider {
    fn abilities(&self) -> &ChargeAbilities {
        &self.abilities
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        let body = NewCharge {
            reference: request.reference,
            token: request.token.token.expose_secret().to_owned(),
            amount: request.money.amount,
            currency: request.money.currency.to_string(),
            capture: request.capture.as_str().to_owned(),
            initiator: request.initiator.as_str().to_owned(),
            reason: request.reason.as_str().to_owned(),
            first: request.first,
            description: request.description,
            metadata: request.metadata,
            return_url: request.return_url.to_string(),
        };
        self.acts(cx, "/charges", Some(&body)).await
    }

    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        let found = match &charge.reference {
            Some(id) => {
                let path = format!("/charges/{}", plain(id)?);
                let fetched = self.call(cx, Effect::Repeatable, Method::GET, &path, None::<&()>);
                there(fetched.await)?
            }
            None if !self.abilities.lookup => return Ok(Lookup::CannotTell),
            None => {
                let query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("reference", &charge.merchant_reference)
                    .finish();
                let path = format!("/charges?{query}");
                let all: Charges = self.call(cx, Effect::Repeatable, Method::GET, &path, None::<&()>).await?;
                all.charges.into_iter().next()
            }
        };
        found.map_or(Ok(Lookup::Missing), |charge| to_charge(charge).map(Lookup::Found))
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        let path = format!("/charges/{}/capture", id(&charge)?);
        self.acts(cx, &path, Some(&Capture { amount: money.amount })).await
    }

    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        let path = format!("/charges/{}", id(&charge)?);
        match self.acts(cx, &format!("{path}/cancel"), None::<&()>).await {
            // It was over before; how is the answer.
            Err(error) if code(&error) == Some("over") => {
                to_charge(self.call(cx, Effect::Repeatable, Method::GET, &path, None::<&()>).await?)
            }
            outcome => outcome,
        }
    }

    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        let path = format!("/charges/{}/refunds", id(&request.charge)?);
        let body = NewRefund {
            reference: request.reference,
            amount: request.money.amount,
            currency: request.money.currency.to_string(),
        };
        let made: Refund = self.call(cx, Effect::Creates, Method::POST, &path, Some(&body)).await?;
        to_refund(made).map_err(|error| error.with_retry(Retry::OutcomeUnknown))
    }

    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        let path = format!("/charges/{}/refunds", id(&refund.charge)?);
        let found = match &refund.reference {
            Some(id) => {
                let path = format!("{path}/{}", plain(id)?);
                let fetched = self.call(cx, Effect::Repeatable, Method::GET, &path, None::<&()>);
                there(fetched.await)?
            }
            None if !self.abilities.lookup => return Ok(Lookup::CannotTell),
            None => {
                let all: Refunds = self.call(cx, Effect::Repeatable, Method::GET, &path, None::<&()>).await?;
                let ours = |made: &Refund| made.reference.as_ref() == Some(&refund.merchant_reference);
                all.refunds.into_iter().find(ours)
            }
        };
        found.map_or(Ok(Lookup::Missing), |refund| to_refund(refund).map(Lookup::Found))
    }
}

impl HttpProvider {
    /// A call that moves a charge. An answer that makes no sense may be that of a call that had its effect.
    async fn acts(
        &self,
        cx: &CallContext,
        path: &str,
        body: Option<&(impl serde::Serialize + Sync)>,
    ) -> Result<ProviderCharge> {
        let charge: Charge = self.call(cx, Effect::Creates, Method::POST, path, body).await?;
        to_charge(charge).map_err(|error| error.with_retry(Retry::OutcomeUnknown))
    }
}

/// What was found; `None` where the gateway itself says that there is no such thing.
fn there<T>(fetched: Result<T>) -> Result<Option<T>> {
    match fetched {
        Ok(found) => Ok(Some(found)),
        Err(error) if code(&error) == Some("not_found") => Ok(None),
        Err(error) => Err(error),
    }
}

fn id(charge: &ChargeRef) -> Result<&str> {
    plain(charge.reference.as_deref().unwrap_or_default())
}

fn nonsense() -> Error {
    Error::new(ErrorKind::GatewayProtocol, "the gateway's charge makes no sense")
}

fn money(amount: Option<i64>, currency: Option<&str>) -> Result<Option<Money>> {
    let Some((amount, currency)) = amount.zip(currency) else { return Ok(None) };
    let currency = currency.parse().map_err(|_| nonsense())?;
    Ok(Some(Money { amount, currency }))
}

fn to_status(status: Option<&str>) -> ProviderChargeStatus {
    match status {
        Some("processing") => ProviderChargeStatus::Processing,
        Some("requires_action") => ProviderChargeStatus::RequiresAction,
        Some("authorized") => ProviderChargeStatus::Authorized,
        Some("succeeded") => ProviderChargeStatus::Succeeded,
        Some("declined") => ProviderChargeStatus::Declined,
        Some("returned") => ProviderChargeStatus::Returned,
        Some("canceled") => ProviderChargeStatus::Canceled,
        _ => ProviderChargeStatus::Unknown,
    }
}

fn to_decline(code: String) -> Decline {
    let class = match code.as_str() {
        "insufficient_balance" => DeclineClass::InsufficientFunds,
        "card_expired" => DeclineClass::Expired,
        "mandate_withdrawn" => DeclineClass::Revoked,
        "suspected_fraud" => DeclineClass::Fraud,
        "authentication_required" => DeclineClass::AuthenticationRequired,
        "limit_reached" => DeclineClass::Limit,
        "issuer_unavailable" => DeclineClass::TryAgainLater,
        _ => DeclineClass::DoNotRetry,
    };
    Decline::new(class, code)
}

fn to_charge(charge: Charge) -> Result<ProviderCharge> {
    let status = to_status(charge.status.as_deref());
    let mut mapped = ProviderCharge::new(charge.id.ok_or_else(nonsense)?, status);
    mapped.next = charge.url.map(|url| NextAction::Redirect(SecretString::from(url)));
    mapped.money = money(charge.amount, charge.currency.as_deref())?;
    mapped.captured = charge.captured.filter(|_| status == ProviderChargeStatus::Succeeded);
    mapped.decline = charge.decline.map(to_decline);
    mapped.echo = Echo { reference: charge.reference, customer: charge.customer, ..Echo::default() };
    Ok(mapped)
}

fn to_refund(refund: Refund) -> Result<ProviderRefund> {
    let status = match refund.status.as_deref() {
        Some("processing") => RefundStatus::Processing,
        Some("succeeded") => RefundStatus::Succeeded,
        Some("failed") => RefundStatus::Failed,
        _ => RefundStatus::Unknown,
    };
    let mut mapped = ProviderRefund::new(refund.id.ok_or_else(nonsense)?, status);
    mapped.money = money(refund.amount, refund.currency.as_deref())?;
    mapped.code = refund.code;
    Ok(mapped)
}

/// What an event about a charge names, and what it tells where all of it is signed.
pub(super) fn charge_subject(event: &Event, trust: Trust) -> EventSubject {
    let Some(charge) = &event.charge else { return EventSubject::Other };
    EventSubject::Charge {
        reference: charge.id.clone(),
        merchant_reference: charge.reference.clone(),
        told: (trust == Trust::Signed).then(|| told(event, charge)).flatten().map(Box::new),
    }
}

/// `None` where it tells too little; then the gateway is asked.
fn told(event: &Event, charge: &Charge) -> Option<SignedCharge> {
    if let Some(refund) = &event.refund {
        let (ours, made) = (refund.reference.clone()?, to_refund(refund.clone()).ok()?);
        let mut told = SignedCharge::new(ProviderChargeStatus::Unknown, made.money?);
        told.refund = Some((ours, made));
        return Some(told);
    }
    let status = to_status(charge.status.as_deref());
    let mut told = SignedCharge::new(status, money(charge.amount, charge.currency.as_deref()).ok()??);
    if event.name == "charge.captured" {
        told.captured = charge.captured;
        told.money.amount = charge.captured?;
    }
    told.decline = charge.decline.clone().map(to_decline);
    Some(told)
}
