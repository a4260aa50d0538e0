//! Both databases, empty and migrated.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use billfold_core::store::Store;
use billfold_store::{StoreOptions, connect};
use billfold_testkit::postgres::ThrowAwayPostgres;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Options for a machine that may be busy: what takes long is waited for.
pub(crate) fn patient() -> StoreOptions {
    let minute = Duration::from_mins(1);
    StoreOptions { acquire_timeout: minute, statement_timeout: minute, ..StoreOptions::default() }
}

/// A database, and what a test needs to look at it from outside.
pub(crate) struct Database {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    pub(crate) store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/billfold.db", folder.path().display());
        Self::open("SQLite", url, Some(folder)).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let database = ThrowAwayPostgres::database().await?;
        Some(Self::open("PostgreSQL", database.url, None).await)
    }

    /// Each that this machine has.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        all.extend(Self::postgres().await);
        all
    }

    async fn open(name: &'static str, url: String, folder: Option<TempDir>) -> Self {
        let store = connect(&url, &patient()).await.unwrap();
        store.migrate().await.unwrap();
        Self { name, url, store, _folder: folder }
    }

    /// The file of a SQLite database.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(self.url.strip_prefix("sqlite://").unwrap())
    }
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap()
}

/// Runs tasks at the same time, on the runtime's threads.
pub(crate) async fn at_once<T, F>(tasks: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut set = JoinSet::new();
    for task in tasks {
        set.spawn(task);
    }
    set.join_all().await
}
