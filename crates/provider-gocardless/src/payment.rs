//! Between core's charges and the gateway's payments and refunds. Pure.

use billfold_core::charge::{Decline, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{
    CreateCharge, CreateRefund, Echo, ProviderCharge, ProviderChargeStatus, ProviderRefund,
};
use serde_json::{Value, json};

use crate::client::is_id;
use crate::decline;
use crate::wire::payment::{Payment, PaymentEvent, Refund};

/// The metadata key under which payments and their refunds carry our charge id. Merchants cannot use it.
pub(crate) const CHARGE: &str = "billfold_charge";
/// The same for our refund id.
pub(crate) const REFUND: &str = "billfold_refund";
/// What ids of payments begin with.
pub(crate) const PAYMENT_PREFIX: &str = "PM";
/// What ids of refunds begin with.
pub(crate) const REFUND_PREFIX: &str = "RF";

/// The fields of `POST /payments`. No `reference` is sent: how long it may be depends on the scheme, and not every
/// account may give one.
pub(crate) fn create(mandate: &str, request: &CreateCharge) -> Value {
    let mut metadata = request.metadata.clone();
    metadata.insert(CHARGE.to_owned(), request.reference.clone());
    let mut fields = json!({
        "amount": request.money.amount,
        "currency": request.money.currency.code(),
        "metadata": metadata,
        "links": {"mandate": mandate},
    });
    if let Some(description) = &request.description {
        fields["description"] = description.as_str().into();
    }
    fields
}

/// The fields of `POST /refunds`; `total` is what is given back of the payment with this refund.
pub(crate) fn create_refund(payment: &str, total: i64, request: &CreateRefund) -> Value {
    json!({
        "amount": request.money.amount,
        "total_amount_confirmation": total,
        "metadata": {CHARGE: request.charge.merchant_reference, REFUND: request.reference},
        "links": {"payment": payment},
    })
}

/// A payment as core sees it, whose end is told by its events where it has one ([`ended`]); `Err` is what is wrong
/// with the answer.
pub(crate) fn observed(payment: &Payment) -> Result<ProviderCharge, &'static str> {
    let id = payment.id.as_deref().filter(|id| is_id(id, PAYMENT_PREFIX)).ok_or("the payment has no id")?;
    let status = match payment.status.as_deref() {
        Some("pending_customer_approval" | "pending_submission" | "submitted") => {
            ProviderChargeStatus::Processing
        }
        Some("confirmed" | "paid_out") => ProviderChargeStatus::Succeeded,
        Some("cancelled") => ProviderChargeStatus::Canceled,
        Some("failed" | "customer_approval_denied") => ProviderChargeStatus::Declined,
        Some("charged_back") => ProviderChargeStatus::Returned,
        _ => ProviderChargeStatus::Unknown,
    };
    let mut mapped = ProviderCharge::new(id, status);
    mapped.money =
        Some(money(payment.amount, payment.currency.as_deref()).ok_or("the payment has no amount")?);
    mapped.echo = Echo { reference: payment.metadata.get(CHARGE).cloned(), ..Echo::default() };
    if matches!(status, ProviderChargeStatus::Declined | ProviderChargeStatus::Returned) {
        let status = payment.status.clone().unwrap_or_default();
        mapped.decline = Some(Decline::new(decline::class(&status), status));
    }
    Ok(mapped)
}

/// Whether a payment's events have to be read to know how it ended and why.
pub(crate) fn is_told_by_events(payment: &Payment) -> bool {
    matches!(payment.status.as_deref(), Some("failed" | "charged_back"))
}

/// What the events of a payment that failed or was charged back say: the cause of the last of them, and whether the
/// money had been collected before.
pub(crate) fn ended(mapped: &mut ProviderCharge, events: &[PaymentEvent]) {
    let is = |event: &&PaymentEvent, actions: &[&str]| {
        event.action.as_deref().is_some_and(|action| actions.contains(&action))
    };
    if events.iter().any(|event| is(&event, &["confirmed", "paid_out"])) {
        mapped.status = ProviderChargeStatus::Returned;
    }
    let last = events
        .iter()
        .filter(|event| is(event, &["failed", "charged_back"]))
        .max_by(|one, other| one.created_at.cmp(&other.created_at));
    if let Some(cause) = last.and_then(|event| event.details.cause.as_deref()) {
        mapped.decline = Some(Decline::new(decline::class(cause), cause.to_owned()));
    }
}

/// A refund as core sees it; `Err` is what is wrong with the answer.
pub(crate) fn refund(refund: &Refund) -> Result<ProviderRefund, &'static str> {
    let id = refund.id.as_deref().filter(|id| is_id(id, REFUND_PREFIX)).ok_or("the refund has no id")?;
    let status = match refund.status.as_deref() {
        Some("created" | "pending_submission" | "submitted") => RefundStatus::Processing,
        Some("paid") => RefundStatus::Succeeded,
        Some("cancelled" | "bounced" | "funds_returned") => RefundStatus::Failed,
        _ => RefundStatus::Unknown,
    };
    let mut mapped = ProviderRefund::new(id, status);
    mapped.money = Some(money(refund.amount, refund.currency.as_deref()).ok_or("the refund has no amount")?);
    mapped.code = refund.status.clone().filter(|_| status == RefundStatus::Failed);
    Ok(mapped)
}

fn money(amount: Option<i64>, currency: Option<&str>) -> Option<Money> {
    Some(Money { amount: amount?, currency: currency?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use billfold_core::charge::DeclineClass;

    use super::*;
    use crate::wire::from_object;

    fn payment(status: &Value) -> ProviderCharge {
        let answer = json!({"id": "PM1", "status": status, "amount": 1050, "currency": "GBP",
            "metadata": {CHARGE: "chg_1"}});
        observed(&from_object(answer).unwrap()).unwrap()
    }

    #[test]
    fn only_what_was_collected_is_taken() {
        use ProviderChargeStatus as P;
        for (status, expected) in [
            (json!("pending_customer_approval"), P::Processing),
            (json!("pending_submission"), P::Processing),
            (json!("submitted"), P::Processing),
            (json!("confirmed"), P::Succeeded),
            (json!("paid_out"), P::Succeeded),
            (json!("cancelled"), P::Canceled),
            (json!("customer_approval_denied"), P::Declined),
            (json!("failed"), P::Declined),
            (json!("charged_back"), P::Returned),
            (json!("new_word"), P::Unknown),
            (json!(7), P::Unknown),
            (Value::Null, P::Unknown),
        ] {
            let mapped = payment(&status);
            assert_eq!(mapped.status, expected, "{status}");
            assert_eq!(mapped.decline.is_some(), matches!(expected, P::Declined | P::Returned), "{status}");
            assert_eq!(mapped.echo.reference.as_deref(), Some("chg_1"));
        }
        let denied = payment(&json!("customer_approval_denied")).decline.unwrap();
        assert_eq!(denied.class, DeclineClass::AuthenticationRequired);
    }

    #[test]
    fn a_payment_has_an_id_and_an_amount() {
        for answer in [
            json!({"status": "confirmed", "amount": 1, "currency": "GBP"}),
            json!({"id": "XX1", "status": "confirmed", "amount": 1, "currency": "GBP"}),
            json!({"id": "PM/1", "status": "confirmed", "amount": 1, "currency": "GBP"}),
            json!({"id": "PM1", "status": "confirmed", "amount": "one", "currency": "GBP"}),
            json!({"id": "PM1", "status": "confirmed", "amount": 1}),
            json!({"id": "PM1", "status": "confirmed", "amount": 1.5, "currency": "GBP"}),
        ] {
            assert!(observed(&from_object(answer.clone()).unwrap()).is_err(), "{answer}");
        }
    }

    #[test]
    fn the_last_event_says_why_and_an_earlier_one_whether_it_was_paid() {
        let event = |action: &str, at: &str, cause: &str| {
            let event = json!({"action": action, "created_at": at, "details": {"cause": cause}});
            from_object::<PaymentEvent>(event).unwrap()
        };
        let failed = || payment(&json!("failed"));
        let first = event("failed", "2026-05-01T10:00:00.000Z", "insufficient_funds");
        let paid = event("confirmed", "2026-05-04T10:00:00.000Z", "payment_confirmed");
        let last = event("failed", "2026-05-09T10:00:00.000Z", "bank_account_closed");
        let mut early = failed();
        ended(&mut early, std::slice::from_ref(&first));
        assert_eq!(early.status, ProviderChargeStatus::Declined);
        assert_eq!(early.decline.unwrap().class, DeclineClass::InsufficientFunds);
        let mut late = failed();
        ended(&mut late, &[last, paid, first]);
        assert_eq!(late.status, ProviderChargeStatus::Returned);
        assert_eq!(late.decline.unwrap().code.as_deref(), Some("bank_account_closed"));
        let mut silent = failed();
        ended(&mut silent, &[]);
        assert_eq!(silent.decline.unwrap().code.as_deref(), Some("failed"));
    }

    #[test]
    fn refunds_end_when_they_say_so() {
        for (status, expected) in [
            ("created", RefundStatus::Processing),
            ("pending_submission", RefundStatus::Processing),
            ("submitted", RefundStatus::Processing),
            ("paid", RefundStatus::Succeeded),
            ("cancelled", RefundStatus::Failed),
            ("bounced", RefundStatus::Failed),
            ("funds_returned", RefundStatus::Failed),
            ("new_word", RefundStatus::Unknown),
        ] {
            let answer = json!({"id": "RF1", "status": status, "amount": 5, "currency": "GBP"});
            let mapped = refund(&from_object(answer).unwrap()).unwrap();
            assert_eq!(mapped.status, expected, "{status}");
            assert_eq!(mapped.code.is_some(), expected == RefundStatus::Failed);
        }
        assert!(refund(&from_object(json!({"id": "PM1", "status": "paid"})).unwrap()).is_err());
    }
}
