//! Why a payment failed or was charged back, by the `cause` in its event. Pure.

use billfold_core::charge::DeclineClass;

/// The classes of causes. One that is not here will not work with this method, as far as anyone can tell.
const CLASSES: [(&str, DeclineClass); 12] = [
    ("insufficient_funds", DeclineClass::InsufficientFunds),
    // What banks say when they give no reason, most often for want of funds.
    ("refer_to_payer", DeclineClass::InsufficientFunds),
    ("mandate_cancelled", DeclineClass::Revoked),
    ("bank_account_closed", DeclineClass::Revoked),
    ("mandate_expired", DeclineClass::Expired),
    // The customer says that they did not agree.
    ("authorisation_disputed", DeclineClass::Fraud),
    ("return_on_odfi_request", DeclineClass::Fraud),
    ("customer_approval_denied", DeclineClass::AuthenticationRequired),
    ("insufficient_payment_permissions", DeclineClass::AuthenticationRequired),
    ("daily_payment_limit_reached", DeclineClass::Limit),
    ("payment_violated_mandate_parameters", DeclineClass::Limit),
    // It went to the old account while the mandate was moved to another.
    ("bank_account_transferred", DeclineClass::TryAgainLater),
];

/// The class of a cause.
pub(crate) fn class(cause: &str) -> DeclineClass {
    let known = CLASSES.iter().find(|(known, _)| *known == cause);
    known.map_or(DeclineClass::DoNotRetry, |(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_have_a_class() {
        use DeclineClass as D;
        for (causes, expected) in [
            (&["insufficient_funds", "refer_to_payer"][..], D::InsufficientFunds),
            (&["mandate_cancelled", "bank_account_closed"], D::Revoked),
            (&["mandate_expired"], D::Expired),
            (&["authorisation_disputed", "return_on_odfi_request"], D::Fraud),
            (&["customer_approval_denied", "insufficient_payment_permissions"], D::AuthenticationRequired),
            (&["daily_payment_limit_reached", "payment_violated_mandate_parameters"], D::Limit),
            (&["bank_account_transferred"], D::TryAgainLater),
            (
                &[
                    "invalid_bank_details",
                    "direct_debit_not_enabled",
                    "account_blocked_for_any_financial_transaction",
                    "payment_stopped",
                    "bank_declined_payment",
                    "refund_requested",
                    "other",
                    "test_failure",
                    "new_word",
                    "",
                ],
                D::DoNotRetry,
            ),
        ] {
            for cause in causes {
                assert_eq!(class(cause), expected, "{cause}");
            }
        }
    }
}
