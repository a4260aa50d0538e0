//! The audit trail: each tenant has one, without gaps, however many append at once.

use std::sync::Arc;

use billfold_core::audit::{Actor, AuditDraft};
use billfold_core::name::TenantId;
use billfold_core::store::{Changes, Commit, Store, Write};
use billfold_core::vault::Vault;
use futures::future::join_all;

use super::Trial;
use super::samples::{apply, customer, other_tenant, tenant};
use crate::vault::test_vault;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("audit entries come back as they were chained", |store| Box::pin(come_back(store))),
        ("each tenant has a trail of its own", |store| Box::pin(apart(store))),
        ("the last entry of an action is found", |store| Box::pin(last(store))),
        ("fifty appends at once leave no gap", |store| Box::pin(racing(store))),
        ("a refused commit leaves no entry", |store| Box::pin(atomic(store))),
    ]
}

async fn draft(vault: &Vault, tenant: &TenantId, object: &str) -> AuditDraft {
    let details = serde_json::json!({"k": "v'\"\\ \u{1F4B3}"});
    vault.audit_entry(tenant, &Actor::new("key_1"), "vault.reveal", object, &details).await.unwrap()
}

fn audit(drafts: Vec<AuditDraft>) -> Changes {
    Changes { audit: drafts, ..Changes::default() }
}

async fn come_back(store: Arc<dyn Store>) {
    let vault = test_vault(store.clone());
    let mut expected = Vec::new();
    for place in 0..3_i64 {
        let entry = draft(&vault, &tenant(), &format!("vlt_{place}")).await;
        let last =
            expected.last().map(|last: &billfold_core::audit::AuditEntry| (place, last.hash.as_slice()));
        expected.push(entry.after(last));
        apply(&*store, audit(vec![entry])).await;
    }
    let entries = store.audit_entries(&tenant(), 0, 10).await.unwrap();
    assert_eq!(entries, expected);
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.audit_entries(&tenant(), 1, 1).await.unwrap(), expected[1..2]);
    assert!(store.audit_entries(&tenant(), 3, 10).await.unwrap().is_empty());
    assert!(store.audit_entries(&other_tenant(), 0, 10).await.unwrap().is_empty());
}

async fn apart(store: Arc<dyn Store>) {
    let vault = test_vault(store.clone());
    let (ours, theirs) = (tenant(), other_tenant());
    let mixed = vec![
        draft(&vault, &ours, "a").await,
        draft(&vault, &theirs, "b").await,
        draft(&vault, &ours, "c").await,
    ];
    apply(&*store, audit(mixed)).await;
    apply(&*store, audit(vec![draft(&vault, &theirs, "d").await])).await;
    for (tenant, expected) in [(&ours, ["a", "c"]), (&theirs, ["b", "d"])] {
        let entries = store.audit_entries(tenant, 0, 10).await.unwrap();
        let places: Vec<_> = entries.iter().map(|entry| (entry.sequence, entry.object.as_str())).collect();
        assert_eq!(places, [(1, expected[0]), (2, expected[1])]);
    }
}

async fn last(store: Arc<dyn Store>) {
    let vault = test_vault(store.clone());
    let mut drafts = Vec::new();
    for (action, object) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("a%", "5")] {
        let details = serde_json::json!({});
        let draft = vault.audit_entry(&tenant(), &Actor::system(), action, object, &details).await;
        drafts.push(draft.unwrap());
    }
    drafts.push(draft(&vault, &other_tenant(), "6").await);
    apply(&*store, audit(drafts)).await;
    for (action, expected) in [("a", Some("3")), ("b", Some("4")), ("c", None), ("vault.reveal", None)] {
        let found = store.last_audit_entry(&tenant(), action).await.unwrap();
        assert_eq!(found.as_ref().map(|entry| entry.object.as_str()), expected, "{action}");
    }
    let found = store.last_audit_entry(&other_tenant(), "vault.reveal").await.unwrap().unwrap();
    assert_eq!(store.audit_entries(&other_tenant(), 0, 10).await.unwrap(), [found]);
}

async fn racing(store: Arc<dyn Store>) {
    let vault = test_vault(store.clone());
    let mut drafts = Vec::new();
    for index in 0..50 {
        let tenant = if index % 5 == 0 { other_tenant() } else { tenant() };
        drafts.push(draft(&vault, &tenant, &format!("vlt_{index}")).await);
    }
    let appends = drafts.into_iter().map(|draft| store.commit(audit(vec![draft])));
    for outcome in join_all(appends).await {
        assert_eq!(outcome.unwrap(), Commit::Applied, "an append waits for its turn");
    }
    for (tenant, count) in [(tenant(), 40), (other_tenant(), 10)] {
        let entries = store.audit_entries(&tenant, 0, 100).await.unwrap();
        let places: Vec<i64> = entries.iter().map(|entry| entry.sequence).collect();
        assert_eq!(places, (1..=count).collect::<Vec<i64>>());
    }
}

async fn atomic(store: Arc<dyn Store>) {
    let vault = test_vault(store.clone());
    let row = customer(tenant(), "c-1");
    let insert = || Write::Insert(customer(tenant(), "c-1"));
    apply(&*store, Changes { customers: vec![Write::Insert(row)], ..Changes::default() }).await;
    let changes = Changes { customers: vec![insert()], ..audit(vec![draft(&vault, &tenant(), "x").await]) };
    assert_eq!(store.commit(changes).await.unwrap(), Commit::Stale);
    assert!(store.audit_entries(&tenant(), 0, 10).await.unwrap().is_empty());
    apply(&*store, audit(vec![draft(&vault, &tenant(), "y").await])).await;
    let entries = store.audit_entries(&tenant(), 0, 10).await.unwrap();
    assert_eq!((entries.len(), entries[0].sequence), (1, 1), "the refused one left a gap");
}
