//! Charging stored methods. What changes a payment is taken in at once and told of later; the gateway has no way to be
//! asked, but for what a customer's browser brings back.

use async_trait::async_trait;
use billfold_core::charge::{CaptureMode, Decline, RefundStatus};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup,
    ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef,
};
use billfold_core::{Error, Result};

use crate::client::{Call, is_method_id, send};
use crate::evidence::Evidence;
use crate::failure::Effect;
use crate::provider::{Adyen, details_call, parts};
use crate::wire::Amount;
use crate::wire::payment::{Modify, Payment, Received};
use crate::{amount, decline, failure, payment, reference};

impl Adyen {
    /// Asks for a change of a payment; `what` is the last part of its address.
    async fn modify(
        &self,
        cx: &CallContext,
        (charge, what): (&ChargeRef, &str),
        effect: Effect,
        body: &Modify<'_>,
    ) -> Result<(String, Received)> {
        let known = charge.reference.as_deref().filter(|id| is_method_id(id));
        let payment = known.ok_or_else(failure::no_such_id)?.to_owned();
        let call = Call::post(&format!("/payments/{payment}/{what}"), effect, &cx.idempotency_key, body)?;
        let received: Received = send(&self.config, cx, call).await?;
        if received.payment_psp_reference.as_ref().is_some_and(|other| *other != payment) {
            return Err(contradiction(cx, "another payment was answered"));
        }
        Ok((payment, received))
    }
}

/// Something was done, whatever is wrong with the answer.
fn contradiction(cx: &CallContext, problem: &'static str) -> Error {
    failure::contradiction(cx, problem).with_retry(Retry::OutcomeUnknown)
}

/// An amount in the gateway's units.
fn minor_units(money: &Money) -> Result<Amount<'_>> {
    let value = amount::to_gateway(*money).ok_or_else(|| {
        let message = format!("this gateway takes no part of that unit of {}", money.currency.code());
        Error::invalid("/amount", message)
    })?;
    Ok(Amount { value, currency: money.currency.code() })
}

#[async_trait]
impl ChargeProvider for Adyen {
    fn abilities(&self) -> &ChargeAbilities {
        &self.abilities
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        let stored = parts(&request.token).ok_or_else(failure::no_such_id)?;
        let value = minor_units(&request.money)?.value;
        let body = payment::create(&self.config.merchant_account, stored, value, &request);
        let call = Call::post("/payments", Effect::Creates, &cx.idempotency_key, &body)?;
        match send::<Payment>(&self.config, cx, call).await {
            Ok(answer) => {
                payment::observed(&answer, request.capture).map_err(|problem| contradiction(cx, problem))
            }
            Err(error) if failure::is_token_gone(&error) => {
                let code = error.fault().and_then(|fault| fault.code.clone());
                let class = decline::class(code.as_deref(), "Refused");
                Ok(ProviderCharge::declined("", Decline::new(class, code)))
            }
            Err(error) => Err(error),
        }
    }

    /// Only with what a browser brought can the gateway be asked, and only an answer about this charge counts: the
    /// result may be used up, or somebody's invention.
    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        let evidence = Evidence::from_text(charge.evidence.as_deref());
        let Some(redirect_result) = &evidence.redirect_result else { return Ok(Lookup::CannotTell) };
        let answer = match send::<Payment>(&self.config, cx, details_call(cx, redirect_result)?).await {
            Err(error) if failure::is_refusal(&error) => return Ok(Lookup::CannotTell),
            answer => answer?,
        };
        let named = answer.merchant_reference.as_deref().and_then(reference::read);
        match named.filter(|(named, _)| *named == charge.merchant_reference) {
            Some((_, capture)) => payment::observed(&answer, capture)
                .map(Lookup::Found)
                .map_err(|problem| failure::contradiction(cx, problem)),
            None => Ok(Lookup::CannotTell),
        }
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        let body = Modify {
            merchant_account: &self.config.merchant_account,
            reference: &reference::name(&charge.merchant_reference, CaptureMode::Manual),
            amount: Some(minor_units(&money)?),
            merchant_refund_reason: None,
        };
        let (payment, _) = self.modify(cx, (&charge, "captures"), Effect::Creates, &body).await?;
        Ok(ProviderCharge::new(payment, ProviderChargeStatus::Authorized))
    }

    /// Whether it is canceled the gateway tells later; until then the charge is where it is.
    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        let body = Modify {
            merchant_account: &self.config.merchant_account,
            reference: &charge.merchant_reference,
            amount: None,
            merchant_refund_reason: None,
        };
        let (payment, _) = self.modify(cx, (&charge, "cancels"), Effect::None, &body).await?;
        Ok(ProviderCharge::new(payment, ProviderChargeStatus::Unknown))
    }

    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        let body = Modify {
            merchant_account: &self.config.merchant_account,
            reference: &request.reference,
            amount: Some(minor_units(&request.money)?),
            merchant_refund_reason: Some(payment::refund_reason(request.reason)),
        };
        let (_, received) = self.modify(cx, (&request.charge, "refunds"), Effect::Creates, &body).await?;
        let id = received.psp_reference.filter(|id| is_method_id(id));
        let id = id.ok_or_else(|| contradiction(cx, "the refund has no reference"))?;
        let mut refund = ProviderRefund::new(id, RefundStatus::Processing);
        refund.money = amount::read(&received.amount)
            .map_err(|()| contradiction(cx, "the refund's amount cannot be read"))?;
        Ok(refund)
    }

    async fn fetch_refund(&self, _: &CallContext, _: RefundRef) -> Result<Lookup<ProviderRefund>> {
        Ok(Lookup::CannotTell)
    }
}
