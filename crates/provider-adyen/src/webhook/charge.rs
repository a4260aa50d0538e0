//! What a standard webhook tells of a charge: nothing but what its signature covers, so that it can be believed. Why a
//! payment was refused stands beside, in `reason`, and is not read.

use billfold_core::charge::{CaptureMode, Decline, DeclineClass, RefundStatus};
use billfold_core::id::RefundId;
use billfold_core::provider::{EventSubject, ProviderChargeStatus, ProviderRefund, SignedCharge};

use super::standard::Signed;
use crate::client::is_method_id;
use crate::{amount, reference};

/// The charge that an item of our merchant account is about; `None` when it is about none of ours.
pub(super) fn subject(item: &Signed<'_>) -> Option<EventSubject> {
    let named = reference::read(item.merchant_reference);
    let refund = item.merchant_reference.parse::<RefundId>().is_ok();
    // The fields are signed joined by colons: one with a colon in it would leave open where another begins.
    let fits = |id: &str| id.is_empty() || is_method_id(id);
    if (named.is_none() && !refund) || !fits(item.psp_reference) || !fits(item.original_reference) {
        return None;
    }
    let (status, news) = news(item, named.as_ref().map(|(_, capture)| *capture))?;
    let payment =
        if item.event_code == "AUTHORISATION" { item.psp_reference } else { item.original_reference };
    let reference = Some(payment).filter(|id| !id.is_empty()).map(str::to_owned);
    Some(EventSubject::Charge {
        reference,
        merchant_reference: named.map(|(charge, _)| charge),
        told: told(item, status, news).map(Box::new),
    })
}

/// What happened to the charge, and what the amount beside it is; `None` for an event that changes nothing.
fn news(item: &Signed<'_>, capture: Option<CaptureMode>) -> Option<(ProviderChargeStatus, News)> {
    use ProviderChargeStatus as P;
    let authorized = if capture == Some(CaptureMode::Manual) { P::Authorized } else { P::Succeeded };
    let news = match (item.event_code, item.success == "true") {
        ("AUTHORISATION", true) if capture.is_some() => (authorized, News::Charge),
        ("AUTHORISATION", false) if capture.is_some() => (P::Declined, News::Charge),
        ("CAPTURE", true) => (P::Succeeded, News::Taken),
        // The money is still held, and none of it was taken.
        ("CAPTURE", false) => (P::Authorized, News::NotTaken),
        ("CAPTURE_FAILED", true) => (P::Returned, News::NotTaken),
        ("CANCELLATION" | "TECHNICAL_CANCEL" | "EXPIRE", true) => (P::Canceled, News::NotTaken),
        ("CHARGEBACK" | "SECOND_CHARGEBACK", true) => (P::Returned, News::Charge),
        ("CHARGEBACK_REVERSED", true) => (P::Succeeded, News::Charge),
        ("REFUND", true) => (P::Unknown, News::Refund(RefundStatus::Succeeded)),
        ("REFUND", false) | ("REFUND_FAILED" | "REFUNDED_REVERSED", true) => {
            (P::Unknown, News::Refund(RefundStatus::Failed))
        }
        _ => return None,
    };
    Some(news)
}

/// What the item says; `None` when its amount cannot be read.
fn told(item: &Signed<'_>, status: ProviderChargeStatus, news: News) -> Option<SignedCharge> {
    let money = amount::from_gateway(item.value.parse().ok()?, item.currency)?;
    let mut told = SignedCharge::new(status, money);
    match news {
        News::Charge => {}
        News::Taken => told.captured = Some(money.amount),
        // What is in the amount of these is not documented for all; that nothing is taken is what they say.
        News::NotTaken => told.captured = Some(0),
        News::Refund(status) => {
            let mut refund = ProviderRefund::new(item.psp_reference, status);
            refund.money = Some(money);
            refund.code = (status == RefundStatus::Failed).then(|| item.event_code.to_owned());
            told.refund = Some((item.merchant_reference.to_owned(), refund));
        }
    }
    // Why stands beside what is signed. The word that is signed is all that is known.
    if matches!(status, ProviderChargeStatus::Declined | ProviderChargeStatus::Returned) {
        told.decline = Some(Decline::new(DeclineClass::DoNotRetry, item.event_code.to_owned()));
    }
    Some(told)
}

/// What the amount of an item is that of.
#[derive(Clone, Copy)]
enum News {
    /// The charge.
    Charge,
    /// What was taken.
    Taken,
    /// Of nothing that was taken.
    NotTaken,
    /// A refund.
    Refund(RefundStatus),
}

#[cfg(test)]
mod tests {
    use billfold_core::money::Money;

    use super::*;

    const CHARGE: &str = "chg_018f0000000070008000000000000001";
    const HELD: &str = "chg_018f0000000070008000000000000001-held";
    const REFUND: &str = "rfd_018f0000000070008000000000000001";

    fn item<'a>(event_code: &'a str, success: &'a str, merchant_reference: &'a str) -> Signed<'a> {
        let of_payment = event_code == "AUTHORISATION";
        Signed {
            psp_reference: if of_payment { "PAYMENT1" } else { "CHANGE1" },
            original_reference: if of_payment { "" } else { "PAYMENT1" },
            merchant_account: "ShopECOM",
            merchant_reference,
            value: "1050".to_owned(),
            currency: "EUR",
            event_code,
            success,
        }
    }

    fn told(item: &Signed<'_>) -> SignedCharge {
        match subject(item) {
            Some(EventSubject::Charge { reference, told: Some(told), .. }) => {
                assert_eq!(reference.as_deref(), Some("PAYMENT1"), "{}", item.event_code);
                *told
            }
            _ => panic!("{} tells nothing", item.event_code),
        }
    }

    fn check(code: &str, success: bool, status: ProviderChargeStatus, captured: Option<i64>) {
        let told = told(&item(code, if success { "true" } else { "false" }, CHARGE));
        assert_eq!((told.status, told.captured), (status, captured), "{code} {success}");
        assert_eq!(told.money, Money { amount: 1050, currency: "EUR".parse().unwrap() });
        assert!(told.refund.is_none());
    }

    #[test]
    fn an_event_says_where_its_charge_stands() {
        use ProviderChargeStatus as P;
        check("AUTHORISATION", true, P::Succeeded, None);
        check("AUTHORISATION", false, P::Declined, None);
        check("CAPTURE", true, P::Succeeded, Some(1050));
        check("CAPTURE", false, P::Authorized, Some(0));
        check("CAPTURE_FAILED", true, P::Returned, Some(0));
        check("CANCELLATION", true, P::Canceled, Some(0));
        check("TECHNICAL_CANCEL", true, P::Canceled, Some(0));
        check("EXPIRE", true, P::Canceled, Some(0));
        check("CHARGEBACK", true, P::Returned, None);
        check("SECOND_CHARGEBACK", true, P::Returned, None);
        check("CHARGEBACK_REVERSED", true, P::Succeeded, None);
        assert_eq!(
            told(&item("AUTHORISATION", "true", HELD)).status,
            P::Authorized,
            "its name says that it is held"
        );
        for (code, success) in [
            ("CANCELLATION", "false"),
            ("CHARGEBACK", "false"),
            ("NOTIFICATION_OF_CHARGEBACK", "true"),
            ("REQUEST_FOR_INFORMATION", "true"),
            ("CANCEL_OR_REFUND", "true"),
            ("REPORT_AVAILABLE", "true"),
            ("NEW_WORD", "true"),
        ] {
            assert!(subject(&item(code, success, CHARGE)).is_none(), "{code} {success}");
        }
    }

    #[test]
    fn a_refund_is_found_by_our_name_or_by_the_gateways() {
        for (code, success, expected) in [
            ("REFUND", "true", RefundStatus::Succeeded),
            ("REFUND", "false", RefundStatus::Failed),
            ("REFUND_FAILED", "true", RefundStatus::Failed),
            ("REFUNDED_REVERSED", "true", RefundStatus::Failed),
        ] {
            for name in [REFUND, CHARGE, HELD] {
                let told = told(&item(code, success, name));
                assert_eq!(told.status, ProviderChargeStatus::Unknown, "nothing is said of the charge");
                let (reference, refund) = told.refund.unwrap();
                assert_eq!((reference.as_str(), refund.reference.as_str()), (name, "CHANGE1"));
                assert_eq!((refund.status, refund.money), (expected, Some(told.money)), "{code} {success}");
                assert_eq!(refund.code.as_deref(), (expected == RefundStatus::Failed).then_some(code));
            }
        }
        assert!(subject(&item("AUTHORISATION", "true", REFUND)).is_none(), "a refund is not authorised");
    }

    /// The signed fields are joined by colons: what would fit another split is not believed.
    #[test]
    fn only_our_own_names_and_plain_ids_are_believed() {
        for name in ["", "order-7", "ses_018f0000000070008000000000000001", &format!("{CHARGE}:0"), "chg_1"] {
            assert!(subject(&item("AUTHORISATION", "true", name)).is_none(), "{name}");
        }
        let mut odd = item("AUTHORISATION", "true", CHARGE);
        odd.psp_reference = "P1::ShopECOM:order";
        assert!(subject(&odd).is_none());
        let mut odd = item("CAPTURE", "true", CHARGE);
        odd.original_reference = "P1:x";
        assert!(subject(&odd).is_none());
    }

    #[test]
    fn an_amount_that_cannot_be_read_tells_nothing() {
        for (value, currency) in [("", "EUR"), ("1050", ""), ("1050", "eur"), ("50001", "ISK")] {
            let mut odd = item("AUTHORISATION", "true", CHARGE);
            (odd.value, odd.currency) = (value.to_owned(), currency);
            let Some(EventSubject::Charge { told, .. }) = subject(&odd) else { panic!("a charge of ours") };
            assert!(told.is_none(), "{value} {currency}");
        }
        let mut krona = item("AUTHORISATION", "true", CHARGE);
        (krona.value, krona.currency) = ("50000".to_owned(), "ISK");
        assert_eq!(told(&krona).money.amount, 500);
    }

    #[test]
    fn why_is_not_told_where_it_is_not_signed() {
        for (code, success) in
            [("AUTHORISATION", "false"), ("CHARGEBACK", "true"), ("CAPTURE_FAILED", "true")]
        {
            let decline = told(&item(code, success, CHARGE)).decline.unwrap();
            assert_eq!((decline.class, decline.code.as_deref()), (DeclineClass::DoNotRetry, Some(code)));
        }
        assert!(told(&item("AUTHORISATION", "true", CHARGE)).decline.is_none());
    }
}
