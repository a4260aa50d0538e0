//! Jobs that work through a table in small steps, next to whatever else is writing.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::bail;
use billfold_core::Result;
use billfold_core::vault::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::BatchArgs;

/// What a job came to.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Totals {
    pub(crate) seen: usize,
    pub(crate) changed: usize,
    pub(crate) failed: usize,
}

impl Totals {
    /// An error if anything failed.
    pub(crate) fn check(self, what: &str) -> anyhow::Result<()> {
        if self.failed > 0 {
            bail!("{} of {} {what} failed; the lines above say why", self.failed, self.seen);
        }
        Ok(())
    }
}

/// Repeats a step from cursor to cursor until nothing is left.
pub(crate) async fn run<C: Copy>(
    name: &'static str,
    expected: i64,
    batch: &BatchArgs,
    step: impl AsyncFn(Option<C>) -> Result<Progress<C>>,
) -> Result<Totals> {
    let bar = bar(name, expected);
    let (mut totals, mut after) = (Totals::default(), None);
    loop {
        let progress = step(after).await?;
        totals.seen += progress.seen;
        totals.changed += progress.changed;
        totals.failed += progress.failed;
        bar.inc(u64::try_from(progress.seen).unwrap_or(u64::MAX));
        after = progress.next;
        if progress.seen == 0 || after.is_none() {
            bar.finish_and_clear();
            return Ok(totals);
        }
        rest(batch).await;
    }
}

/// The rest between two steps.
pub(crate) async fn rest(batch: &BatchArgs) {
    if batch.pause_ms > 0 {
        tokio::time::sleep(Duration::from_millis(batch.pause_ms)).await;
    }
}

/// A bar on standard error, when somebody looks at it.
pub(crate) fn bar(name: &'static str, expected: i64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let total = u64::try_from(expected).unwrap_or(0);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {per_sec} {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(name);
    bar
}
