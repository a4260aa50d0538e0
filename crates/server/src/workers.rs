//! The background: webhooks and deletions as they come, sweeps as they are due.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::{Billfold, Result};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const BATCH: u32 = 20;
/// Vault records that end, and deliveries that are old, are deleted without asking anybody.
const EXPIRED: u32 = 200;
const AFTER_ERROR: Duration = Duration::from_secs(2);

/// After so long the next round does not wait for the one before: a gateway that does not answer keeps it, while others
/// have something due.
const SLOW: Duration = Duration::from_secs(5);
/// Rounds of one kind at the same time, when gateways are slow.
const SWEEPS: usize = 4;

/// How often superseded data keys are looked for: they stay for minutes in any case.
const HOUSEKEEPING: Duration = Duration::from_mins(1);

/// How much longer than it took the next scrub is away.
const SCRUB_SHARE: u32 = 100;
/// A disk that is full, or a backup that is read, takes a while to pass.
const FAILED_SCRUB: Duration = Duration::from_mins(1);

/// Starts the loops. They end after what they hold when `stop` is canceled.
pub(crate) fn start(billfold: &Billfold, interval: Duration, stop: &CancellationToken, tasks: &TaskTracker) {
    let gateways = Work {
        billfold: billfold.clone(),
        interval,
        at_once: SWEEPS,
        announced: false,
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    let inbox = Work { announced: true, ..gateways.clone() };
    let clock = Work { at_once: 1, ..gateways.clone() };
    let keys = Work { interval: interval.max(HOUSEKEEPING), ..clock.clone() };
    tasks.spawn(inbox.repeat(|billfold| async move {
        Ok(billfold.process(BATCH).await? + billfold.remove_tokens(BATCH).await?)
    }));
    tasks.spawn(gateways.clone().repeat(|billfold| async move { billfold.reconcile(BATCH).await }));
    tasks.spawn(gateways.clone().repeat(|billfold| async move { billfold.recheck_methods(BATCH).await }));
    tasks.spawn(gateways.repeat(|billfold| async move { billfold.reconcile_charges(BATCH).await }));
    tasks.spawn(clock.repeat(|billfold| async move { sweep(&billfold).await }));
    tasks.spawn(keys.repeat(|billfold| async move { billfold.vault().retire_keys(BATCH).await }));
}

/// Overwrites what erased customers left in the database's file. Whoever writes waits meanwhile, so it gets a hundredth
/// of the time at most.
pub(crate) async fn scrub(billfold: Billfold, pause: Duration, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let began = Instant::now();
        let scrubbed = billfold.vault().scrub().await;
        let took = began.elapsed();
        let next = pause.max(took * SCRUB_SHARE);
        let next = match scrubbed {
            Ok(false) => next,
            Ok(true) => {
                tracing::info!(
                    took_ms = took.as_millis(),
                    "the database's file was written anew after erasures"
                );
                next
            }
            Err(error) => {
                let error = error.log_line();
                tracing::warn!(
                    error,
                    "what erased customers left in the database's file is not overwritten yet"
                );
                next.max(FAILED_SCRUB)
            }
        };
        let _ = stop.run_until_cancelled(tokio::time::sleep(next)).await;
    }
}

/// Whatever else is due by the clock. One kind of work that fails does not keep the others from being done.
async fn sweep(billfold: &Billfold) -> Result<usize> {
    let erasures = billfold.continue_erasures(BATCH).await;
    let expired = billfold.vault().sweep_expired(EXPIRED).await;
    let delivered = billfold.sweep_webhook_deliveries(EXPIRED).await;
    let keys = billfold.sweep_idempotency_keys(EXPIRED).await;
    Ok(erasures? + expired? + delivered? + keys?)
}

/// One kind of work, done while there is some, then when the interval is over.
#[derive(Clone)]
struct Work {
    billfold: Billfold,
    interval: Duration,
    /// What is slow goes on beside the next, up to so many.
    at_once: usize,
    /// Whether it begins at once when some arrives.
    announced: bool,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Work {
    /// Each round is a task: one that panics ends itself and no other.
    async fn repeat<W, F>(self, work: W)
    where
        W: Fn(Billfold) -> F,
        F: Future<Output = Result<usize>> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.at_once));
        while let Some(Ok(slot)) = self.stop.run_until_cancelled(slots.clone().acquire_owned()).await {
            let (round, interval) = (work(self.billfold.clone()), self.interval);
            let task = self.tasks.spawn(async move {
                let pause = pause_after(round.await, interval);
                drop(slot);
                pause
            });
            let longest = if self.at_once > 1 { SLOW } else { Duration::MAX };
            let pause = match tokio::time::timeout(longest, task).await {
                Ok(Ok(None)) | Err(_) => continue,
                Ok(Ok(Some(pause))) => pause,
                Ok(Err(_panicked)) => AFTER_ERROR,
            };
            let woken = async {
                if self.announced {
                    self.billfold.work_arrived().await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            let wait = async { tokio::time::timeout(pause, woken).await };
            let _ = self.stop.run_until_cancelled(wait).await;
        }
    }
}

/// How long to wait after some work; `None` when there may be more.
fn pause_after(worked: Result<usize>, interval: Duration) -> Option<Duration> {
    match worked {
        Ok(0) => Some(interval),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(error = %error.log_line(), "background work failed");
            Some(AFTER_ERROR)
        }
    }
}
