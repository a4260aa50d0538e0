//! Charges between core's types and the gateway's. Pure.

use billfold_core::Result;
use billfold_core::charge::{CaptureMode, Initiator, RefundReason, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{
    CreateCharge, CreateRefund, Echo, NextAction, ProviderCharge, ProviderChargeStatus, ProviderRefund,
};
use billfold_core::secret::{ExposeSecret, SecretString};

use crate::amount;
use crate::client::Form;
use crate::decline::decline;
use crate::map::{CHARGE, REFUND};
use crate::wire::charges::{PaymentError, PaymentIntent, Refund};

/// The body of `POST /v1/payment_intents`.
pub(super) fn payment_intent(request: &CreateCharge) -> Result<Form> {
    let mut form = Form::default();
    form.add("amount", amount::to_gateway(request.money)?.to_string());
    form.add("currency", request.money.currency.code().to_lowercase());
    form.maybe("customer", request.token.customer.as_deref());
    form.add("payment_method", request.token.token.expose_secret());
    form.add("allowed_payment_method_types[0]", &request.channel);
    form.add("confirm", "true");
    if request.initiator == Initiator::Merchant {
        form.add("off_session", "true");
    }
    form.add(
        "capture_method",
        match request.capture {
            CaptureMode::Automatic => "automatic",
            CaptureMode::Manual => "manual",
        },
    );
    form.add("return_url", request.return_url.as_str());
    form.maybe("description", request.description.as_deref());
    for (key, value) in &request.metadata {
        form.add(format!("metadata[{key}]"), value);
    }
    form.add(format!("metadata[{CHARGE}]"), &request.reference);
    Ok(form)
}

/// The body of `POST /v1/payment_intents/{id}/capture`.
pub(super) fn capture(money: Money) -> Result<Form> {
    let mut form = Form::default();
    form.add("amount_to_capture", amount::to_gateway(money)?.to_string());
    Ok(form)
}

/// The body of `POST /v1/refunds`.
pub(super) fn create_refund(reference: &str, request: &CreateRefund) -> Result<Form> {
    let mut form = Form::default();
    form.add("payment_intent", reference);
    form.add("amount", amount::to_gateway(request.money)?.to_string());
    let reason = match request.reason {
        RefundReason::RequestedByCustomer => Some("requested_by_customer"),
        RefundReason::Duplicate => Some("duplicate"),
        RefundReason::Fraudulent => Some("fraudulent"),
        // The gateway has no word for these.
        RefundReason::Cancellation | RefundReason::Other => None,
    };
    form.maybe("reason", reason);
    form.add(format!("metadata[{REFUND}]"), &request.reference);
    Ok(form)
}

/// A charge as core sees it, or what is wrong with it.
pub(super) fn charge(intent: &PaymentIntent) -> Result<ProviderCharge, &'static str> {
    let reference = intent.id.clone().ok_or("the charge has no id")?;
    let mut mapped = ProviderCharge::new(reference, status(intent));
    mapped.money = money(intent.amount, intent.currency.as_deref())?;
    match mapped.status {
        ProviderChargeStatus::Succeeded => {
            let received = money(intent.amount_received, intent.currency.as_deref())?;
            mapped.captured = received.map(|money| money.amount);
        }
        ProviderChargeStatus::RequiresAction => mapped.next = next(intent),
        ProviderChargeStatus::Declined => mapped.decline = Some(declined(&intent.last_payment_error)),
        _ => {}
    }
    mapped.echo = Echo {
        reference: intent.metadata.get(CHARGE).cloned(),
        customer: intent.customer.clone(),
        currency: intent.currency.as_deref().map(str::to_uppercase),
        country: None,
    };
    Ok(mapped)
}

/// Why an attempt failed.
pub(super) fn declined(error: &PaymentError) -> billfold_core::charge::Decline {
    decline(error.decline_code.as_deref(), error.code.as_deref())
}

fn status(intent: &PaymentIntent) -> ProviderChargeStatus {
    let error = &intent.last_payment_error;
    match intent.status.as_deref() {
        Some("processing") => ProviderChargeStatus::Processing,
        Some("requires_action") => ProviderChargeStatus::RequiresAction,
        Some("requires_capture") => ProviderChargeStatus::Authorized,
        Some("succeeded") => ProviderChargeStatus::Succeeded,
        Some("canceled") => ProviderChargeStatus::Canceled,
        // The one attempt that was made failed; without an error none was.
        Some("requires_payment_method") if error.code.is_some() || error.decline_code.is_some() => {
            ProviderChargeStatus::Declined
        }
        _ => ProviderChargeStatus::Unknown,
    }
}

/// A page where there is one; otherwise the gateway's script knows what to do.
fn next(intent: &PaymentIntent) -> Option<NextAction> {
    if let Some(url) = &intent.next_action.redirect_to_url.url {
        return Some(NextAction::Redirect(SecretString::from(url.as_str())));
    }
    intent.client_secret.as_deref().map(|secret| NextAction::ClientSecret(SecretString::from(secret)))
}

fn money(amount: Option<i64>, currency: Option<&str>) -> Result<Option<Money>, &'static str> {
    let Some(amount) = amount else { return Ok(None) };
    let currency = currency.and_then(|code| code.to_uppercase().parse().ok());
    let currency = currency.ok_or("an amount has no currency")?;
    let money = amount::from_gateway(amount, currency);
    money.map(Some).ok_or("an amount is not an exact number of minor units")
}

/// A refund as core sees it, or what is wrong with it.
pub(super) fn refund(refund: &Refund) -> Result<ProviderRefund, &'static str> {
    let reference = refund.id.clone().ok_or("the refund has no id")?;
    let status = match refund.status.as_deref() {
        Some("pending" | "requires_action") => RefundStatus::Processing,
        Some("succeeded") => RefundStatus::Succeeded,
        Some("failed" | "canceled") => RefundStatus::Failed,
        _ => RefundStatus::Unknown,
    };
    let mut mapped = ProviderRefund::new(reference, status);
    mapped.money = money(refund.amount, refund.currency.as_deref())?;
    mapped.code = refund.failure_reason.clone().filter(|_| status == RefundStatus::Failed);
    Ok(mapped)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::from_object;

    fn read(answer: Value) -> Result<ProviderCharge, &'static str> {
        charge(&from_object(answer).unwrap())
    }

    #[test]
    fn only_known_statuses_mean_something() {
        use ProviderChargeStatus as S;
        let error = json!({"code": "card_declined", "decline_code": "insufficient_funds"});
        for (said, error, expected) in [
            ("processing", Value::Null, S::Processing),
            ("requires_action", Value::Null, S::RequiresAction),
            // Of an attempt before.
            ("requires_action", error.clone(), S::RequiresAction),
            ("requires_capture", Value::Null, S::Authorized),
            ("succeeded", error.clone(), S::Succeeded),
            ("canceled", error.clone(), S::Canceled),
            ("requires_payment_method", error, S::Declined),
            ("requires_payment_method", Value::Null, S::Unknown),
            ("requires_confirmation", Value::Null, S::Unknown),
            ("new_word", Value::Null, S::Unknown),
        ] {
            let intent = json!({"id": "pi_1", "status": said, "last_payment_error": error});
            assert_eq!(read(intent).unwrap().status, expected, "{said}");
        }
    }

    #[test]
    fn the_customer_is_sent_to_a_page_or_given_to_the_script() {
        let waits = |action: Value| {
            read(
                json!({"id": "pi_1", "status": "requires_action", "client_secret": "secret", "next_action": action}),
            )
        };
        let page = json!({"type": "redirect_to_url", "redirect_to_url": {"url": "https://page"}});
        assert!(
            matches!(waits(page).unwrap().next, Some(NextAction::Redirect(url)) if url.expose_secret() == "https://page")
        );
        let script = json!({"type": "use_stripe_sdk", "use_stripe_sdk": {}});
        assert!(
            matches!(waits(script).unwrap().next, Some(NextAction::ClientSecret(secret)) if secret.expose_secret() == "secret")
        );
    }

    #[test]
    fn amounts_come_back_in_minor_units() {
        let intent = json!({"id": "pi_1", "status": "succeeded", "amount": 500, "amount_received": 300, "currency": "isk"});
        let charge = read(intent).unwrap();
        assert_eq!(charge.money, Some(Money { amount: 5, currency: "ISK".parse().unwrap() }));
        assert_eq!(charge.captured, Some(3));
        assert!(read(json!({"id": "pi_1", "amount": 550, "currency": "isk"})).is_err());
        assert!(read(json!({"id": "pi_1", "amount": 550})).is_err());
        assert!(read(json!({"amount": 1, "currency": "eur"})).is_err());
    }
}
