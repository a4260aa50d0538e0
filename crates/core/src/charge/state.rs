//! The charge's state machine: pure, total, and indifferent to the order of news.

use serde::{Deserialize, Serialize};

use crate::provider::ProviderChargeStatus;

/// Where a charge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// Under way: stored here, and on its way to the gateway or being worked on there.
    Processing,
    /// The gateway was asked and gave no answer; it is asked about, and never asked twice to charge.
    Unknown,
    /// The customer has to act, on the page of `next`.
    RequiresAction,
    /// The money is held and can be captured.
    Authorized,
    /// The money is taken.
    Succeeded,
    /// It was refused, or taken back by the bank.
    Declined,
    /// It was ended before money was taken.
    Canceled,
}

impl ChargeStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Processing,
        Self::Unknown,
        Self::RequiresAction,
        Self::Authorized,
        Self::Succeeded,
        Self::Declined,
        Self::Canceled,
    ];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Unknown => "unknown",
            Self::RequiresAction => "requires_action",
            Self::Authorized => "authorized",
            Self::Succeeded => "succeeded",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the charge is over, as far as anyone can tell now.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Processing | Self::Unknown | Self::RequiresAction | Self::Authorized => false,
            Self::Succeeded | Self::Declined | Self::Canceled => true,
        }
    }
}

/// The status after the gateway said `observed`; `None` when nothing changes.
///
/// Nothing goes back, with two exceptions: a success is real however late it is learnt, and a bank may take back
/// what had succeeded ([`ProviderChargeStatus::Returned`]).
pub fn transition(current: ChargeStatus, observed: ProviderChargeStatus) -> Option<ChargeStatus> {
    use ChargeStatus as C;
    use ProviderChargeStatus as P;
    let next = match (current, observed) {
        // What is known already, or not understood.
        (_, P::Unknown) | (C::Succeeded, P::Succeeded) | (C::Declined, P::Returned) => return None,
        (_, P::Succeeded) => C::Succeeded,
        (_, P::Returned) | (C::Unknown | C::Processing | C::RequiresAction | C::Authorized, P::Declined) => {
            C::Declined
        }
        // It is over.
        (C::Succeeded | C::Declined | C::Canceled, _) => return None,
        (_, P::Canceled) => C::Canceled,
        (C::Unknown | C::Processing | C::RequiresAction, P::Authorized) => C::Authorized,
        (C::Unknown | C::Processing, P::RequiresAction) => C::RequiresAction,
        (C::Unknown | C::RequiresAction, P::Processing) => C::Processing,
        (_, P::Processing | P::RequiresAction | P::Authorized) => return None,
    };
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChargeStatus as C;
    use ProviderChargeStatus as P;

    const OBSERVED: [P; 8] = [
        P::Processing,
        P::RequiresAction,
        P::Authorized,
        P::Succeeded,
        P::Declined,
        P::Returned,
        P::Canceled,
        P::Unknown,
    ];

    #[test]
    fn what_is_over_changes_only_by_a_late_success_or_a_bank() {
        for current in C::ALL.into_iter().filter(|status| status.is_final()) {
            for observed in OBSERVED {
                let expected = match (current, observed) {
                    (C::Declined | C::Canceled, P::Succeeded) => Some(C::Succeeded),
                    (C::Succeeded | C::Canceled, P::Returned) => Some(C::Declined),
                    _ => None,
                };
                assert_eq!(transition(current, observed), expected, "{current:?} on {observed:?}");
            }
        }
    }

    #[test]
    fn an_authorized_charge_never_becomes_open_again() {
        for observed in [P::Processing, P::RequiresAction, P::Authorized, P::Unknown] {
            assert_eq!(transition(C::Authorized, observed), None, "{observed:?}");
        }
    }

    #[test]
    fn any_order_of_a_charges_news_ends_the_same() {
        let news = [P::Processing, P::RequiresAction, P::Authorized, P::Succeeded];
        for first in news {
            for second in news {
                for third in news {
                    let all = [first, second, third, P::Succeeded];
                    let end = all
                        .iter()
                        .fold(C::Processing, |state, said| transition(state, *said).unwrap_or(state));
                    assert_eq!(end, C::Succeeded, "{all:?}");
                }
            }
        }
    }
}
