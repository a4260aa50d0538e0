//! Whole worlds over the store in memory.

use std::sync::Arc;

use billfold_core::store::memory::MemoryStore;
use billfold_testkit::simulation::{Database, hold};

async fn fresh() -> Database {
    Database { store: Arc::new(MemoryStore::new()), files: None }
}

#[tokio::test]
async fn every_world_keeps_its_promises() {
    hold(100, fresh).await;
}
