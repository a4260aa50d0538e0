//! Charges between core's types and the gateway's. Pure.

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::charge::{CaptureMode, Initiator, RefundReason, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{
    CreateCharge, CreateRefund, Echo, NextAction, ProviderCharge, ProviderChargeStatus, ProviderRefund,
};
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::{Error, Result};
use serde_json::value::RawValue;

use crate::decline::decline;
use crate::map::without_suffix;
use crate::wire::{RecurringConfiguration, charges as wire};

/// The key under which a charge keeps the payment that can be captured or canceled.
pub(super) const PAYMENT: &str = "latest_payment_id";
/// The key under which a token keeps what its network calls the first charge.
const NETWORK: &str = "network_transaction_id";

/// The request of `POST /v3/payment_requests`.
pub(super) fn payment_request(request: &CreateCharge) -> Result<wire::CreatePaymentRequest> {
    Ok(wire::CreatePaymentRequest {
        reference_id: request.reference.clone(),
        kind: "PAY",
        payment_token_id: request.token.token.expose_secret().to_owned(),
        country: request.country.to_string(),
        currency: request.money.currency.to_string(),
        request_amount: amount(request.money)?,
        capture_method: match request.capture {
            CaptureMode::Automatic => "AUTOMATIC",
            CaptureMode::Manual => "MANUAL",
        },
        channel_properties: properties(request),
        description: request.description.clone(),
        metadata: request.metadata.clone(),
    })
}

fn properties(request: &CreateCharge) -> wire::ChargeProperties {
    let (success_return_url, failure_return_url) =
        (request.return_url.to_string(), request.return_url.to_string());
    let back = wire::ChargeProperties { success_return_url, failure_return_url, ..Default::default() };
    if request.kind != MethodKind::Card {
        return back;
    }
    let alone = request.initiator == Initiator::Merchant;
    let terms = request.recurring.as_ref().filter(|_| alone);
    wire::ChargeProperties {
        card_on_file_type: Some(card_on_file_type(request.initiator, request.usage)),
        recurring_configuration: terms.map(|terms| RecurringConfiguration {
            recurring_frequency: terms.frequency_days,
            recurring_expiry: terms.ends_on.clone(),
        }),
        transaction_sequence: Some(if request.first { "INITIAL" } else { "SUBSEQUENT" }),
        network_transaction_id: request.token.extra.get(NETWORK).filter(|_| !request.first).cloned(),
        // Nobody is there to answer a challenge.
        skip_three_ds: alone.then_some(true),
        ..back
    }
}

/// A charge that the customer starts is one of theirs, whatever else they agreed to.
fn card_on_file_type(initiator: Initiator, usage: Usage) -> &'static str {
    match (initiator, usage) {
        (Initiator::Merchant, Usage::Recurring) => "RECURRING",
        (Initiator::Merchant, _) => "MERCHANT_UNSCHEDULED",
        (Initiator::Customer, _) => "CUSTOMER_UNSCHEDULED",
    }
}

/// The request of `POST /v3/payments/{id}/capture`.
pub(super) fn capture(money: Money) -> Result<wire::CreateCapture> {
    Ok(wire::CreateCapture { capture_amount: amount(money)? })
}

/// The request of `POST /refunds`.
pub(super) fn create_refund(reference: String, request: &CreateRefund) -> Result<wire::CreateRefund> {
    Ok(wire::CreateRefund {
        payment_request_id: reference,
        reference_id: request.reference.clone(),
        currency: request.money.currency.to_string(),
        amount: amount(request.money)?,
        reason: match request.reason {
            RefundReason::RequestedByCustomer => "REQUESTED_BY_CUSTOMER",
            RefundReason::Duplicate => "DUPLICATE",
            RefundReason::Fraudulent => "FRAUDULENT",
            RefundReason::Cancellation => "CANCELLATION",
            RefundReason::Other => "OTHERS",
        },
    })
}

/// A JSON number in major units, digit by digit. Whole amounts have no fraction: some currencies take none.
fn amount(money: Money) -> Result<Box<RawValue>> {
    let decimal = money.to_decimal();
    let whole = decimal.split_once('.').filter(|(_, minor)| minor.bytes().all(|digit| digit == b'0'));
    let text = whole.map_or(decimal.as_str(), |(major, _)| major).to_owned();
    RawValue::from_string(text).map_err(|_| Error::internal("an amount is no number"))
}

/// A charge as core sees it, or what is wrong with it.
pub(super) fn charge(request: &wire::PaymentRequest) -> Result<ProviderCharge, &'static str> {
    let reference = request.payment_request_id.clone().ok_or("the charge has no id")?;
    let mut mapped = ProviderCharge::new(reference, status(request.status.as_deref()));
    mapped.next = next(&request.actions).filter(|_| mapped.status == ProviderChargeStatus::RequiresAction);
    mapped.money = money(request.request_amount.as_deref(), request.currency.as_deref())?;
    if mapped.status == ProviderChargeStatus::Declined {
        mapped.decline = Some(decline(request.failure_code.as_deref()));
    }
    mapped.echo = Echo {
        reference: request.reference_id.as_deref().map(without_suffix),
        customer: request.customer_id.clone(),
        currency: request.currency.clone(),
        country: request.country.clone(),
    };
    mapped.extra.extend(request.latest_payment_id.clone().map(|id| (PAYMENT.to_owned(), id)));
    remember(&mut mapped, &request.payment_details);
    Ok(mapped)
}

/// A payment as the charge that it belongs to, which is asked about as `reference`.
pub(super) fn payment(payment: &wire::Payment, reference: &str) -> Result<ProviderCharge, &'static str> {
    if payment.payment_request_id.as_deref().is_some_and(|said| said != reference) {
        return Err("the payment belongs to another charge");
    }
    let mut mapped = ProviderCharge::new(reference, status(payment.status.as_deref()));
    mapped.money = money(payment.request_amount.as_deref(), payment.currency.as_deref())?;
    mapped.captured = captured(payment)?.filter(|_| mapped.status == ProviderChargeStatus::Succeeded);
    if mapped.status == ProviderChargeStatus::Declined {
        mapped.decline = Some(decline(payment.failure_code.as_deref()));
    }
    mapped.echo.reference = payment.reference_id.as_deref().map(without_suffix);
    mapped.extra.extend(payment.payment_id.clone().map(|id| (PAYMENT.to_owned(), id)));
    remember(&mut mapped, &payment.payment_details);
    Ok(mapped)
}

fn remember(charge: &mut ProviderCharge, details: &wire::PaymentDetails) {
    let id = details.authorization_data.network_transaction_id.clone();
    charge.remember.extend(id.map(|id| (NETWORK.to_owned(), id)));
}

/// How much was taken, in minor units; `None` when the payment does not say.
fn captured(payment: &wire::Payment) -> Result<Option<i64>, &'static str> {
    let mut taken = None;
    for capture in &payment.captures {
        let part = money(capture.capture_amount.as_deref(), payment.currency.as_deref())?;
        let Some(part) = part else { return Ok(None) };
        let sum = taken.unwrap_or(0_i64).checked_add(part.amount);
        taken = Some(sum.ok_or("more was captured than can be counted")?);
    }
    Ok(taken)
}

fn money(amount: Option<&str>, currency: Option<&str>) -> Result<Option<Money>, &'static str> {
    let Some(amount) = amount else { return Ok(None) };
    let currency = currency.and_then(|code| code.parse().ok()).ok_or("an amount has no currency")?;
    let read = Money::from_decimal(amount, currency);
    read.map(Some).map_err(|_| "an amount is not an exact number of minor units")
}

fn status(status: Option<&str>) -> ProviderChargeStatus {
    match status {
        Some("ACCEPTING_PAYMENTS" | "PENDING") => ProviderChargeStatus::Processing,
        Some("REQUIRES_ACTION") => ProviderChargeStatus::RequiresAction,
        Some("AUTHORIZED") => ProviderChargeStatus::Authorized,
        Some("SUCCEEDED") => ProviderChargeStatus::Succeeded,
        Some("FAILED") => ProviderChargeStatus::Declined,
        Some("CANCELED" | "CANCELLED" | "EXPIRED") => ProviderChargeStatus::Canceled,
        _ => ProviderChargeStatus::Unknown,
    }
}

/// Where the customer goes: a page rather than an app.
fn next(actions: &[wire::Action]) -> Option<NextAction> {
    let leads = |descriptor: &str| {
        let mut redirects =
            actions.iter().filter(|action| action.kind.as_deref() == Some("REDIRECT_CUSTOMER"));
        redirects.find(|action| action.descriptor.as_deref() == Some(descriptor))?.value.clone()
    };
    let url = leads("WEB_URL").or_else(|| leads("DEEPLINK_URL"))?;
    Some(NextAction::Redirect(SecretString::from(url)))
}

/// A refund as core sees it, or what is wrong with it.
pub(super) fn refund(refund: &wire::Refund) -> Result<ProviderRefund, &'static str> {
    let reference = refund.id.clone().ok_or("the refund has no id")?;
    let status = match refund.status.as_deref() {
        Some("PENDING") => RefundStatus::Processing,
        Some("SUCCEEDED") => RefundStatus::Succeeded,
        Some("FAILED" | "CANCELLED" | "CANCELED") => RefundStatus::Failed,
        _ => RefundStatus::Unknown,
    };
    let mut mapped = ProviderRefund::new(reference, status);
    mapped.money = money(refund.amount.as_deref(), refund.currency.as_deref())?;
    mapped.code = refund.failure_code.clone().filter(|_| status == RefundStatus::Failed);
    Ok(mapped)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::from_object;

    fn idr(amount: i64) -> Money {
        Money { amount, currency: "IDR".parse().unwrap() }
    }

    fn read(answer: Value) -> Result<ProviderCharge, &'static str> {
        charge(&from_object(answer).unwrap())
    }

    #[test]
    fn amounts_are_exact_numbers() {
        let written = |amount, currency: &str| {
            let money = Money { amount, currency: currency.parse().unwrap() };
            super::amount(money).unwrap().get().to_owned()
        };
        assert_eq!(written(50_000_000, "IDR"), "500000");
        assert_eq!(written(1_050, "PHP"), "10.50");
        assert_eq!(written(5, "SGD"), "0.05");
        assert_eq!(written(405_400, "VND"), "405400");
        assert_eq!(written(9_007_199_254_740_993, "USD"), "90071992547409.93");
    }

    #[test]
    fn an_amount_that_is_not_exact_is_refused() {
        let with = |amount: Value| {
            read(json!({"payment_request_id": "pr-1", "currency": "IDR", "request_amount": amount}))
        };
        assert_eq!(with(json!(500_000)).unwrap().money, Some(idr(50_000_000)));
        assert_eq!(with(json!("500000.00")).unwrap().money, Some(idr(50_000_000)));
        assert_eq!(with(Value::Null).unwrap().money, None);
        for wrong in [json!("1e3"), json!("10.005"), json!("much")] {
            assert!(with(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(read(json!({"payment_request_id": "pr-1", "request_amount": 1})).is_err(), "no currency");
    }

    #[test]
    fn only_known_statuses_mean_something() {
        use ProviderChargeStatus as S;
        for (said, expected) in [
            (Some("ACCEPTING_PAYMENTS"), S::Processing),
            (Some("PENDING"), S::Processing),
            (Some("REQUIRES_ACTION"), S::RequiresAction),
            (Some("AUTHORIZED"), S::Authorized),
            (Some("SUCCEEDED"), S::Succeeded),
            (Some("FAILED"), S::Declined),
            (Some("CANCELED"), S::Canceled),
            (Some("EXPIRED"), S::Canceled),
            (Some("succeeded"), S::Unknown),
            (Some("NEW_WORD"), S::Unknown),
            (None, S::Unknown),
        ] {
            assert_eq!(status(said), expected, "{said:?}");
        }
    }

    #[test]
    fn the_customer_is_sent_to_a_page_rather_than_an_app() {
        let action = |descriptor: &str, value: &str| json!({"type": "REDIRECT_CUSTOMER", "descriptor": descriptor, "value": value});
        let next = |status: &str, actions: Value| {
            let answer = json!({"payment_request_id": "pr-1", "status": status, "actions": actions});
            read(answer).unwrap().next.map(|next| match next {
                NextAction::Redirect(url) => url.expose_secret().to_owned(),
                NextAction::ClientSecret(_) => panic!("no such thing here"),
            })
        };
        let both = json!([action("DEEPLINK_URL", "app://"), action("WEB_URL", "https://page")]);
        assert_eq!(next("REQUIRES_ACTION", both.clone()).as_deref(), Some("https://page"));
        assert_eq!(
            next("REQUIRES_ACTION", json!([action("DEEPLINK_URL", "app://")])).as_deref(),
            Some("app://")
        );
        assert_eq!(next("SUCCEEDED", both), None);
        let otp = json!([{"type": "API_POST_REQUEST", "descriptor": "VALIDATE_OTP", "value": "https://api"}]);
        assert_eq!(next("REQUIRES_ACTION", otp), None);
    }

    #[test]
    fn parts_that_were_captured_are_added_up() {
        let answer = json!({"payment_id": "py-1", "payment_request_id": "pr-1", "status": "SUCCEEDED",
            "currency": "IDR", "captures": [{"capture_amount": 1000.5}, {"capture_amount": 200}]});
        let read = |answer: Value| payment(&from_object(answer).unwrap(), "pr-1");
        assert_eq!(read(answer.clone()).unwrap().captured, Some(120_050));
        let mut bare = answer.clone();
        bare["captures"] = json!([]);
        assert_eq!(read(bare).unwrap().captured, None);
        let mut other = answer;
        other["payment_request_id"] = "pr-2".into();
        assert!(read(other).is_err());
    }
}
