//! How often a value may be revealed: a bound for each API key, so that a stolen one empties no vault.

use std::fmt;
use std::num::NonZeroU32;

use axum::http::StatusCode;
use billfold_core::audit::Actor;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::problem::Problem;

/// One bucket for each caller: as many as authenticated ever, so no stranger makes it grow.
pub(crate) struct RevealLimit {
    buckets: DefaultKeyedRateLimiter<String>,
    per_minute: NonZeroU32,
    clock: DefaultClock,
}

impl RevealLimit {
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        let buckets = RateLimiter::keyed(Quota::per_minute(per_minute));
        Self { buckets, per_minute, clock: DefaultClock::default() }
    }

    /// Counts one reveal, or says when the next is allowed.
    pub(crate) fn take(&self, caller: &Actor) -> Result<(), Problem> {
        self.buckets.check_key(&caller.as_str().to_owned()).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
            let detail = format!("this API key may reveal {} values in a minute", self.per_minute);
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(wait)
        })
    }
}

impl fmt::Debug for RevealLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevealLimit").field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}
