//! The sandbox's time: the machine's, plus whatever the control API added.

use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the sandbox's time in milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub(crate) struct SandboxClock {
    ahead: AtomicI64,
}

impl SandboxClock {
    #[expect(clippy::disallowed_methods, reason = "this is the sandbox's own clock")]
    pub(crate) fn now(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond().saturating_add(self.ahead.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, millis: i64) {
        self.ahead.fetch_add(millis, Ordering::SeqCst);
    }
}

/// The form in which the gateway writes times.
pub(crate) fn iso(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// Year and month of a moment, as expiry dates count them.
pub(crate) fn year_and_month(millis: i64) -> (i16, i8) {
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    (at.year(), at.month())
}

/// Milliseconds of a time that a client wrote.
pub(crate) fn parse(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}
