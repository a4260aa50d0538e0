//! Why a charge was refused: the gateway's decline and error codes, in the classes that merchants decide by. Pure.

use billfold_core::charge::{Decline, DeclineClass};

/// The decline for an error of the gateway: the bank's code where there is one, the gateway's otherwise.
pub(crate) fn decline(decline_code: Option<&str>, code: Option<&str>) -> Decline {
    // What the bank says is the finer word, except that it may say no more than "declined".
    let by_bank = decline_code.map(|code| (code, class(code)));
    let by_gateway = code.map(|code| (code, class(code)));
    let chosen = match (by_bank, by_gateway) {
        (Some((_, None)), Some((code, Some(class)))) => Some((code, Some(class))),
        (bank, gateway) => bank.or(gateway),
    };
    let class = chosen.and_then(|(_, class)| class).unwrap_or(DeclineClass::DoNotRetry);
    Decline::new(class, chosen.map(|(code, _)| code.to_owned()))
}

/// `None` for a code that says nothing that could be acted upon, as those do that are younger than this table.
fn class(code: &str) -> Option<DeclineClass> {
    Some(match code {
        "insufficient_funds" => DeclineClass::InsufficientFunds,
        "expired_card" => DeclineClass::Expired,
        // The customer or their bank took back what they had agreed to.
        "account_closed"
        | "debit_not_authorized"
        | "payment_intent_mandate_invalid"
        // Of a request that names the payment method.
        | "resource_missing"
        | "revocation_of_all_authorizations"
        | "revocation_of_authorization"
        | "stop_payment_order" => DeclineClass::Revoked,
        "fraudulent" | "lost_card" | "merchant_blacklist" | "pickup_card" | "restricted_card" | "stolen_card" => {
            DeclineClass::Fraud
        }
        // What the customer did not confirm, or could not: they have to be asked again.
        "authentication_required"
        | "payment_intent_authentication_failure"
        | "payment_intent_payment_attempt_expired"
        | "payment_method_customer_decline" => DeclineClass::AuthenticationRequired,
        "amount_too_large"
        | "card_velocity_exceeded"
        | "charge_exceeds_source_limit"
        | "charge_exceeds_transaction_limit"
        | "invalid_amount"
        | "withdrawal_count_limit_exceeded" => DeclineClass::Limit,
        "approve_with_id"
        | "issuer_not_available"
        | "payment_method_not_available"
        | "payment_method_provider_timeout"
        | "processing_error"
        | "reenter_transaction"
        | "try_again_later" => DeclineClass::TryAgainLater,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_class() {
        use DeclineClass as C;
        for (decline_code, code, class, kept) in [
            (
                Some("insufficient_funds"),
                Some("card_declined"),
                C::InsufficientFunds,
                Some("insufficient_funds"),
            ),
            (Some("expired_card"), Some("expired_card"), C::Expired, Some("expired_card")),
            (None, Some("expired_card"), C::Expired, Some("expired_card")),
            (
                Some("revocation_of_authorization"),
                Some("card_declined"),
                C::Revoked,
                Some("revocation_of_authorization"),
            ),
            (Some("stolen_card"), Some("card_declined"), C::Fraud, Some("stolen_card")),
            (
                Some("authentication_required"),
                Some("authentication_required"),
                C::AuthenticationRequired,
                Some("authentication_required"),
            ),
            (
                None,
                Some("payment_intent_authentication_failure"),
                C::AuthenticationRequired,
                Some("payment_intent_authentication_failure"),
            ),
            (Some("card_velocity_exceeded"), Some("card_declined"), C::Limit, Some("card_velocity_exceeded")),
            (
                Some("issuer_not_available"),
                Some("card_declined"),
                C::TryAgainLater,
                Some("issuer_not_available"),
            ),
            (Some("generic_decline"), Some("processing_error"), C::TryAgainLater, Some("processing_error")),
            (Some("do_not_honor"), Some("card_declined"), C::DoNotRetry, Some("do_not_honor")),
            (Some("new_code"), None, C::DoNotRetry, Some("new_code")),
            (None, None, C::DoNotRetry, None),
        ] {
            let found = decline(decline_code, code);
            assert_eq!((found.class, found.code.as_deref()), (class, kept), "{decline_code:?} {code:?}");
        }
    }
}
