//! What SQLite must do besides the contract.

use std::os::unix::fs::PermissionsExt as _;

use billfold_store::{StoreOptions, connect};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};

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
    let store = connect(&url, &StoreOptions::default()).await.unwrap();
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
        let store = connect(&url, &StoreOptions::default()).await.unwrap();
        store.migrate().await.unwrap();
    }
    let store = connect(&url, &StoreOptions::default()).await.unwrap();
    store.ping().await.unwrap();
}
