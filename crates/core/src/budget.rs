//! How many questions a gateway is asked in the background: those of the sweeper, which nobody waits for. They must
//! leave an account's rate limit to customers, and the sweeper's time to other gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Retry};
use crate::name::{GatewayName, TenantId};

/// How far ahead a question is put off at most after the first moment at which there may be a place: whoever lost a
/// day of webhooks must not wait for a day because of a queue that is over long before.
const LONGEST_QUEUE: Duration = Duration::from_mins(5);
/// For how long a gateway is left alone that asks to slow down and does not say until when.
const SLOW_DOWN: Duration = Duration::from_secs(30);
/// As long as a gateway may ask to be left alone.
const LONGEST_QUIET: Duration = Duration::from_hours(1);
/// When to look again whether a gateway has answered what it is asked already.
const BUSY: Duration = Duration::from_secs(1);

/// Why a question has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The gateway's budget is used up.
    Budget,
    /// The gateway asked to slow down.
    RateLimited,
    /// The gateway has not answered what it was asked before.
    Busy,
    /// The gateway is not in the configuration.
    NotConfigured,
}

impl Wait {
    /// The name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::NotConfigured => "not_configured",
        }
    }
}

/// The clock of everything else, as the limiter reads it: the time since 1970.
#[derive(Debug, Clone)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        since_1970(self.0.now())
    }
}

fn since_1970(at: Timestamp) -> Duration {
    at.since(Timestamp::from_millis(0))
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// The budget of one gateway in this process.
pub(crate) struct Budget {
    /// `None` for any number of questions.
    limiter: Option<Limiter>,
    /// Between two places in the queue.
    apart: Duration,
    queue: Mutex<Queue>,
    under_way: Arc<AtomicUsize>,
    /// Webhooks that are worked on. They are no questions of the sweeper's, and need no place in its queue.
    webhooks: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy)]
struct Queue {
    /// The gateway asked to be left alone until then.
    quiet_until: Timestamp,
    /// The last place that was given to a question which had to wait.
    last: Timestamp,
}

/// A question that is being asked; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Asking(Arc<AtomicUsize>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Budget {
    /// Questions per second, and as many at once as in two seconds, the usual time between two looks at what is due.
    /// Zero is any number.
    fn new(per_second: u32, clock: &Arc<dyn Clock>) -> Self {
        let quota = NonZeroU32::new(per_second).map(|per_second| {
            Quota::per_second(per_second)
                .allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
        });
        let long_ago = Timestamp::from_millis(0);
        Self {
            limiter: quota.map(|quota| RateLimiter::direct_with_clock(quota, Ticks(clock.clone()))),
            apart: quota.map(|quota| quota.replenish_interval()).unwrap_or_default(),
            queue: Mutex::new(Queue { quiet_until: long_ago, last: long_ago }),
            under_way: Arc::default(),
            webhooks: Arc::default(),
        }
    }

    /// Whether so many webhooks of this gateway or more are worked on.
    pub(crate) fn is_busy_with_webhooks(&self, most: usize) -> bool {
        self.webhooks.load(Ordering::SeqCst) >= most.max(1)
    }

    /// Counts a webhook that is worked on.
    pub(crate) fn webhook(&self) -> Asking {
        self.webhooks.fetch_add(1, Ordering::SeqCst);
        Asking(self.webhooks.clone())
    }

    /// Whether so many questions or more are under way.
    pub(crate) fn is_busy(&self, most: usize) -> bool {
        self.under_way.load(Ordering::SeqCst) >= most.max(1)
    }

    /// Takes a place for one question, or says why there is none and when to try again.
    pub(crate) fn take(&self, busy: bool, now: Timestamp) -> Result<Asking, (Wait, Timestamp)> {
        let quiet_until = self.queue().quiet_until;
        if quiet_until > now {
            return Err((Wait::RateLimited, self.queued(quiet_until)));
        }
        if busy {
            return Err((Wait::Busy, self.queued(now.plus(BUSY))));
        }
        if let Some(limiter) = &self.limiter
            && let Err(refused) = limiter.check()
        {
            let wait = refused.wait_time_from(since_1970(now));
            return Err((Wait::Budget, self.queued(now.plus(wait))));
        }
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Ok(Asking(self.under_way.clone()))
    }

    /// The next free place for a question that its gateway has just refused to answer.
    pub(crate) fn later(&self, now: Timestamp) -> Timestamp {
        let quiet_until = self.queue().quiet_until;
        self.queued(quiet_until.max(now.plus(BUSY)))
    }

    /// The next free place in the queue from `first` on: what has to wait comes back bit by bit, and not all at once.
    fn queued(&self, first: Timestamp) -> Timestamp {
        let mut queue = self.queue();
        queue.last = queue.last.plus(self.apart).max(first).min(first.plus(LONGEST_QUEUE));
        queue.last
    }

    /// Hears how a call of this gateway ended, whoever made it.
    pub(crate) fn hear(&self, error: &Error, now: Timestamp) -> Option<Timestamp> {
        let asked = match (error.kind(), error.retry()) {
            (
                ErrorKind::GatewayRateLimited | ErrorKind::GatewayUnavailable,
                Retry::SameKey { after: Some(after) },
            ) => after,
            (ErrorKind::GatewayRateLimited, _) => SLOW_DOWN,
            _ => return None,
        };
        let until = now.plus(asked.min(LONGEST_QUIET));
        let mut queue = self.queue();
        (until > queue.quiet_until).then(|| {
            queue.quiet_until = until;
            until
        })
    }

    /// No state of the queue is ever half made.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("apart", &self.apart)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// The budgets of all gateways.
#[derive(Debug)]
pub(crate) struct Budgets {
    each: BTreeMap<GatewayName, Budget>,
    /// Gateways that stored objects name and the configuration does not, as far as the log has told.
    missing: Mutex<BTreeSet<(TenantId, GatewayName)>>,
}

impl Budgets {
    /// `usual` questions per second for each of these gateways, but for the `own` of some.
    pub(crate) fn new<'a>(
        gateways: impl Iterator<Item = &'a GatewayName>,
        usual: u32,
        own: &BTreeMap<GatewayName, u32>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let budget = |name| Budget::new(own.get(name).copied().unwrap_or(usual), clock);
        let each = gateways.map(|name| (name.clone(), budget(name))).collect();
        Self { each, missing: Mutex::default() }
    }

    /// The budget of a gateway.
    pub(crate) fn of(&self, name: &GatewayName) -> Option<&Budget> {
        self.each.get(name)
    }

    /// Whether it is news that this gateway is not configured.
    pub(crate) fn is_newly_missing(&self, tenant: &TenantId, name: &GatewayName) -> bool {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert((tenant.clone(), name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn budget(per_second: u32) -> (Budget, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(NOW));
        let dynamic: Arc<dyn Clock> = clock.clone();
        (Budget::new(per_second, &dynamic), clock)
    }

    fn takes(budget: &Budget, clock: &ManualClock) -> usize {
        (0..1000).take_while(|_| budget.take(false, clock.now()).is_ok()).count()
    }

    fn limited(after: Option<Duration>) -> Error {
        Error::new(ErrorKind::GatewayRateLimited, "slowly").with_retry(Retry::SameKey { after })
    }

    #[test]
    fn so_many_in_a_second_and_twice_as_many_at_once() {
        let (budget, clock) = budget(5);
        assert_eq!(takes(&budget, &clock), 10);
        for _ in 0..3 {
            clock.advance(Duration::from_secs(1));
            assert_eq!(takes(&budget, &clock), 5);
        }
        clock.advance(Duration::from_hours(1));
        assert_eq!(takes(&budget, &clock), 10);
        let (any, clock) = super::tests::budget(0);
        assert_eq!(takes(&any, &clock), 1000);
    }

    #[test]
    fn what_has_to_wait_comes_back_bit_by_bit() {
        let (budget, clock) = budget(5);
        takes(&budget, &clock);
        let mut before = NOW;
        for _ in 0..10 {
            let (why, place) = budget.take(false, NOW).unwrap_err();
            assert_eq!((why, place.since(before) >= Duration::from_millis(199)), (Wait::Budget, true));
            before = place;
        }
        assert!(before.since(NOW) <= Duration::from_secs(3), "{before}");
        for _ in 0..5000 {
            before = budget.take(false, NOW).unwrap_err().1;
        }
        assert!(before.since(NOW) <= LONGEST_QUEUE + Duration::from_secs(1), "{before}");
        clock.advance(Duration::from_secs(1));
        assert_eq!(takes(&budget, &clock), 5, "a queue takes nothing from what comes by itself");
    }

    #[test]
    fn a_gateway_that_asks_to_slow_down_is_left_alone_until_then() {
        let minute = Duration::from_mins(1);
        for (error, quiet) in [
            (limited(Some(minute)), Some(minute)),
            (limited(None), Some(SLOW_DOWN)),
            (limited(Some(Duration::from_hours(30))), Some(LONGEST_QUIET)),
            (Error::new(ErrorKind::GatewayUnavailable, "down"), None),
            (
                Error::new(ErrorKind::GatewayUnavailable, "down")
                    .with_retry(Retry::SameKey { after: Some(minute) }),
                Some(minute),
            ),
            (Error::new(ErrorKind::GatewayRejected, "no"), None),
        ] {
            let (budget, clock) = budget(5);
            assert_eq!(budget.hear(&error, NOW), quiet.map(|quiet| NOW.plus(quiet)), "{error:?}");
            let Some(quiet) = quiet else {
                assert_eq!(takes(&budget, &clock), 10);
                continue;
            };
            let (why, place) = budget.take(false, NOW).unwrap_err();
            assert_eq!((why, place), (Wait::RateLimited, NOW.plus(quiet)));
            assert!(budget.take(false, NOW).unwrap_err().1 > place, "one after the other");
            clock.advance(quiet);
            assert_eq!(takes(&budget, &clock), 10);
        }
        let (budget, _) = budget(5);
        budget.hear(&limited(Some(minute)), NOW);
        assert_eq!(budget.hear(&limited(Some(Duration::from_secs(1))), NOW), None, "the longest counts");
    }

    #[test]
    fn questions_are_under_way_until_they_are_over() {
        let (budget, _) = budget(0);
        let asking: Vec<_> = (0..3).map(|_| budget.take(false, NOW).unwrap()).collect();
        assert!(budget.is_busy(3) && !budget.is_busy(4));
        assert_eq!(budget.take(true, NOW).unwrap_err(), (Wait::Busy, NOW.plus(BUSY)));
        drop(asking);
        assert!(!budget.is_busy(1));
    }
}
