//! Many clients for a bounded time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Clients at the same time.
pub(crate) const CLIENTS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);

/// Operations and the time that they took together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    count: u64,
    elapsed: Duration,
}

impl Rate {
    pub(crate) fn new(count: u64, elapsed: Duration) -> Self {
        Self { count, elapsed }
    }

    /// Operations a second.
    pub(crate) fn per_second(self) -> u64 {
        let millis = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        self.count.saturating_mul(1000) / millis
    }

    /// Nanoseconds an operation.
    pub(crate) fn nanos(self) -> u64 {
        u64::try_from(self.elapsed.as_nanos()).unwrap_or(u64::MAX) / self.count.max(1)
    }

    /// This rate in hundredths of another.
    pub(crate) fn percent_of(self, other: Self) -> u64 {
        self.per_second().saturating_mul(100) / other.per_second().max(1)
    }
}

/// Runs one client in each of `clients` tasks, over and over, and counts what they do after a warm-up.
pub(crate) async fn run<C, F>(
    clients: Vec<C>,
    step: impl Fn(C) -> F + Clone + Send + 'static,
) -> anyhow::Result<Rate>
where
    C: Send + 'static,
    F: Future<Output = anyhow::Result<C>> + Send,
{
    let (counting, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let (counting, stop, step) = (counting.clone(), stop.clone(), step.clone());
        tasks.spawn(async move {
            let mut done = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                client = step(client).await?;
                done += u64::from(counting.load(Ordering::Relaxed));
            }
            anyhow::Ok(done)
        });
    }
    tokio::time::sleep(WARM_UP).await;
    counting.store(true, Ordering::Relaxed);
    let began = Instant::now();
    tokio::time::sleep(MEASURED).await;
    stop.store(true, Ordering::Relaxed);
    let elapsed = began.elapsed();
    let mut count = 0;
    while let Some(task) = tasks.join_next().await {
        count += task.context("a client panicked")??;
    }
    Ok(Rate::new(count, elapsed))
}
