//! The audit trail cannot be changed through the database either, short of taking its guards away first.

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};

use billfold_core::audit::Actor;
use billfold_core::name::TenantId;
use billfold_core::vault::Vault;
use billfold_testkit::vault::test_vault;

use crate::support::Database;

const CHANGES: [&str; 6] = [
    "UPDATE audit_entries SET actor = 'somebody else' WHERE sequence = 2",
    "UPDATE audit_entries SET hash = hash",
    "DELETE FROM audit_entries WHERE sequence = 3",
    "DELETE FROM audit_entries",
    "INSERT INTO audit_entries SELECT * FROM audit_entries WHERE sequence = 1 \
     ON CONFLICT (tenant, sequence) DO UPDATE SET actor = 'somebody else'",
    "INSERT INTO audit_entries SELECT * FROM audit_entries WHERE sequence = 1",
];

async fn trail(vault: &Vault) {
    for _ in 0..3 {
        let details = serde_json::json!({});
        vault.record_job(&TenantId::default_tenant(), &Actor::system(), "test", &details).await.unwrap();
    }
}

async fn unchanged(database: &Database) {
    let entries = database.store.audit_entries(&TenantId::default_tenant(), 0, 10).await.unwrap();
    let places: Vec<_> = entries.iter().map(|entry| (entry.sequence, entry.actor.as_str())).collect();
    assert_eq!(places, [(1, "system"), (2, "system"), (3, "system")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_refuses_to_change_the_trail() {
    let database = Database::sqlite().await;
    let vault = test_vault(database.store.clone());
    trail(&vault).await;
    let mut raw = SqliteConnection::establish(database.path().to_str().unwrap()).unwrap();
    let replace = [
        "INSERT OR REPLACE INTO audit_entries SELECT tenant, sequence, happened_at, 'somebody else', action, \
         object, details, hash FROM audit_entries WHERE sequence = 1",
        "REPLACE INTO audit_entries SELECT tenant, 2, happened_at, actor, action, object, details, hash \
         FROM audit_entries WHERE sequence = 1",
        "UPDATE OR REPLACE audit_entries SET sequence = 2 WHERE sequence = 1",
    ];
    for change in CHANGES.iter().chain(&replace) {
        let change =
            change.replace("WHERE sequence = 1 ON CONFLICT", "WHERE sequence = 1 AND true ON CONFLICT");
        let refused = raw.batch_execute(&change).expect_err(&change).to_string();
        assert!(refused.contains("append-only") || refused.contains("UNIQUE"), "{change}: {refused}");
        unchanged(&database).await;
    }
    trail(&vault).await;
    let entries = database.store.audit_entries(&TenantId::default_tenant(), 0, 10).await.unwrap();
    assert_eq!(entries.len(), 6, "the trail goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_refuses_to_change_the_trail() {
    let Some(database) = Database::postgres().await else { return };
    let vault = test_vault(database.store.clone());
    trail(&vault).await;
    let mut raw = AsyncPgConnection::establish(&database.url).await.unwrap();
    for change in CHANGES.iter().chain(&["TRUNCATE audit_entries", "TRUNCATE audit_entries CASCADE"]) {
        let refused = raw.batch_execute(change).await.expect_err(change).to_string();
        assert!(refused.contains("append-only") || refused.contains("duplicate key"), "{change}: {refused}");
        unchanged(&database).await;
    }
    trail(&vault).await;
    let entries = database.store.audit_entries(&TenantId::default_tenant(), 0, 10).await.unwrap();
    assert_eq!(entries.len(), 6, "the trail goes on");
}
