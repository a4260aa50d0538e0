//! The contract of `KeyWrapper`: trials that every implementation passes. An implementation brings a
//! [`Bench`] and calls [`run`].
//!
//! ```ignore
//! #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
//! async fn acme_keeps_the_contract() {
//!     key_wrapper::run(|| async { Arc::new(AcmeBench::start().await) as Arc<dyn Bench> }).await;
//! }
//! ```

mod outages;
mod samples;
mod secrets;
mod tampering;
mod wrapping;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::vault::{DataKey, KeyWrapper};
use futures::future::BoxFuture;

pub use secrets::spellings;

/// What the service behind a wrapper can be made to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Work as it should.
    None,
    /// Close every connection.
    Unreachable,
    /// Take requests and never answer.
    Silent,
    /// Answer that it failed.
    Failing,
    /// Answer that we may not.
    Denying,
}

/// An implementation and the service behind it, as the trials need them. Each trial has a bench of its own.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A wrapper, built anew as after a restart. Always of the same root key.
    async fn wrapper(&self) -> Arc<dyn KeyWrapper>;

    /// A wrapper of another root key at the same service.
    async fn other_root_key(&self) -> Arc<dyn KeyWrapper>;

    /// Makes the service do this from now on. `false` when there is no service that could: trials that need
    /// it are then skipped, and say so.
    async fn trouble(&self, trouble: Trouble) -> bool;

    /// Gives the root key another version, which new wraps use. `false` when root keys have no versions.
    async fn rotate(&self) -> bool;

    /// What must never be printed: tokens, credentials, root keys, as they would be read by people.
    fn canaries(&self) -> Vec<String>;

    /// The longest time that a call may take. Give the wrapper a time-out well below it.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// A trial: its name, and what it does with a fresh bench.
pub type Trial = (&'static str, fn(Arc<dyn Bench>) -> BoxFuture<'static, ()>);

/// Every trial. One that fails panics and says why.
pub fn trials() -> Vec<Trial> {
    let mut trials = wrapping::trials();
    trials.extend(tampering::trials());
    trials.extend(outages::trials());
    trials.extend(secrets::trials());
    trials
}

/// Runs every trial, each on a bench that `fresh` gives.
pub async fn run<F>(fresh: impl Fn() -> F)
where
    F: Future<Output = Arc<dyn Bench>>,
{
    for (name, trial) in trials() {
        eprintln!("key wrapper trial: {name}");
        trial(fresh().await).await;
    }
}

/// The end of `call`, which has to come in time.
async fn in_time<T>(bench: &dyn Bench, call: impl Future<Output = T>) -> T {
    let patience = bench.patience();
    let ended = tokio::time::timeout(patience, call).await;
    ended.unwrap_or_else(|_| panic!("a call took longer than {patience:?}"))
}

/// Fails with `otherwise` unless the keys are equal, and prints neither.
fn same(one: &DataKey, two: &DataKey, otherwise: &str) {
    assert!(one.expose() == two.expose(), "{otherwise}");
}
