//! What SQLite must do besides the contract.

use std::os::unix::fs::PermissionsExt as _;

use billfold_core::clock::Timestamp;
use billfold_store::connect;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use tokio_util::task::TaskTracker;

use crate::support::patient;

#[derive(diesel::QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_private_and_a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("billfold.db");
    let url = format!("sqlite://{}", path.display());
    let store = connect(&url, &patient()).await.unwrap();
    let before = store.ping().await.unwrap_err();
    assert!(!before.message.is_empty());
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    store.ping().await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let mut raw = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let mode: Vec<Text> =
        diesel::sql_query("SELECT journal_mode AS value FROM pragma_journal_mode").load(&mut raw).unwrap();
    assert_eq!(mode[0].value, "wal");
    raw.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(error.message.contains("newer schema 29990101000000"), "{}", error.message);
    assert!(store.ping().await.is_err(), "a newer schema is not ready either");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/billfold.db", folder.path().display());
    {
        let store = connect(&url, &patient()).await.unwrap();
        store.migrate().await.unwrap();
    }
    let store = connect(&url, &patient()).await.unwrap();
    store.ping().await.unwrap();
}

/// Servers and commands that start together on a database that is new, or was restored from a copy: neither is in the
/// mode with a write-ahead log yet, and SQLite waits for nobody when that mode is set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_opens_a_new_or_a_restored_file_at_the_same_moment_waits_for_the_other() {
    let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
    for round in 0..20 {
        let path = folder.path().join(format!("{round}.db"));
        let url = format!("sqlite://{}", path.display());
        let open = |url: String| async move {
            let store = connect(&url, &patient()).await?;
            Ok::<_, billfold_store::ConnectError>(store.migrate().await)
        };
        let all: Vec<_> = (0..4).map(|_| tasks.spawn(open(url.clone()))).collect();
        for one in all {
            one.await.unwrap().unwrap().unwrap();
        }
        let copy = folder.path().join(format!("{round}-restored.db"));
        let mut raw = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        raw.batch_execute(&format!("PRAGMA busy_timeout = 5000; VACUUM INTO '{}'", copy.display())).unwrap();
        let url = format!("sqlite://{}", copy.display());
        let all: Vec<_> = (0..4).map(|_| tasks.spawn(open(url.clone()))).collect();
        for one in all {
            one.await.unwrap().unwrap().unwrap();
        }
    }
}

/// A process that dies after an erasure was committed leaves a write-ahead log that holds what was erased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_before_a_crash_leaves_the_log_with_the_next_write() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (folder.path().join("before.db"), folder.path().join("after.db"));
    let log = |path: &std::path::Path| std::path::PathBuf::from(format!("{}-wal", path.display()));
    let store = connect(&format!("sqlite://{}", before.display()), &patient()).await.unwrap();
    store.migrate().await.unwrap();
    let mut raw = SqliteConnection::establish(before.to_str().unwrap()).unwrap();
    raw.batch_execute(
        "PRAGMA secure_delete = ON; CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('CANARY'); \
         DELETE FROM people; DROP TABLE people",
    )
    .unwrap();
    // The files as they are when the process dies.
    std::fs::copy(&before, &after).unwrap();
    std::fs::copy(log(&before), log(&after)).unwrap();
    let holds =
        |path: std::path::PathBuf| std::fs::read(path).unwrap().windows(6).any(|text| text == b"CANARY");
    assert!(holds(log(&after)), "the log holds what was deleted");

    let store = connect(&format!("sqlite://{}", after.display()), &patient()).await.unwrap();
    let now = Timestamp::from_millis(0);
    store.claim_sessions(now, now, 1).await.unwrap();
    assert!(!holds(log(&after)), "the log still holds it");
    assert!(!holds(after), "the file holds it");
}
