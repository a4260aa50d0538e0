//! Why a payment was refused, by the gateway's `refusalReasonCode`. Pure.

use billfold_core::charge::DeclineClass;

/// The classes of refusal codes. One that is not here will not work with this method, as far as anyone can tell.
const CLASSES: [(&str, DeclineClass); 22] = [
    // Acquirer Error
    ("4", DeclineClass::TryAgainLater),
    // Expired Card
    ("6", DeclineClass::Expired),
    // Issuer Unavailable
    ("9", DeclineClass::TryAgainLater),
    // 3D Not Authenticated
    ("11", DeclineClass::AuthenticationRequired),
    // Not enough balance
    ("12", DeclineClass::InsufficientFunds),
    // Acquirer Fraud
    ("14", DeclineClass::Fraud),
    // Cancelled, Shopper Cancelled: the customer turned back and may come again.
    ("15", DeclineClass::AuthenticationRequired),
    ("16", DeclineClass::AuthenticationRequired),
    // FRAUD
    ("20", DeclineClass::Fraud),
    // Not Submitted
    ("21", DeclineClass::TryAgainLater),
    // FRAUD-CANCELLED
    ("22", DeclineClass::Fraud),
    // Revocation Of Auth
    ("26", DeclineClass::Revoked),
    // Withdrawal amount exceeded
    ("28", DeclineClass::Limit),
    // Withdrawal count exceeded
    ("29", DeclineClass::Limit),
    // Issuer Suspected Fraud
    ("31", DeclineClass::Fraud),
    // Card requires online pin, Mobile pin required
    ("33", DeclineClass::AuthenticationRequired),
    ("36", DeclineClass::AuthenticationRequired),
    // Authentication required
    ("38", DeclineClass::AuthenticationRequired),
    // RReq not received from DS: the customer did not finish 3D Secure.
    ("39", DeclineClass::AuthenticationRequired),
    // 3DS Authentication Error
    ("42", DeclineClass::AuthenticationRequired),
    // Codes of errors, not of refusals: Contract not found, PaymentDetail not found.
    ("800", DeclineClass::Revoked),
    ("803", DeclineClass::Revoked),
];

/// The class of a refusal. `result_code` decides where there is no code.
pub(crate) fn class(code: Option<&str>, result_code: &str) -> DeclineClass {
    match code {
        Some(code) => CLASSES
            .iter()
            .find(|(known, _)| *known == code)
            .map_or(DeclineClass::DoNotRetry, |(_, class)| *class),
        None => match result_code {
            "Error" => DeclineClass::TryAgainLater,
            "Cancelled" => DeclineClass::AuthenticationRequired,
            _ => DeclineClass::DoNotRetry,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_a_class() {
        use DeclineClass as D;
        for (codes, expected) in [
            (&["12"][..], D::InsufficientFunds),
            (&["6"], D::Expired),
            (&["26", "803"], D::Revoked),
            (&["14", "20", "22", "31"], D::Fraud),
            (&["11", "15", "16", "33", "36", "38", "39", "42"], D::AuthenticationRequired),
            (&["28", "29"], D::Limit),
            (&["4", "9", "21"], D::TryAgainLater),
            (
                &["2", "3", "5", "7", "8", "10", "17", "18", "19", "23", "24", "25", "27", "32", "46"],
                D::DoNotRetry,
            ),
            (&["999", ""], D::DoNotRetry),
        ] {
            for code in codes {
                assert_eq!(class(Some(code), "Refused"), expected, "{code}");
            }
        }
        assert!(
            D::ALL
                .into_iter()
                .all(|class| class == D::DoNotRetry || CLASSES.iter().any(|(_, known)| *known == class))
        );
    }

    #[test]
    fn without_a_code_the_result_decides() {
        assert_eq!(class(None, "Error"), DeclineClass::TryAgainLater);
        assert_eq!(class(None, "Cancelled"), DeclineClass::AuthenticationRequired);
        assert_eq!(class(None, "Refused"), DeclineClass::DoNotRetry);
    }
}
