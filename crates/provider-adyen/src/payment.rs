//! Between core's charges and the gateway's payments. Pure.

use billfold_core::charge::{CaptureMode, ChargeReason, Decline, Initiator, RefundReason};
use billfold_core::provider::{CreateCharge, Echo, NextAction, ProviderCharge, ProviderChargeStatus};
use billfold_core::secret::SecretString;

use crate::client::is_method_id;
use crate::wire::Amount;
use crate::wire::payment::{Action, AdditionalData, CreatePayment, Payment, StoredMethodRef};
use crate::{amount, decline, reference};

/// The body of `POST /payments`; `value` is the amount in the gateway's units.
pub(crate) fn create<'a>(
    merchant_account: &'a str,
    (stored, shopper): (&'a str, &'a str),
    value: i64,
    request: &'a CreateCharge,
) -> CreatePayment<'a> {
    let held = request.capture == CaptureMode::Manual;
    CreatePayment {
        merchant_account,
        amount: Amount { value, currency: request.money.currency.code() },
        reference: reference::name(&request.reference, request.capture),
        payment_method: StoredMethodRef { kind: &request.channel, stored_payment_method_id: stored },
        shopper_reference: shopper,
        shopper_interaction: match request.initiator {
            Initiator::Customer => "Ecommerce",
            Initiator::Merchant => "ContAuth",
        },
        recurring_processing_model: processing_model(request.initiator, request.reason),
        country_code: request.country.code(),
        return_url: request.return_url.as_str(),
        // A link is all that a merchant is given, and a return all that comes back.
        redirect_to_issuer_method: "GET",
        redirect_from_issuer_method: "GET",
        // Either is said outright, so that the account's own setting does not matter.
        capture_delay_hours: (!held).then_some(0),
        additional_data: held.then_some(AdditionalData { manual_capture: "true" }),
        metadata: &request.metadata,
    }
}

/// What kind of charge it is, in the gateway's words.
fn processing_model(initiator: Initiator, reason: ChargeReason) -> &'static str {
    match (initiator, reason) {
        (Initiator::Customer, _) => "CardOnFile",
        (Initiator::Merchant, ChargeReason::Recurring | ChargeReason::Installment) => "Subscription",
        (Initiator::Merchant, ChargeReason::Unscheduled | ChargeReason::OneOff) => "UnscheduledCardOnFile",
    }
}

/// The reason of a refund, in the gateway's words.
pub(crate) fn refund_reason(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::RequestedByCustomer => "CUSTOMER REQUEST",
        RefundReason::Duplicate => "DUPLICATE",
        RefundReason::Fraudulent => "FRAUD",
        RefundReason::Cancellation | RefundReason::Other => "OTHER",
    }
}

/// A payment as core sees it; `Err` is what is wrong with the answer. `capture` is what was asked for.
pub(crate) fn observed(answer: &Payment, capture: CaptureMode) -> Result<ProviderCharge, &'static str> {
    use ProviderChargeStatus as P;
    let result_code = answer.result_code.as_deref().ok_or("the payment has no result")?;
    let status = match (result_code, capture) {
        ("Authorised", CaptureMode::Automatic) => P::Succeeded,
        ("Authorised", CaptureMode::Manual) => P::Authorized,
        ("Received" | "Pending", _) => P::Processing,
        ("RedirectShopper" | "IdentifyShopper" | "ChallengeShopper" | "PresentToShopper", _) => {
            P::RequiresAction
        }
        ("Refused" | "Error" | "Cancelled", _) => P::Declined,
        _ => P::Unknown,
    };
    let named = answer.psp_reference.as_deref();
    let reference = match (status, named) {
        // That of a payment is the one that it ends with, and only some answers before have it.
        (P::RequiresAction, _) | (P::Declined, None) => "",
        (_, Some(id)) if is_method_id(id) => id,
        _ => return Err("the payment has no reference"),
    };
    let mut mapped = ProviderCharge::new(reference, status);
    mapped.money = amount::read(&answer.amount).map_err(|()| "the payment's amount cannot be read")?;
    mapped.next = next(&answer.action).filter(|_| status == P::RequiresAction);
    mapped.decline = (status == P::Declined).then(|| {
        let code = answer.refusal_reason_code.as_deref();
        Decline::new(decline::class(code, result_code), Some(code.unwrap_or(result_code).to_owned()))
    });
    mapped.echo = Echo {
        reference: answer
            .merchant_reference
            .as_deref()
            .map(|name| reference::read(name).map_or_else(|| name.to_owned(), |(charge, _)| charge)),
        ..Echo::default()
    };
    Ok(mapped)
}

/// Where the customer goes. Only a link can be handed on.
fn next(action: &Action) -> Option<NextAction> {
    let by_link = action.kind.as_deref() == Some("redirect")
        && action.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case("GET"));
    let url = action.url.clone().filter(|_| by_link)?;
    Some(NextAction::Redirect(SecretString::from(url)))
}

#[cfg(test)]
mod tests {
    use billfold_core::charge::DeclineClass;
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::from_object;

    const CHARGE: &str = "chg_018f0000000070008000000000000001";

    fn read(answer: Value, capture: CaptureMode) -> Result<ProviderCharge, &'static str> {
        observed(&from_object(answer).unwrap(), capture)
    }

    fn status(code: &str, capture: CaptureMode) -> ProviderChargeStatus {
        read(json!({"pspReference": "P1", "resultCode": code}), capture).unwrap().status
    }

    #[test]
    fn only_what_was_taken_is_taken() {
        use ProviderChargeStatus as P;
        for (code, automatic, manual) in [
            ("Authorised", P::Succeeded, P::Authorized),
            ("Received", P::Processing, P::Processing),
            ("Pending", P::Processing, P::Processing),
            ("RedirectShopper", P::RequiresAction, P::RequiresAction),
            ("ChallengeShopper", P::RequiresAction, P::RequiresAction),
            ("Refused", P::Declined, P::Declined),
            ("Cancelled", P::Declined, P::Declined),
            ("Error", P::Declined, P::Declined),
            ("AuthenticationFinished", P::Unknown, P::Unknown),
            ("Success", P::Unknown, P::Unknown),
            ("authorised", P::Unknown, P::Unknown),
        ] {
            assert_eq!(status(code, CaptureMode::Automatic), automatic, "{code}");
            assert_eq!(status(code, CaptureMode::Manual), manual, "{code}");
        }
        assert!(read(json!({"pspReference": "P1"}), CaptureMode::Automatic).is_err());
    }

    #[test]
    fn a_payment_that_went_on_has_a_reference() {
        for reference in [Value::Null, json!(""), json!("a/b"), json!({})] {
            for code in ["Authorised", "Received", "NewWord"] {
                let answer = json!({"pspReference": reference, "resultCode": code});
                assert!(read(answer, CaptureMode::Automatic).is_err(), "{code} {reference}");
            }
        }
        let waiting = read(
            json!({"pspReference": "P1", "resultCode": "RedirectShopper",
            "action": {"type": "redirect", "method": "GET", "url": "https://bank.example/1"}}),
            CaptureMode::Manual,
        );
        let waiting = waiting.unwrap();
        assert!(waiting.reference.is_empty() && matches!(waiting.next, Some(NextAction::Redirect(_))));
        for action in [
            json!({"type": "redirect", "method": "POST", "url": "https://bank.example/1"}),
            json!({"type": "threeDS2", "url": "https://bank.example/1"}),
            json!({"type": "redirect"}),
            json!([]),
        ] {
            let answer = json!({"resultCode": "RedirectShopper", "action": action});
            assert!(read(answer, CaptureMode::Automatic).unwrap().next.is_none(), "{action}");
        }
    }

    #[test]
    fn what_is_echoed_is_compared() {
        let answer = |name: &str, amount: Value| json!({"pspReference": "P1", "resultCode": "Authorised", "merchantReference": name, "amount": amount});
        let amount = json!({"value": 1050, "currency": "EUR"});
        let held = read(answer(&format!("{CHARGE}-held"), amount.clone()), CaptureMode::Manual).unwrap();
        assert_eq!(held.echo.reference.as_deref(), Some(CHARGE));
        assert_eq!(held.money.unwrap().amount, 1050);
        let strange = read(answer("order-7", amount), CaptureMode::Automatic).unwrap();
        assert_eq!(strange.echo.reference.as_deref(), Some("order-7"));
        assert!(
            read(answer(CHARGE, json!({"value": "1050", "currency": "EUR"})), CaptureMode::Automatic)
                .is_err()
        );
    }

    #[test]
    fn a_refusal_keeps_the_gateways_code() {
        let declined = |answer: Value| read(answer, CaptureMode::Automatic).unwrap().decline.unwrap();
        let funds =
            declined(json!({"pspReference": "P1", "resultCode": "Refused", "refusalReasonCode": "12"}));
        assert_eq!((funds.class, funds.code.as_deref()), (DeclineClass::InsufficientFunds, Some("12")));
        let number = declined(json!({"resultCode": "Refused", "refusalReasonCode": 12}));
        assert_eq!(number, funds);
        let error = declined(json!({"resultCode": "Error"}));
        assert_eq!((error.class, error.code.as_deref()), (DeclineClass::TryAgainLater, Some("Error")));
    }

    #[test]
    fn charges_have_a_model() {
        use ChargeReason as R;
        let models = |initiator| {
            [R::OneOff, R::Recurring, R::Installment, R::Unscheduled]
                .map(|reason| processing_model(initiator, reason))
        };
        assert_eq!(models(Initiator::Customer), ["CardOnFile"; 4]);
        let [one, turn, part, needed] = models(Initiator::Merchant);
        assert_eq!([turn, part], ["Subscription"; 2]);
        assert_eq!([one, needed], ["UnscheduledCardOnFile"; 2]);
    }
}
