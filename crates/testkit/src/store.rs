//! The contract of `Store`: trials that every implementation passes. Each begins with an empty,
//! migrated store.

mod audit;
mod charges;
mod claims;
mod erasures;
mod idempotency;
mod keys;
mod outgoing;
mod rows;
mod samples;
mod vault;
mod writes;

use std::sync::Arc;

use billfold_core::store::Store;
use futures::future::BoxFuture;

/// A trial: its name, and what it does with an empty store.
pub type Trial = (&'static str, fn(Arc<dyn Store>) -> BoxFuture<'static, ()>);

/// Every trial.
pub fn trials() -> Vec<Trial> {
    let mut trials = rows::trials();
    trials.extend(writes::trials());
    trials.extend(claims::trials());
    trials.extend(keys::trials());
    trials.extend(vault::trials());
    trials.extend(erasures::trials());
    trials.extend(audit::trials());
    trials.extend(outgoing::trials());
    trials.extend(idempotency::trials());
    trials.extend(charges::trials());
    trials
}

/// Runs every trial, each on a store that `fresh` gives.
pub async fn run<F>(fresh: impl Fn() -> F)
where
    F: Future<Output = Arc<dyn Store>>,
{
    for (name, trial) in trials() {
        let store = fresh().await;
        store.migrate().await.unwrap_or_else(|error| panic!("{name}: migrate: {error}"));
        store.ping().await.unwrap_or_else(|error| panic!("{name}: ping: {error}"));
        eprintln!("store trial: {name}");
        trial(store).await;
    }
}
