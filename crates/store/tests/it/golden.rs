//! Databases of every release open in this one. `cargo run -p billfold-store --example golden` made them; those of
//! a release that is out are never made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use billfold_core::store::Store;
use billfold_core::vault::{KeyWrapper, LocalWrapper};
use billfold_store::connect;
use billfold_testkit::filled::{Expected, Filled};
use billfold_testkit::postgres::ThrowAwayPostgres;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};

use crate::support::patient;

/// The folders of all releases.
fn releases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut releases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    releases.sort();
    assert!(!releases.is_empty());
    releases
}

fn root(release: &Path) -> Arc<dyn KeyWrapper> {
    let text = std::fs::read_to_string(release.join("root-key.txt")).unwrap();
    Arc::new(LocalWrapper::from_base64(&text.into()).unwrap())
}

async fn check(release: &Path, store: Arc<dyn Store>, expected: &str) {
    let expected = std::fs::read_to_string(release.join(expected)).unwrap();
    let expected: Expected = serde_json::from_str(&expected).unwrap();
    store.migrate().await.unwrap();
    store.ping().await.unwrap();
    let found = Filled::open(store, root(release), expected.at);
    found.check(&expected).await;
    found.use_it(&expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_databases_of_all_releases_open() {
    for release in releases() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("billfold.db");
        std::fs::copy(release.join("billfold.db"), &copy).unwrap();
        let url = format!("sqlite://{}", copy.display());
        let store = connect(&url, &patient()).await.unwrap();
        check(&release, store, "sqlite.json").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_databases_of_all_releases_open() {
    for release in releases() {
        let Some(database) = ThrowAwayPostgres::database().await else { return };
        let dump = std::fs::read_to_string(release.join("postgres.sql")).unwrap();
        let mut raw = AsyncPgConnection::establish(&database.url).await.unwrap();
        raw.batch_execute(&dump).await.unwrap();
        let store = connect(&database.url, &patient()).await.unwrap();
        check(&release, store, "postgres.json").await;
    }
}

/// They stay small, and a database that is not whole does not pass for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_database_is_found_out() {
    for release in releases() {
        for file in ["billfold.db", "postgres.sql", "sqlite.json", "postgres.json"] {
            assert!(std::fs::metadata(release.join(file)).unwrap().len() < 200_000, "{file} is too large");
        }
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("billfold.db");
        std::fs::copy(release.join("billfold.db"), &copy).unwrap();
        let mut raw =
            <diesel::SqliteConnection as diesel::Connection>::establish(copy.to_str().unwrap()).unwrap();
        let swap = "UPDATE vault_records SET sealed = (SELECT sealed FROM vault_records ORDER BY id DESC LIMIT 1) \
                    WHERE id = (SELECT id FROM vault_records ORDER BY id LIMIT 1)";
        diesel::connection::SimpleConnection::batch_execute(&mut raw, swap).unwrap();
        let url = format!("sqlite://{}", copy.display());
        let store = connect(&url, &patient()).await.unwrap();
        let expected = std::fs::read_to_string(release.join("sqlite.json")).unwrap();
        let expected: Expected = serde_json::from_str(&expected).unwrap();
        let found = Filled::open(store, root(&release), expected.at);
        let verified = found.billfold.vault().verify_step(None, 1000).await.unwrap();
        assert_eq!((verified.opened, verified.refused.len()), (expected.sealed - 1, 1));
    }
}
