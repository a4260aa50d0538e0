//! When Billfold asks again by itself.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::session::{Session, SessionStatus};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The times at which the sweeper and the workers try again.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// After a session's start, while it is open.
    pub while_open: Vec<Duration>,
    /// After a session's end by time: completions that the gateway reports late are real.
    pub after_expiry: Vec<Duration>,
    /// Between attempts at a webhook that matches nothing or whose gateway is down. After the last,
    /// it is dead.
    pub deliveries: Vec<Duration>,
    /// Between attempts to delete a token at its gateway; the last repeats, up to
    /// [`Schedule::removal_attempts`].
    pub removals: Vec<Duration>,
    /// How often a deletion is tried before it is given up.
    pub removal_attempts: i64,
    /// Between questions about a pending method; the last repeats, up to 30 days after it was saved.
    pub pending_methods: Vec<Duration>,
    /// How long a worker owns what it claimed.
    pub lease: Duration,
    /// Between attempts to finish an erasure whose gateway does not let go.
    pub erasure_retry: Duration,
    /// After which an erased customer's keys and values are destroyed whatever the gateway says.
    pub erasure_deadline: Duration,
    /// How long a webhook's body is kept.
    pub webhook_retention: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            while_open: vec![MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR],
            after_expiry: vec![5 * MINUTE, HOUR, 24 * HOUR, 72 * HOUR],
            deliveries: vec![
                Duration::from_secs(1),
                Duration::from_secs(5),
                Duration::from_secs(30),
                2 * MINUTE,
                10 * MINUTE,
                HOUR,
                6 * HOUR,
                24 * HOUR,
            ],
            removals: vec![Duration::from_secs(30), 5 * MINUTE, HOUR, 6 * HOUR],
            removal_attempts: 40,
            pending_methods: vec![MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR],
            lease: MINUTE,
            erasure_retry: 5 * MINUTE,
            erasure_deadline: 24 * HOUR,
            webhook_retention: 30 * 24 * HOUR,
        }
    }
}

impl Schedule {
    /// When a session is looked at next, given where it stands at `now`.
    pub(crate) fn next_session_check(&self, session: &Session, now: Timestamp) -> Option<Timestamp> {
        let open = self.while_open.iter().map(|after| session.created_at.plus(*after));
        let late = self.after_expiry.iter().map(|after| session.expires_at.plus(*after));
        let next = |times: &mut dyn Iterator<Item = Timestamp>| times.filter(|time| *time > now).min();
        match session.status {
            SessionStatus::Creating | SessionStatus::Active | SessionStatus::Processing => {
                next(&mut open.chain(late))
            }
            SessionStatus::Expired => next(&mut late.into_iter()),
            SessionStatus::Completed | SessionStatus::Failed | SessionStatus::Canceled => None,
        }
    }

    /// When a webhook is worked on again after `attempts`; `None` when it is dead.
    pub(crate) fn next_delivery_attempt(&self, attempts: i64, now: Timestamp) -> Option<Timestamp> {
        let index = usize::try_from(attempts.saturating_sub(1)).ok()?;
        self.deliveries.get(index).map(|after| now.plus(*after))
    }

    /// When a deletion is tried again after `attempts`; `None` when it is given up.
    pub(crate) fn next_removal_attempt(&self, attempts: i64, now: Timestamp) -> Option<Timestamp> {
        (attempts < self.removal_attempts).then(|| now.plus(nth_or_last(&self.removals, attempts)))
    }

    /// When the gateway is asked again about a method saved at `created_at` and still pending.
    pub(crate) fn next_method_check(&self, created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let age = now.since(created_at);
        let step = self.pending_methods.iter().find(|step| **step > age).or(self.pending_methods.last());
        let step = step.copied().unwrap_or(HOUR);
        (age < 30 * 24 * HOUR).then(|| now.plus(step))
    }
}

fn nth_or_last(steps: &[Duration], attempts: i64) -> Duration {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    steps.get(index).or(steps.last()).copied().unwrap_or(HOUR)
}
