//! The session's state machine: pure, total, and indifferent to the order of news.

use serde::{Deserialize, Serialize};

use crate::provider::ProviderSessionStatus;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Stored here; the gateway may or may not know of it.
    Creating,
    /// The customer has to act.
    Active,
    /// The customer is done; the gateway is not.
    Processing,
    /// A payment method was saved. Stays so for ever.
    Completed,
    /// Ended without one.
    Failed,
    /// Ended by time.
    Expired,
    /// Ended by the merchant.
    Canceled,
}

impl SessionStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Creating,
        Self::Active,
        Self::Processing,
        Self::Completed,
        Self::Failed,
        Self::Expired,
        Self::Canceled,
    ];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the session is over, as far as anyone can tell now.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Creating | Self::Active | Self::Processing => false,
            Self::Completed | Self::Failed | Self::Expired | Self::Canceled => true,
        }
    }

    /// How far along: news may only move a session to a higher rank. `Completed` is highest, for
    /// a completion is real however late it is learnt; among the other endings the first stays.
    const fn rank(self) -> u8 {
        match self {
            Self::Creating => 0,
            Self::Active => 1,
            Self::Processing => 2,
            Self::Failed | Self::Expired | Self::Canceled => 3,
            Self::Completed => 4,
        }
    }
}

/// The status after the gateway said `observed`; `None` when nothing changes.
pub fn transition(current: SessionStatus, observed: ProviderSessionStatus) -> Option<SessionStatus> {
    let next = match observed {
        ProviderSessionStatus::Active => SessionStatus::Active,
        ProviderSessionStatus::Processing => SessionStatus::Processing,
        ProviderSessionStatus::Completed => SessionStatus::Completed,
        ProviderSessionStatus::Failed => SessionStatus::Failed,
        ProviderSessionStatus::Expired => SessionStatus::Expired,
        ProviderSessionStatus::Canceled => SessionStatus::Canceled,
        ProviderSessionStatus::Unknown => return None,
    };
    (next.rank() > current.rank()).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProviderSessionStatus as P;

    const OBSERVED: [P; 7] =
        [P::Active, P::Processing, P::Completed, P::Failed, P::Expired, P::Canceled, P::Unknown];

    fn check(current: SessionStatus, observed: P, expected: Option<SessionStatus>) {
        assert_eq!(transition(current, observed), expected, "{current:?} on {observed:?}");
    }

    #[test]
    fn completed_is_sticky_and_unknown_changes_nothing() {
        for observed in OBSERVED {
            check(SessionStatus::Completed, observed, None);
        }
        for current in SessionStatus::ALL {
            check(current, P::Unknown, None);
        }
    }

    #[test]
    fn late_completions_are_real() {
        for ended in [SessionStatus::Expired, SessionStatus::Failed, SessionStatus::Canceled] {
            check(ended, P::Completed, Some(SessionStatus::Completed));
            check(ended, P::Active, None);
            check(ended, P::Expired, None);
        }
    }

    #[test]
    fn nothing_goes_back() {
        check(SessionStatus::Processing, P::Active, None);
        check(SessionStatus::Creating, P::Active, Some(SessionStatus::Active));
        check(SessionStatus::Active, P::Processing, Some(SessionStatus::Processing));
    }

    fn run(news: &[P]) -> SessionStatus {
        news.iter()
            .fold(SessionStatus::Creating, |state, observed| transition(state, *observed).unwrap_or(state))
    }

    fn permutations(news: &[P]) -> Vec<Vec<P>> {
        let Some((first, rest)) = news.split_first() else { return vec![Vec::new()] };
        let mut all = Vec::new();
        for shorter in permutations(rest) {
            for at in 0..=shorter.len() {
                let mut longer = shorter.clone();
                longer.insert(at, *first);
                all.push(longer);
            }
        }
        all
    }

    /// A gateway gives one ending (and may complete late); whatever the order in which its news
    /// arrives, the result is the same.
    #[test]
    fn every_order_of_news_ends_alike() {
        for ending in [P::Failed, P::Expired, P::Canceled, P::Completed] {
            for late in [P::Unknown, P::Completed] {
                let news = [P::Active, P::Active, P::Processing, ending, ending, late];
                let expected = run(&news);
                for order in permutations(&news) {
                    assert_eq!(run(&order), expected, "{order:?}");
                }
            }
        }
    }
}
