//! Charging what was saved: payment requests, their payments, and refunds.

mod map;

use async_trait::async_trait;
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup,
    ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef,
};
use billfold_core::{Error, ErrorKind, Result};
use url::Url;

use crate::client::{Call, is_plain_id, send};
use crate::provider::Xendit;
use crate::wire::TOKENS_VERSION;
use crate::wire::charges::{Payment, PaymentRequest, Refund, RefundList};
use crate::{decline, failure};

/// How long an address may be to which the customer returns.
const RETURN_URL: std::ops::RangeInclusive<usize> = 11..=255;

#[async_trait]
impl ChargeProvider for Xendit {
    fn abilities(&self) -> &ChargeAbilities {
        self.charge_abilities()
    }

    /// The gateway takes no key that would make a second request harmless; it refuses a second card charge of one
    /// reference, and core makes no second request.
    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        self.check_return(&request.return_url)?;
        let body = map::payment_request(&request)?;
        let call = Call::post("/v3/payment_requests").version(TOKENS_VERSION).json(&body)?;
        match send::<PaymentRequest>(self.config(), cx, call).await {
            Ok(made) => self.charged(cx, &made).map_err(made_something),
            Err(error) => match decline::of_error(&error) {
                Some(decline) => Ok(ProviderCharge::declined("", decline)),
                None => Err(perhaps_made(error)),
            },
        }
    }

    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        let Some(reference) = &charge.reference else { return Ok(Lookup::CannotTell) };
        match self.look_up(cx, reference).await {
            Ok(found) => Ok(Lookup::Found(found)),
            Err(error) if failure::is_not_found(&error) => Ok(Lookup::Missing),
            Err(error) => Err(error),
        }
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        let reference = reference(&charge)?;
        let payment = self.payment_of(cx, &charge, reference).await?;
        let call = Call::post(format!("/v3/payments/{payment}/capture")).version(TOKENS_VERSION);
        let call = call.json(&map::capture(money)?)?;
        let captured: Payment = send(self.config(), cx, call).await.map_err(perhaps_made)?;
        self.paid(cx, &captured, reference).map_err(made_something)
    }

    /// What is authorized is let go, what is still open is given up.
    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        let reference = reference(&charge)?;
        let before = self.look_up(cx, reference).await?;
        let canceled = match before.status {
            ProviderChargeStatus::Authorized => {
                let payment = self.payment_of(cx, &charge, reference).await?;
                let call = Call::repeatable_post(format!("/v3/payments/{payment}/cancel"));
                let sent = send::<Payment>(self.config(), cx, call.version(TOKENS_VERSION)).await;
                sent.and_then(|payment| self.paid(cx, &payment, reference))
            }
            ProviderChargeStatus::Processing
            | ProviderChargeStatus::RequiresAction
            | ProviderChargeStatus::Unknown => {
                let call = Call::repeatable_post(format!("/v3/payment_requests/{reference}/cancel"));
                let sent = send::<PaymentRequest>(self.config(), cx, call.version(TOKENS_VERSION)).await;
                sent.and_then(|request| self.charged(cx, &request))
            }
            ProviderChargeStatus::Succeeded
            | ProviderChargeStatus::Declined
            | ProviderChargeStatus::Returned
            | ProviderChargeStatus::Canceled => return Ok(before),
        };
        match canceled {
            // It ended while it was being canceled; how is the answer. If it is still open, something else was refused.
            Err(error) if error.kind() == ErrorKind::GatewayRejected => {
                let after = self.look_up(cx, reference).await?;
                if after.status == before.status { Err(error) } else { Ok(after) }
            }
            answer => answer,
        }
    }

    /// The gateway's own programs send a key with refunds, which its reference does not mention.
    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        let reference = reference(&request.charge)?.to_owned();
        let call = Call::post("/refunds")
            .idempotency_key(&cx.idempotency_key)
            .json(&map::create_refund(reference, &request)?)?;
        let made: Refund = send(self.config(), cx, call).await.map_err(perhaps_made)?;
        map::refund(&made).map_err(|problem| made_something(failure::contradiction(cx, problem)))
    }

    /// Asking about refunds is known from the gateway's own programs and not from its reference: only what is found
    /// is believed, and what is not found tells nothing.
    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        let Ok(charge) = reference(&refund.charge) else { return Ok(Lookup::CannotTell) };
        let ours = |found: &Refund| {
            found.reference_id.as_ref() == Some(&refund.merchant_reference)
                && found.payment_request_id.as_deref() == Some(charge)
        };
        let found = match &refund.reference {
            Some(id) if is_plain_id(id) => {
                let sent = send::<Refund>(self.config(), cx, Call::get(format!("/refunds/{id}"))).await;
                sent.map(|found| Some(found).filter(|found| found.id.as_ref() == Some(id)))
            }
            Some(_) => return Ok(Lookup::CannotTell),
            None => {
                let sent = send::<RefundList>(self.config(), cx, Call::get("/refunds")).await;
                sent.map(|list| list.data.into_iter().find(|found| ours(found)))
            }
        };
        match found {
            Ok(Some(found)) => {
                let mapped = map::refund(&found).map_err(|problem| failure::contradiction(cx, problem))?;
                Ok(Lookup::Found(mapped))
            }
            Ok(None) => Ok(Lookup::CannotTell),
            Err(error) if error.kind() == ErrorKind::GatewayRejected => Ok(Lookup::CannotTell),
            Err(error) => Err(error),
        }
    }
}

impl Xendit {
    /// The gateway's limits for the address to which the customer returns; it is made of `server.public_url`.
    fn check_return(&self, url: &Url) -> Result<()> {
        let fits = RETURN_URL.contains(&url.as_str().len());
        if fits && (url.scheme() == "https" || self.config().local) {
            return Ok(());
        }
        let message = "the gateway sends customers back to https addresses of at most 255 characters: \
            server.public_url must be an https URL that is short enough";
        Err(Error::new(ErrorKind::Unsupported, message))
    }

    fn charged(&self, cx: &CallContext, request: &PaymentRequest) -> Result<ProviderCharge> {
        self.check_business(cx, request.business_id.as_deref())?;
        map::charge(request).map_err(|problem| failure::contradiction(cx, problem))
    }

    fn paid(&self, cx: &CallContext, payment: &Payment, reference: &str) -> Result<ProviderCharge> {
        self.check_business(cx, payment.business_id.as_deref())?;
        map::payment(payment, reference).map_err(|problem| failure::contradiction(cx, problem))
    }

    async fn get_request(&self, cx: &CallContext, reference: &str) -> Result<PaymentRequest> {
        if !is_plain_id(reference) {
            return Err(no_such_id());
        }
        let call = Call::get(format!("/v3/payment_requests/{reference}")).version(TOKENS_VERSION);
        let found: PaymentRequest = send(self.config(), cx, call).await?;
        if found.payment_request_id.as_deref() != Some(reference) {
            return Err(failure::contradiction(cx, "another charge was answered"));
        }
        Ok(found)
    }

    /// A charge with what only its payment knows: how much was captured of what was authorized, and whether money
    /// came after the request had expired, which stays so for good.
    async fn look_up(&self, cx: &CallContext, reference: &str) -> Result<ProviderCharge> {
        let request = self.get_request(cx, reference).await?;
        let mut charge = self.charged(cx, &request)?;
        let expired = request.status.as_deref() == Some("EXPIRED");
        let in_parts = charge.status == ProviderChargeStatus::Succeeded
            && request.capture_method.as_deref() == Some("MANUAL");
        let id = request.latest_payment_id.filter(|id| (expired || in_parts) && is_plain_id(id));
        let Some(id) = id else { return Ok(charge) };
        let call = Call::get(format!("/v3/payments/{id}")).version(TOKENS_VERSION);
        let payment = match send::<Payment>(self.config(), cx, call).await {
            Ok(payment) => self.paid(cx, &payment, reference)?,
            Err(error) if failure::is_not_found(&error) => return Ok(charge),
            Err(error) => return Err(error),
        };
        if payment.status == ProviderChargeStatus::Succeeded {
            charge.status = payment.status;
            charge.captured = payment.captured;
        }
        charge.remember.extend(payment.remember);
        Ok(charge)
    }

    /// The payment that can be captured or let go.
    async fn payment_of(&self, cx: &CallContext, charge: &ChargeRef, reference: &str) -> Result<String> {
        let known = charge.extra.get(map::PAYMENT).cloned();
        let id = match known {
            Some(id) => Some(id),
            None => self.get_request(cx, reference).await?.latest_payment_id,
        };
        id.filter(|id| is_plain_id(id)).ok_or_else(|| {
            Error::new(ErrorKind::GatewayRejected, "the gateway has no payment for this charge")
        })
    }
}

fn no_such_id() -> Error {
    Error::new(ErrorKind::GatewayRejected, "this is not an id of the gateway")
}

fn reference(charge: &ChargeRef) -> Result<&str> {
    charge.reference.as_deref().filter(|reference| is_plain_id(reference)).ok_or_else(no_such_id)
}

/// Something was made, whatever is wrong with the answer.
fn made_something(error: Error) -> Error {
    error.with_retry(Retry::OutcomeUnknown)
}

/// A conflict says that our reference is known already: then there is something of ours. A time-out says nothing.
fn perhaps_made(error: Error) -> Error {
    match failure::status(&error) {
        Some(408 | 409) => made_something(error),
        _ => error,
    }
}
