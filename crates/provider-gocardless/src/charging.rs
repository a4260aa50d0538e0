//! Charging mandates: payments, and refunds of them. A payment ends days later, and its events say why.

use std::time::Duration;

use async_trait::async_trait;
use billfold_core::charge::{Decline, DeclineClass};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup,
    ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::{Error, ErrorKind, Result};

use crate::client::{act, create, get, is_id, list};
use crate::payment::{CHARGE, PAYMENT_PREFIX, REFUND, REFUND_PREFIX};
use crate::provider::GoCardless;
use crate::wire::payment::{Payment, PaymentEvent, Refund};
use crate::{failure, mandates, payment};

/// By how much the gateway's clock may differ from ours where payments are looked for by time.
const CLOCKS: Duration = Duration::from_hours(24);
/// How many pages of a list are read before it is given up.
const MOST_PAGES: usize = 20;

impl GoCardless {
    /// A payment as core sees it, with why it ended where it ended badly.
    async fn observed(&self, cx: &CallContext, payment: &Payment) -> Result<ProviderCharge> {
        let mapped = payment::observed(payment);
        let mut mapped = mapped.map_err(|problem| failure::contradiction(cx, problem))?;
        if payment::is_told_by_events(payment) {
            let query = [("payment", mapped.reference.as_str()), ("resource_type", "payments")];
            match list::<PaymentEvent>(&self.config, cx, &query, MOST_PAGES).await {
                Ok(events) => payment::ended(&mut mapped, &events.unwrap_or_default()),
                // Why is not told; that it failed is.
                Err(error) if failure::is_refused(&error) || failure::is_missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(mapped)
    }

    async fn payment(&self, cx: &CallContext, id: &str) -> Result<Payment> {
        if !is_id(id, PAYMENT_PREFIX) {
            return Err(failure::no_such_id());
        }
        let payment: Payment = get(&self.config, cx, id).await?;
        if payment.id.as_deref() != Some(id) {
            return Err(failure::contradiction(cx, "another payment was answered"));
        }
        Ok(payment)
    }

    /// The payment that carries our id. It is looked for with the customer, who stays when a mandate is replaced.
    async fn find(&self, cx: &CallContext, charge: &ChargeRef) -> Result<Lookup<Payment>> {
        let Some(token) = &charge.token else { return Ok(Lookup::CannotTell) };
        let of_whom = match token.customer.as_deref() {
            Some(customer) => ("customer", customer),
            None => ("mandate", token.token.expose_secret()),
        };
        let (from, until) = (charge.created_at.minus(CLOCKS), charge.created_at.plus(CLOCKS));
        let (from, until) = (from.to_string(), until.to_string());
        let query = [of_whom, ("created_at[gte]", from.as_str()), ("created_at[lte]", until.as_str())];
        let Some(listed) = list::<Payment>(&self.config, cx, &query, MOST_PAGES).await? else {
            return Ok(Lookup::CannotTell);
        };
        let ours = |payment: &Payment| payment.metadata.get(CHARGE) == Some(&charge.merchant_reference);
        Ok(listed.into_iter().find(ours).map_or(Lookup::Missing, Lookup::Found))
    }

    async fn refunded(
        &self,
        cx: &CallContext,
        payment: &str,
        total: i64,
        request: &CreateRefund,
    ) -> Result<Refund> {
        let fields = payment::create_refund(payment, total, request);
        create(&self.config, cx, cx.idempotency_key.clone(), fields).await
    }

    fn mapped_refund(cx: &CallContext, refund: &Refund) -> Result<ProviderRefund> {
        payment::refund(refund).map_err(|problem| failure::contradiction(cx, problem))
    }
}

/// The gateway's id of the charge, fit for a path.
fn known(charge: &ChargeRef) -> Result<&str> {
    let reference = charge.reference.as_deref().filter(|id| is_id(id, PAYMENT_PREFIX));
    reference.ok_or_else(failure::no_such_id)
}

/// Something was made, whatever went wrong afterwards.
fn made(error: Error) -> Error {
    error.with_retry(Retry::OutcomeUnknown)
}

#[async_trait]
impl ChargeProvider for GoCardless {
    fn abilities(&self) -> &ChargeAbilities {
        &self.abilities
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        let mandate = request.token.token.expose_secret();
        if !is_id(mandate, mandates::PREFIX) {
            return Err(failure::no_such_id());
        }
        let fields = payment::create(mandate, &request);
        let payment: Payment = match create(&self.config, cx, cx.idempotency_key.clone(), fields).await {
            Ok(payment) => payment,
            Err(error) if failure::is_for(&error, failure::INACTIVE) => {
                let code = error.fault().and_then(|fault| fault.code.clone());
                // Another may have come in its place, which core learns soon.
                let replaced = mandates::fetch(&self.config, cx, mandate).await;
                let replaced = replaced.is_ok_and(|method| method.replaces.is_some());
                let class = if replaced { DeclineClass::TryAgainLater } else { DeclineClass::Revoked };
                return Ok(ProviderCharge::declined("", Decline::new(class, code)));
            }
            Err(error) => return Err(error),
        };
        self.observed(cx, &payment).await.map_err(made)
    }

    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        let found = match charge.reference.as_deref() {
            Some(id) => match self.payment(cx, id).await {
                Err(error) if failure::is_missing(&error) => Lookup::Missing,
                payment => Lookup::Found(payment?),
            },
            None => self.find(cx, &charge).await?,
        };
        Ok(match found {
            Lookup::Found(payment) => Lookup::Found(self.observed(cx, &payment).await?),
            Lookup::Missing => Lookup::Missing,
            Lookup::CannotTell => Lookup::CannotTell,
        })
    }

    async fn capture_charge(&self, _: &CallContext, _: ChargeRef, _: Money) -> Result<ProviderCharge> {
        Err(Error::new(ErrorKind::Unsupported, "a bank debit is not held before it is collected"))
    }

    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        let id = known(&charge)?;
        match act::<Payment>(&self.config, cx, id, "cancel").await {
            Ok(payment) => self.observed(cx, &payment).await,
            // It may have ended before, and how is the answer. One that is with the banks is not ended any more.
            Err(refused) if failure::is_refused(&refused) => {
                let payment = self.payment(cx, id).await?;
                let found = self.observed(cx, &payment).await?;
                if found.status == ProviderChargeStatus::Processing { Err(refused) } else { Ok(found) }
            }
            Err(error) => Err(error),
        }
    }

    /// The gateway wants to be told how much is given back in all. Most charges are refunded once, so the first guess
    /// is this refund alone; a wrong one makes no refund.
    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        let id = known(&request.charge)?;
        let first = self.refunded(cx, id, request.money.amount, &request).await;
        let refund = match first {
            Err(error) if failure::is_for(&error, failure::OTHER_TOTAL) => {
                let payment = self.payment(cx, id).await?;
                let before = payment.amount_refunded;
                let before = before.ok_or_else(|| failure::contradiction(cx, "no refunds are told"))?;
                let total = before.saturating_add(request.money.amount);
                self.refunded(cx, id, total, &request).await?
            }
            first => first?,
        };
        Self::mapped_refund(cx, &refund).map_err(made)
    }

    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        if let Some(id) = refund.reference.as_deref() {
            if !is_id(id, REFUND_PREFIX) {
                return Err(failure::no_such_id());
            }
            return match get::<Refund>(&self.config, cx, id).await {
                Err(error) if failure::is_missing(&error) => Ok(Lookup::Missing),
                found => Self::mapped_refund(cx, &found?).map(Lookup::Found),
            };
        }
        let query = [("payment", known(&refund.charge)?)];
        let Some(listed) = list::<Refund>(&self.config, cx, &query, MOST_PAGES).await? else {
            return Ok(Lookup::CannotTell);
        };
        let ours = |known: &Refund| known.metadata.get(REFUND) == Some(&refund.merchant_reference);
        match listed.iter().find(|known| ours(known)) {
            Some(found) => Self::mapped_refund(cx, found).map(Lookup::Found),
            None => Ok(Lookup::Missing),
        }
    }
}
