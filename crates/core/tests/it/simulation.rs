//! Whole worlds over the store in memory.

use std::sync::Arc;

use billfold_core::store::memory::MemoryStore;
use billfold_testkit::simulation::{Database, hold, run};

async fn fresh() -> Database {
    Database { store: Arc::new(MemoryStore::new()), files: None }
}

#[tokio::test]
async fn every_world_keeps_its_promises() {
    hold(60, fresh).await;
}

/// A simulation in which nothing happens keeps every promise.
#[tokio::test]
async fn every_kind_of_trouble_is_met() {
    let mut all = String::new();
    for seed in 1..=100 {
        all.push_str(&run(seed, None, fresh().await).await.history.join("\n"));
    }
    let kinds = [
        "dies during [\"",
        "database: commit fails",
        "database: claim_",
        "a commit is made stale",
        "the answer to a commit is lost",
        "create_session is Refused",
        "create_session is LostAfter",
        "fetch_session is LostBefore",
        "delete_method is Unavailable",
        "webhook lost",
        "Unauthenticated: the webhook's secret",
        "InvalidRequest: the webhook's body",
        "the key service is away",
        "KeysUnavailable",
        "gateway 1 is away",
        "the clock was put back",
        "root key 1 is the current one",
        "rotate root key: 5 done",
        "rotate data keys: 1 done",
        "seal anew: 1 done",
        "retire keys: 1 done",
        "an attempt in",
        "(Pending) for",
        "is Revoked",
        "is completed",
        "is expired",
        ": canceled",
        "Gone: this return address",
        "NotFound: there is no such customer",
        "charge is Refused",
        "charge is LostAfter",
        "fetch_charge is LostBefore",
        "capture_charge is ",
        "order 1 again",
        "(\"merchant\", \"automatic\")",
        "(\"customer\", \"manual\")",
        "is RequiresAction",
        "is Authorized",
        "is Processing",
        "is Declined",
        "is Returned",
        "charge.forged",
    ];
    let never_met: Vec<&str> = kinds.into_iter().filter(|kind| !all.contains(kind)).collect();
    assert!(never_met.is_empty(), "never met: {never_met:?}");
}

#[tokio::test]
async fn every_step_may_fail_crash_or_happen_twice() {
    let tellings = billfold_testkit::failpoints::hold(1, fresh).await;
    println!("{tellings} tellings ended alike");
    assert!(tellings > 500, "only {tellings}");
}
