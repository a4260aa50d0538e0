//! Every migration goes up, down and up again on a database that holds something of everything.

use std::path::PathBuf;
use std::sync::Arc;

use billfold_core::clock::Timestamp;
use billfold_core::vault::KeyWrapper;
use billfold_testkit::filled::Filled;
use billfold_testkit::vault::test_root;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};

use crate::support::{Database, repository};

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

/// What undoes everything, newest first.
fn downs(folder: &str) -> String {
    let folder = repository().join("migrations").join(folder);
    let mut migrations: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    migrations.sort();
    assert!(!migrations.is_empty());
    let mut all = String::new();
    for migration in migrations.iter().rev() {
        all.push_str(&std::fs::read_to_string(migration.join("down.sql")).unwrap());
    }
    all + "DELETE FROM __diesel_schema_migrations;"
}

async fn filled(database: &Database, root: &Arc<dyn KeyWrapper>) {
    let at = Timestamp::from_millis(1_780_000_000_000);
    let filled = Filled::open(database.store.clone(), root.clone(), at);
    let expected = filled.fill().await;
    // Another program finds it, and works with it.
    let again = Filled::open(database.store.clone(), root.clone(), expected.at);
    again.check(&expected).await;
    again.use_it(&expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_goes_down_and_up_again() {
    let database = Database::sqlite().await;
    let root = test_root();
    for _ in 0..2 {
        filled(&database, &root).await;
        let mut raw = SqliteConnection::establish(database.path().to_str().unwrap()).unwrap();
        raw.batch_execute("PRAGMA foreign_keys = ON").unwrap();
        raw.batch_execute(&downs("sqlite")).unwrap();
        let left =
            "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '%diesel%'";
        let left: Vec<Name> = diesel::sql_query(left).load(&mut raw).unwrap();
        assert!(left.is_empty(), "{:?}", left.iter().map(|left| &left.name).collect::<Vec<_>>());
        assert!(database.store.ping().await.is_err(), "a database without a schema is not ready");
        database.store.migrate().await.unwrap();
        database.store.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_goes_down_and_up_again() {
    let Some(database) = Database::postgres().await else { return };
    let root = test_root();
    for _ in 0..2 {
        filled(&database, &root).await;
        let mut raw = AsyncPgConnection::establish(&database.url).await.unwrap();
        raw.batch_execute(&downs("postgres")).await.unwrap();
        let left = "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                    AND relname NOT LIKE '%diesel%' UNION ALL \
                    SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
                    AND proname NOT LIKE '%diesel%'";
        let left: Vec<Name> =
            diesel_async::RunQueryDsl::load(diesel::sql_query(left), &mut raw).await.unwrap();
        assert!(left.is_empty(), "{:?}", left.iter().map(|left| &left.name).collect::<Vec<_>>());
        assert!(database.store.ping().await.is_err(), "a database without a schema is not ready");
        database.store.migrate().await.unwrap();
        database.store.ping().await.unwrap();
    }
}
