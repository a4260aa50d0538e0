//! Why a charge was refused: the gateway's failure codes, and the errors of a request that charged nothing, in the
//! classes that merchants decide by. Pure.

use billfold_core::Error;
use billfold_core::charge::{Decline, DeclineClass};

use crate::failure;

/// The decline for a failure code, as it came; trailing blanks are the gateway's own.
pub(crate) fn decline(code: Option<&str>) -> Decline {
    let code = code.map(str::trim).filter(|code| !code.is_empty());
    Decline::new(code.map_or(DeclineClass::DoNotRetry, class), code.map(str::to_owned))
}

/// The decline in an error that says that nothing was charged, and nothing will be.
pub(crate) fn of_error(error: &Error) -> Option<Decline> {
    let code = failure::code(error)?;
    let declined = match failure::status(error)? {
        400 => matches!(code, "CARD_EXPIRED" | "INVALID_PAYMENT_DETAILS" | "INVALID_TOKEN"),
        403 => matches!(code, "SKIP_3DS_FORBIDDEN" | "INVALID_MERCHANT_SETTINGS" | "ACCOUNT_ACCESS_BLOCKED"),
        503 => matches!(code, "CHANNEL_UNAVAILABLE" | "ISSUER_UNAVAILABLE"),
        _ => false,
    };
    declined.then(|| decline(Some(code)))
}

/// A code that is younger than this table says nothing that could be acted upon.
fn class(code: &str) -> DeclineClass {
    match code {
        "INSUFFICIENT_BALANCE" => DeclineClass::InsufficientFunds,
        "EXPIRED_CARD" | "CARD_EXPIRED" => DeclineClass::Expired,
        "INVALID_TOKEN" => DeclineClass::Revoked,
        "STOLEN_CARD" | "SUSPECTED_FRAUDULENT" => DeclineClass::Fraud,
        // What the customer did not confirm, or could not: they have to be asked again.
        "AUTHENTICATION_FAILED"
        | "EXPIRED_OTP"
        | "INVALID_OTP"
        | "OTP_ATTEMPT_COUNTS_EXCEEDED"
        | "PAYMENT_REQUEST_EXPIRED"
        | "SKIP_3DS_FORBIDDEN"
        | "USER_DECLINED_PAYMENT"
        | "USER_DEVICE_UNREACHABLE"
        | "USER_DID_NOT_AUTHORIZE" => DeclineClass::AuthenticationRequired,
        "CAPTURE_AMOUNT_EXCEEDED" | "PAYMENT_AMOUNT_LIMITS_EXCEEDED" | "PAYMENT_ATTEMPT_COUNTS_EXCEEDED" => {
            DeclineClass::Limit
        }
        "CHANNEL_UNAVAILABLE"
        | "ISSUER_UNAVAILABLE"
        | "PARTNER_TIMEOUT_ERROR"
        | "PROCESSOR_ERROR"
        | "SERVER_ERROR"
        | "TIMEOUT_ERROR" => DeclineClass::TryAgainLater,
        _ => DeclineClass::DoNotRetry,
    }
}

#[cfg(test)]
mod tests {
    use billfold_core::ErrorKind;
    use billfold_core::error::Fault;

    use super::*;

    #[test]
    fn every_documented_code_has_its_class() {
        use DeclineClass as C;
        let table = [
            ("ACCOUNT_ACCESS_BLOCKED", C::DoNotRetry),
            ("INVALID_MERCHANT_SETTINGS", C::DoNotRetry),
            ("INVALID_ACCOUNT_DETAILS", C::DoNotRetry),
            ("PAYMENT_ATTEMPT_COUNTS_EXCEEDED", C::Limit),
            ("USER_DEVICE_UNREACHABLE", C::AuthenticationRequired),
            ("CHANNEL_UNAVAILABLE", C::TryAgainLater),
            ("INSUFFICIENT_BALANCE", C::InsufficientFunds),
            ("ACCOUNT_NOT_ACTIVATED", C::DoNotRetry),
            ("INVALID_TOKEN", C::Revoked),
            ("SERVER_ERROR", C::TryAgainLater),
            ("PARTNER_TIMEOUT_ERROR", C::TryAgainLater),
            ("TIMEOUT_ERROR", C::TryAgainLater),
            ("USER_DECLINED_PAYMENT", C::AuthenticationRequired),
            ("USER_DID_NOT_AUTHORIZE", C::AuthenticationRequired),
            ("PAYMENT_REQUEST_EXPIRED", C::AuthenticationRequired),
            ("FAILURE_DETAILS_UNAVAILABLE", C::DoNotRetry),
            ("EXPIRED_OTP", C::AuthenticationRequired),
            ("INVALID_OTP", C::AuthenticationRequired),
            ("PAYMENT_AMOUNT_LIMITS_EXCEEDED", C::Limit),
            ("OTP_ATTEMPT_COUNTS_EXCEEDED", C::AuthenticationRequired),
            ("CARD_DECLINED", C::DoNotRetry),
            ("DECLINED_BY_ISSUER", C::DoNotRetry),
            ("ISSUER_UNAVAILABLE", C::TryAgainLater),
            ("INVALID_CVV", C::DoNotRetry),
            ("DECLINED_BY_PROCESSOR", C::DoNotRetry),
            ("CAPTURE_AMOUNT_EXCEEDED ", C::Limit),
            ("AUTHENTICATION_FAILED", C::AuthenticationRequired),
            ("PROCESSOR_ERROR", C::TryAgainLater),
            ("EXPIRED_CARD", C::Expired),
            ("STOLEN_CARD", C::Fraud),
            ("INACTIVE_OR_UNAUTHORIZED_CARD", C::DoNotRetry),
            ("INVALID_MERCHANT_CREDENTIALS", C::DoNotRetry),
            ("SUSPECTED_FRAUDULENT", C::Fraud),
        ];
        for (code, class) in table {
            assert_eq!(decline(Some(code)), Decline::new(class, Some(code.trim().to_owned())));
        }
        for nothing in [None, Some(""), Some(" ")] {
            assert_eq!(decline(nothing), Decline::new(C::DoNotRetry, None));
        }
        assert_eq!(decline(Some("NEW_CODE")).class, C::DoNotRetry);
    }

    #[test]
    fn an_error_is_a_decline_only_with_its_own_status() {
        let error = |status, code: &str| {
            let fault = Fault { http_status: Some(status), code: Some(code.to_owned()), ..Fault::default() };
            of_error(&Error::new(ErrorKind::GatewayRejected, "refused").with_fault(fault))
        };
        for (status, code, class) in [
            (400, "INVALID_TOKEN", DeclineClass::Revoked),
            (400, "CARD_EXPIRED", DeclineClass::Expired),
            (400, "INVALID_PAYMENT_DETAILS", DeclineClass::DoNotRetry),
            (403, "SKIP_3DS_FORBIDDEN", DeclineClass::AuthenticationRequired),
            (403, "ACCOUNT_ACCESS_BLOCKED", DeclineClass::DoNotRetry),
            (503, "ISSUER_UNAVAILABLE", DeclineClass::TryAgainLater),
            (503, "CHANNEL_UNAVAILABLE", DeclineClass::TryAgainLater),
        ] {
            assert_eq!(error(status, code).map(|decline| decline.class), Some(class), "{status} {code}");
        }
        for (status, code) in [
            (500, "INVALID_TOKEN"),
            (400, "API_VALIDATION_ERROR"),
            (409, "DUPLICATE_ERROR"),
            (503, "SERVER_ERROR"),
            (403, "REQUEST_FORBIDDEN_ERROR"),
        ] {
            assert!(error(status, code).is_none(), "{status} {code}");
        }
    }
}
