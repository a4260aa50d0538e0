//! When Billfold asks again by itself.

use std::time::Duration;

use crate::charge::Charge;
use crate::clock::Timestamp;
use crate::entropy::{Entropy, EntropyError};
use crate::payment_method::{Display, PaymentMethod, PaymentMethodStatus};
use crate::session::{Session, SessionStatus};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// As long as a receiver of webhooks may ask to be left alone.
const MAX_RETRY_AFTER: Duration = HOUR;
/// How long after its end a gateway that does not answer is asked about a session.
const LONGEST_QUESTION: Duration = Duration::from_hours(30 * 24);

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
    /// Between questions about a pending method; the last repeats, up to 30 days after it last changed.
    pub pending_methods: Vec<Duration>,
    /// Between questions about an active method; `None` waits for the gateway to tell.
    pub active_methods: Option<Duration>,
    /// Between questions about a charge that its gateway has not ended, by the time since it began; the last repeats,
    /// up to [`Schedule::charges_for`].
    pub charges: Vec<Duration>,
    /// For how long a charge is asked about. Bank debits take days.
    pub charges_for: Duration,
    /// After which a charge that its gateway never heard of is declined, and a capture or refund that it never heard
    /// of has failed: the request cannot arrive any more.
    pub charge_lost_after: Duration,
    /// How long before its card ends a method's merchant is told.
    pub expiring_before: Duration,
    /// How many questions the sweeper asks each gateway in a second, at each process, and twice as many at once; 0 for
    /// any number. Five leave customers half of what the narrowest gateway allows (600 calls a minute), and find out
    /// about a thousand lost webhooks in 200 seconds.
    pub background_calls_per_second: u32,
    /// After which it is looked at again whether a gateway that objects wait for, and that is not configured any more,
    /// is there.
    pub missing_gateway: Duration,
    /// How much of what a worker claimed is worked on at once, of one gateway in the sweeper's case. With ten, a batch of twenty whose every gateway call
    /// takes as long as a call may take is done well before its lease is over.
    pub at_once: usize,
    /// How long a worker owns what it claimed.
    pub lease: Duration,
    /// Between attempts to finish an erasure whose gateway does not let go.
    pub erasure_retry: Duration,
    /// After which an erased customer's keys and values are destroyed whatever the gateway says.
    pub erasure_deadline: Duration,
    /// How long a webhook's body is kept.
    pub webhook_retention: Duration,
    /// How long the answers of requests that came with an idempotency key are kept.
    pub idempotency_retention: Duration,
    /// After which a key is free again whose request was never finished.
    pub idempotency_lease: Duration,
    /// Between attempts to send an event to a webhook endpoint, each a fifth shorter or longer by chance. After the
    /// last, it is given up.
    pub endpoint_retries: Vec<Duration>,
    /// An endpoint is disabled when every attempt has failed for this long.
    pub endpoint_disable_after: Duration,
    /// How long finished deliveries to webhook endpoints are kept.
    pub endpoint_delivery_retention: Duration,
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
            active_methods: Some(7 * 24 * HOUR),
            charges: vec![MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR],
            charges_for: 60 * 24 * HOUR,
            charge_lost_after: 10 * MINUTE,
            expiring_before: 30 * 24 * HOUR,
            background_calls_per_second: 5,
            missing_gateway: HOUR,
            at_once: 10,
            lease: MINUTE,
            erasure_retry: 5 * MINUTE,
            erasure_deadline: 24 * HOUR,
            webhook_retention: 30 * 24 * HOUR,
            idempotency_retention: 24 * HOUR,
            idempotency_lease: 2 * MINUTE,
            endpoint_retries: vec![
                Duration::from_secs(5),
                5 * MINUTE,
                30 * MINUTE,
                2 * HOUR,
                5 * HOUR,
                10 * HOUR,
                14 * HOUR,
                20 * HOUR,
                24 * HOUR,
            ],
            endpoint_disable_after: 5 * 24 * HOUR,
            endpoint_delivery_retention: 30 * 24 * HOUR,
        }
    }
}

impl Schedule {
    /// When a session is looked at next, given where it stands at `now`. One that is open is always looked at
    /// again, however late it is.
    pub(crate) fn next_session_check(&self, session: &Session, now: Timestamp) -> Option<Timestamp> {
        let open = self.while_open.iter().map(|after| session.created_at.plus(*after));
        let late = self.after_expiry.iter().map(|after| session.expires_at.plus(*after));
        let next = |times: &mut dyn Iterator<Item = Timestamp>| times.filter(|time| *time > now).min();
        match session.status {
            SessionStatus::Creating | SessionStatus::Active | SessionStatus::Processing => {
                next(&mut open.chain(late)).or(Some(now.plus(HOUR)))
            }
            SessionStatus::Expired => next(&mut late.into_iter()),
            SessionStatus::Completed | SessionStatus::Failed | SessionStatus::Canceled => None,
        }
    }

    /// The same after a question that its gateway did not answer. The last answer counts, not the last
    /// question: whoever was away for longer than all the times above must not miss a late completion because
    /// the one call that was left to make failed.
    pub(crate) fn next_session_check_unanswered(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let next = self.next_session_check(session, now);
        let ask_on =
            session.status == SessionStatus::Expired && now.since(session.expires_at) < LONGEST_QUESTION;
        next.or_else(|| ask_on.then(|| now.plus(HOUR)))
    }

    /// When a webhook is worked on again after `attempts`; `None` when it is dead.
    pub(crate) fn next_delivery_attempt(&self, attempts: i64, now: Timestamp) -> Option<Timestamp> {
        let index = usize::try_from(attempts.saturating_sub(1)).ok()?;
        self.deliveries.get(index).map(|after| now.plus(*after))
    }

    /// How often a webhook is worked on at most. When it comes again after it was given up, it gets one attempt more.
    pub(crate) fn most_delivery_attempts(&self, received_count: i64) -> i64 {
        let scheduled = i64::try_from(self.deliveries.len()).unwrap_or(i64::MAX);
        scheduled.saturating_add(received_count)
    }

    /// When a deletion is tried again after `attempts`; `None` when it is given up.
    pub(crate) fn next_removal_attempt(&self, attempts: i64, now: Timestamp) -> Option<Timestamp> {
        (attempts < self.removal_attempts).then(|| now.plus(nth_or_last(&self.removals, attempts)))
    }

    /// When something is looked at again that waits for a gateway which is not configured: a fifth sooner or later.
    pub(crate) fn next_look_for_gateway(
        &self,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Timestamp, EntropyError> {
        Ok(now.plus(jittered(self.missing_gateway, entropy)?))
    }

    /// When an event is sent again after `attempts`, not before the receiver asked for it; `None` when it is given
    /// up.
    pub(crate) fn next_endpoint_attempt(
        &self,
        attempts: i64,
        retry_after: Option<Duration>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Option<Timestamp>, EntropyError> {
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(step) = self.endpoint_retries.get(index) else { return Ok(None) };
        let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        Ok(Some(now.plus(jittered(*step, entropy)?.max(asked))))
    }

    /// When a method is looked at again: a pending one by the time since it became so, an active one after a while and when its card
    /// ends or is about to.
    pub(crate) fn next_method_check(&self, method: &PaymentMethod, now: Timestamp) -> Option<Timestamp> {
        match method.status {
            PaymentMethodStatus::Pending => {
                let age = now.since(method.updated_at);
                let step = self.pending_methods.iter().find(|step| **step > age);
                let step = step.or(self.pending_methods.last()).copied().unwrap_or(HOUR);
                (age < 30 * 24 * HOUR).then(|| now.plus(step))
            }
            PaymentMethodStatus::Active => {
                let ends = method.display.ends_at();
                let told = method.expiring_since.is_some();
                let warned = ends.filter(|_| !told).map(|end| end.minus(self.expiring_before));
                let asked = self.active_methods.map(|after| now.plus(after));
                [ends, warned, asked].into_iter().flatten().min()
            }
            _ => None,
        }
    }

    /// When a charge is asked about next: soon after it, its capture or its latest refund began, and more slowly later.
    /// `None` for one that is over.
    pub(crate) fn next_charge_check(&self, charge: &Charge, now: Timestamp) -> Option<Timestamp> {
        if !charge.is_open() {
            return None;
        }
        let refunds = charge.details.refunds.iter().filter(|refund| refund.status.is_open());
        let began = refunds.map(|refund| refund.created_at).chain(charge.capture_began());
        let began = began.chain([charge.created_at]).max();
        let age = now.since(began.unwrap_or(charge.created_at));
        let step = self.charges.iter().find(|step| **step > age).or(self.charges.last());
        (age < self.charges_for).then(|| now.plus(step.copied().unwrap_or(HOUR)))
    }

    /// Whether a card of this expiry date ends soon.
    pub(crate) fn is_expiring(&self, display: &Display, now: Timestamp) -> bool {
        display.ends_at().is_some_and(|end| end.minus(self.expiring_before) <= now)
    }
}

/// From four fifths to six fifths of `step`, so that what failed together does not come back together.
fn jittered(step: Duration, entropy: &dyn Entropy) -> Result<Duration, EntropyError> {
    let mut random = [0_u8; 4];
    entropy.fill(&mut random)?;
    let fifth = step / 5;
    let share = u128::from(u32::from_be_bytes(random));
    let added = 2 * fifth.as_millis() * share / u128::from(u32::MAX);
    Ok(4 * fifth + Duration::from_millis(u64::try_from(added).unwrap_or(0)))
}

/// Up to a second later by chance, so that several processes do not come back together.
pub(crate) fn scattered(at: Timestamp, entropy: &dyn Entropy) -> Result<Timestamp, EntropyError> {
    let mut random = [0_u8; 2];
    entropy.fill(&mut random)?;
    Ok(at.plus(Duration::from_millis(u64::from(u16::from_be_bytes(random)) % 1000)))
}

fn nth_or_last(steps: &[Duration], attempts: i64) -> Duration {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    steps.get(index).or(steps.last()).copied().unwrap_or(HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    /// Always the same byte.
    #[derive(Debug)]
    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    fn wait(attempts: i64, retry_after: Option<u64>, entropy: &dyn Entropy) -> Option<Duration> {
        let asked = retry_after.map(Duration::from_secs);
        let next = Schedule::default().next_endpoint_attempt(attempts, asked, NOW, entropy).unwrap();
        next.map(|next| next.since(NOW))
    }

    #[test]
    fn each_wait_is_a_fifth_shorter_or_longer_at_most() {
        for (index, step) in Schedule::default().endpoint_retries.iter().enumerate() {
            let attempts = i64::try_from(index).unwrap() + 1;
            assert_eq!(wait(attempts, None, &Constant(0)), Some(*step * 4 / 5));
            assert_eq!(wait(attempts, None, &Constant(255)), Some(*step * 6 / 5));
            let chance = wait(attempts, None, &SystemEntropy).unwrap();
            assert!(chance >= *step * 4 / 5 && chance <= *step * 6 / 5, "{chance:?}");
        }
        assert_eq!(wait(10, None, &SystemEntropy), None, "the tenth attempt is the last");
    }

    #[test]
    fn a_receiver_may_ask_for_time_but_not_for_more_than_an_hour() {
        assert_eq!(wait(1, Some(90), &Constant(0)), Some(Duration::from_secs(90)));
        assert_eq!(wait(1, Some(1), &Constant(0)), Some(Duration::from_secs(4)), "not sooner than planned");
        assert_eq!(wait(1, Some(u64::MAX), &Constant(0)), Some(HOUR));
        assert_eq!(wait(4, Some(90), &Constant(0)), Some(2 * HOUR * 4 / 5));
    }
}
