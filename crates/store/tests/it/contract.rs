//! The contract, three times.

use std::sync::Arc;

use billfold_core::store::Store;
use billfold_core::store::memory::MemoryStore;
use billfold_store::connect;
use billfold_testkit::postgres::ThrowAwayPostgres;
use billfold_testkit::store;

use crate::support::patient;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    store::run(|| async { Arc::new(MemoryStore::new()) as Arc<dyn Store> }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let next = std::sync::atomic::AtomicU32::new(0);
    store::run(|| {
        let name = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let url = format!("sqlite://{}/{name}.db", folder.path().display());
        async move { connect(&url, &patient()).await.unwrap() }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    if ThrowAwayPostgres::database().await.is_none() {
        return;
    }
    store::run(|| async {
        let database = ThrowAwayPostgres::database().await.unwrap();
        connect(&database.url, &patient()).await.unwrap()
    })
    .await;
}
