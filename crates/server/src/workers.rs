//! The background: webhooks and deletions as they come, sweeps as they are due.

use std::future::Future;
use std::time::Duration;

use billfold_core::{Billfold, Result};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const BATCH: u32 = 20;
/// Vault records that end, and deliveries that are old, are deleted without asking anybody.
const EXPIRED: u32 = 200;
const AFTER_ERROR: Duration = Duration::from_secs(2);

/// How often superseded data keys are looked for: they stay for minutes in any case.
const HOUSEKEEPING: Duration = Duration::from_mins(1);

/// Starts the loops. They end after what they hold when `stop` is canceled.
pub(crate) fn start(billfold: &Billfold, interval: Duration, stop: &CancellationToken, tasks: &TaskTracker) {
    let (worker, sweeper, housekeeper) = (billfold.clone(), billfold.clone(), billfold.clone());
    tasks.spawn(repeat(stop.clone(), interval, Some(billfold.clone()), move || {
        let billfold = worker.clone();
        async move { Ok(billfold.process(BATCH).await? + billfold.remove_tokens(BATCH).await?) }
    }));
    tasks.spawn(repeat(stop.clone(), interval, None, move || {
        let billfold = sweeper.clone();
        async move { sweep(&billfold).await }
    }));
    tasks.spawn(repeat(stop.clone(), interval.max(HOUSEKEEPING), None, move || {
        let billfold = housekeeper.clone();
        async move { billfold.vault().retire_keys(BATCH).await }
    }));
}

/// Whatever is due by the clock. One kind of work that fails does not keep the others from being done.
async fn sweep(billfold: &Billfold) -> Result<usize> {
    let (sessions, methods) = (billfold.reconcile(BATCH).await, billfold.recheck_methods(BATCH).await);
    let charges = billfold.reconcile_charges(BATCH).await;
    let erasures = billfold.continue_erasures(BATCH).await;
    let expired = billfold.vault().sweep_expired(EXPIRED).await;
    let delivered = billfold.sweep_webhook_deliveries(EXPIRED).await;
    let keys = billfold.sweep_idempotency_keys(EXPIRED).await;
    Ok(sessions? + methods? + charges? + erasures? + expired? + delivered? + keys?)
}

/// Works while there is work, then waits until some is announced or the interval is over. An error
/// is logged and never ends the loop.
async fn repeat<W, F>(stop: CancellationToken, interval: Duration, announced: Option<Billfold>, work: W)
where
    W: Fn() -> F,
    F: Future<Output = Result<usize>>,
{
    while !stop.is_cancelled() {
        let pause = match work().await {
            Ok(0) => interval,
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(error = %error.log_line(), "background work failed");
                AFTER_ERROR
            }
        };
        let woken = async {
            match &announced {
                Some(billfold) => billfold.work_arrived().await,
                None => std::future::pending().await,
            }
        };
        let wait = async { tokio::time::timeout(pause, woken).await };
        let _ = stop.run_until_cancelled(wait).await;
    }
}
