//! Charging what was saved: PaymentIntents and refunds.

mod map;

use std::time::Duration;

use async_trait::async_trait;
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup,
    ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef,
};
use billfold_core::{Error, ErrorKind, Result};

use crate::client::{Answered, Call, Form, is_id, send, send_refusable};
use crate::failure;
use crate::map::{CHARGE, REFUND};
use crate::provider::Stripe;
use crate::wire::charges::{List, PaymentError, PaymentIntent, Refund};
use crate::wire::from_object;

/// A charge is looked for this long before and after it was started: clocks differ, and requests take their time.
const AROUND: Duration = Duration::from_hours(1);
/// How many pages of a list are read, of a hundred each.
const PAGES: usize = 20;

#[async_trait]
impl ChargeProvider for Stripe {
    fn abilities(&self) -> &ChargeAbilities {
        self.charge_abilities()
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        let form = map::payment_intent(&request)?;
        let call = Call::post("/v1/payment_intents", cx.idempotency_key.clone(), &form);
        let answer = send_refusable::<PaymentIntent>(self.config(), cx, call).await.map_err(perhaps_made)?;
        let outcome = match answer {
            Answered::Done(intent) => map::charge(&intent),
            Answered::Refused(error) => refused(&error),
        };
        outcome.map_err(|problem| made_something(failure::contradiction(cx, problem)))
    }

    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        let found = match &charge.reference {
            Some(reference) => match self.get_intent(cx, reference).await {
                Ok(intent) => Lookup::Found(intent),
                Err(error) if failure::is(&error, 404) => Lookup::Missing,
                Err(error) => return Err(error),
            },
            None => self.find_intent(cx, &charge).await?,
        };
        Ok(match found {
            Lookup::Found(intent) => Lookup::Found(charged(cx, &intent)?),
            Lookup::Missing => Lookup::Missing,
            Lookup::CannotTell => Lookup::CannotTell,
        })
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        let reference = reference(&charge)?;
        // The gateway refuses a key that it has seen with another body, and a capture that failed may be asked for
        // again with another amount.
        let key = format!("{}-{}", cx.idempotency_key, money.amount);
        let call =
            Call::post(&format!("/v1/payment_intents/{reference}/capture"), key, &map::capture(money)?);
        let intent: PaymentIntent = send(self.config(), cx, call).await.map_err(perhaps_made)?;
        charged(cx, &intent).map_err(made_something)
    }

    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        let reference = reference(&charge)?;
        let call = Call::repeatable_post(format!("/v1/payment_intents/{reference}/cancel"));
        match send::<PaymentIntent>(self.config(), cx, call).await {
            Ok(intent) => charged(cx, &intent),
            // It was over before; how is the answer. If it is still open, something else was refused.
            Err(error) if failure::is(&error, 400) => {
                let found = charged(cx, &self.get_intent(cx, reference).await?)?;
                let over = matches!(
                    found.status,
                    ProviderChargeStatus::Succeeded
                        | ProviderChargeStatus::Canceled
                        | ProviderChargeStatus::Declined
                );
                if over { Ok(found) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        let form = map::create_refund(reference(&request.charge)?, &request)?;
        let call = Call::post("/v1/refunds", cx.idempotency_key.clone(), &form);
        let refund: Refund = send(self.config(), cx, call).await.map_err(perhaps_made)?;
        map::refund(&refund).map_err(|problem| made_something(failure::contradiction(cx, problem)))
    }

    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        let found = match &refund.reference {
            Some(id) if is_id(id, "") => {
                match send::<Refund>(self.config(), cx, Call::get(format!("/v1/refunds/{id}"), &[])).await {
                    Ok(found) if found.id.as_ref() != Some(id) => {
                        return Err(failure::contradiction(cx, "another refund was answered"));
                    }
                    Ok(found) => Lookup::Found(found),
                    Err(error) if failure::is(&error, 404) => Lookup::Missing,
                    Err(error) => return Err(error),
                }
            }
            Some(_) => return Err(failure::no_such_id()),
            None => {
                let mut query = Form::default();
                query.add("payment_intent", reference(&refund.charge)?);
                let ours = |found: &Refund| found.metadata.get(REFUND) == Some(&refund.merchant_reference);
                self.search(cx, "/v1/refunds", &query, |found: &Refund| found.id.clone(), ours).await?
            }
        };
        Ok(match found {
            Lookup::Found(found) => {
                Lookup::Found(map::refund(&found).map_err(|problem| failure::contradiction(cx, problem))?)
            }
            Lookup::Missing => Lookup::Missing,
            Lookup::CannotTell => Lookup::CannotTell,
        })
    }
}

impl Stripe {
    async fn get_intent(&self, cx: &CallContext, reference: &str) -> Result<PaymentIntent> {
        if !is_id(reference, "pi_") {
            return Err(failure::no_such_id());
        }
        let call = Call::get(format!("/v1/payment_intents/{reference}"), &[]);
        let intent: PaymentIntent = send(self.config(), cx, call).await?;
        if intent.id.as_deref() != Some(reference) {
            return Err(failure::contradiction(cx, "another charge was answered"));
        }
        Ok(intent)
    }

    /// The charge that carries our reference, among those of its customer and its time. The gateway's lists know at
    /// once what was made; its search does not.
    async fn find_intent(&self, cx: &CallContext, charge: &ChargeRef) -> Result<Lookup<PaymentIntent>> {
        let (started, around) = (charge.created_at.as_millis() / 1000, AROUND.as_secs().cast_signed());
        let mut query = Form::default();
        let customer = charge.token.as_ref().and_then(|token| token.customer.as_deref());
        query.maybe("customer", customer);
        query.add("created[gte]", started.saturating_sub(around).to_string());
        query.add("created[lte]", started.saturating_add(around).to_string());
        let ours = |intent: &PaymentIntent| intent.metadata.get(CHARGE) == Some(&charge.merchant_reference);
        self.search(cx, "/v1/payment_intents", &query, |intent: &PaymentIntent| intent.id.clone(), ours).await
    }

    /// Reads a list until the wanted one comes. Only a list that was read to its end proves that there is none.
    async fn search<T>(
        &self,
        cx: &CallContext,
        path: &str,
        query: &Form,
        id: impl Fn(&T) -> Option<String> + Send + Sync,
        wanted: impl Fn(&T) -> bool + Send + Sync,
    ) -> Result<Lookup<T>>
    where
        T: Send + 'static,
        List<T>: crate::wire::Answer,
    {
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut page = Form::default();
            page.maybe("starting_after", after.as_deref());
            let page = page.encode();
            let more = if page.is_empty() { String::new() } else { format!("&{page}") };
            let target = format!("{path}?{}&limit=100{more}", query.encode());
            let list: List<T> = send(self.config(), cx, Call::get(target, &[])).await?;
            after = list.data.last().and_then(&id);
            if let Some(found) = list.data.into_iter().find(&wanted) {
                return Ok(Lookup::Found(found));
            }
            match list.has_more.as_bool() {
                Some(false) => return Ok(Lookup::Missing),
                Some(true) if after.is_some() => {}
                _ => return Ok(Lookup::CannotTell),
            }
        }
        Ok(Lookup::CannotTell)
    }
}

fn charged(cx: &CallContext, intent: &PaymentIntent) -> Result<ProviderCharge> {
    map::charge(intent).map_err(|problem| failure::contradiction(cx, problem))
}

/// A refusal with the charge as it then stands: declined, or waiting for the customer where they can go on.
fn refused(error: &PaymentError) -> Result<ProviderCharge, &'static str> {
    let decline = map::declined(error);
    let Some(intent) = from_object::<PaymentIntent>(error.payment_intent.clone()) else {
        return Ok(ProviderCharge::declined("", decline));
    };
    let mut charge = map::charge(&intent)?;
    if matches!(charge.status, ProviderChargeStatus::Declined | ProviderChargeStatus::Unknown) {
        charge.status = ProviderChargeStatus::Declined;
        charge.decline = Some(decline);
    }
    Ok(charge)
}

fn reference(charge: &ChargeRef) -> Result<&str> {
    charge.reference.as_deref().filter(|reference| is_id(reference, "pi_")).ok_or_else(failure::no_such_id)
}

/// Something was made, whatever is wrong with the answer.
fn made_something(error: Error) -> Error {
    error.with_retry(Retry::OutcomeUnknown)
}

/// A key that is in use, or was used with another body, belongs to a request of ours; and not every error of a proxy
/// says that nothing went through.
fn perhaps_made(error: Error) -> Error {
    let fault = error.fault();
    let status = fault.and_then(|fault| fault.http_status);
    let code = fault.and_then(|fault| fault.code.as_deref());
    let used = matches!(code, Some("idempotency_error" | "idempotency_key_in_use"));
    if used || matches!(status, Some(402 | 408 | 409)) || error.kind() == ErrorKind::GatewayProtocol {
        return made_something(error);
    }
    error
}
