//! Why charges are declined, in the few classes that a merchant decides by, and what to do next.

use serde::{Deserialize, Serialize};

/// Why a charge was declined, common to all gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineClass {
    /// There is not enough money now.
    InsufficientFunds,
    /// The method's validity ended.
    Expired,
    /// The customer or the bank took the method back.
    Revoked,
    /// It looks like fraud, or the card was reported lost or stolen.
    Fraud,
    /// The customer has to prove that it is them.
    AuthenticationRequired,
    /// An amount or a number of payments is over a limit.
    Limit,
    /// Something on the way was not available; nothing was charged.
    TryAgainLater,
    /// It will not work with this method.
    DoNotRetry,
}

/// What to do after a decline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// The same charge may work on another day.
    RetryLater,
    /// The customer has to act: start the charge again with them present.
    AskCustomer,
    /// Save a payment method anew.
    CollectAnew,
    /// Do not try again, with any method.
    Stop,
}

impl DeclineClass {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::InsufficientFunds,
        Self::Expired,
        Self::Revoked,
        Self::Fraud,
        Self::AuthenticationRequired,
        Self::Limit,
        Self::TryAgainLater,
        Self::DoNotRetry,
    ];

    /// The name in JSON and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Fraud => "fraud",
            Self::AuthenticationRequired => "authentication_required",
            Self::Limit => "limit",
            Self::TryAgainLater => "try_again_later",
            Self::DoNotRetry => "do_not_retry",
        }
    }

    /// What to do next.
    pub const fn advice(self) -> Advice {
        match self {
            Self::InsufficientFunds | Self::Limit | Self::TryAgainLater => Advice::RetryLater,
            Self::AuthenticationRequired => Advice::AskCustomer,
            Self::Expired | Self::Revoked | Self::DoNotRetry => Advice::CollectAnew,
            Self::Fraud => Advice::Stop,
        }
    }

    /// Whether another method of the same customer may be tried. After fraud nothing is; where the customer has to
    /// act they decide; and what is down now says nothing about the method.
    pub const fn allows_fallback(self) -> bool {
        match self {
            Self::InsufficientFunds | Self::Expired | Self::Revoked | Self::Limit | Self::DoNotRetry => true,
            Self::Fraud | Self::AuthenticationRequired | Self::TryAgainLater => false,
        }
    }
}

/// Why a charge was declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// The class to decide by.
    pub class: DeclineClass,
    /// The gateway's own code, as it came; `None` where it said none, or what cannot be one.
    pub code: Option<String>,
}

/// Characters of the longest code that is kept.
const MAX_CODE: usize = 100;

/// A gateway's code as it may be kept and shown: a few printable characters. What is longer, or would move a terminal's
/// cursor, is none.
pub(crate) fn kept_code(code: Option<String>) -> Option<String> {
    code.filter(|code| {
        !code.trim().is_empty() && code.chars().count() <= MAX_CODE && !code.chars().any(char::is_control)
    })
}

impl Decline {
    /// A decline of a class, with the gateway's code.
    pub fn new(class: DeclineClass, code: impl Into<Option<String>>) -> Self {
        Self { class, code: kept_code(code.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_code_is_none() {
        let code = |text: &str| Decline::new(DeclineClass::DoNotRetry, text.to_owned()).code;
        assert_eq!(code("Not enough balance").as_deref(), Some("Not enough balance"));
        assert_eq!(code(&"é".repeat(MAX_CODE)).map(|kept| kept.chars().count()), Some(MAX_CODE));
        for none in ["", " ", "no\u{1b}[31m", "a\nb", &"x".repeat(MAX_CODE + 1)] {
            assert_eq!(code(none), None, "{none:?}");
        }
    }
}
