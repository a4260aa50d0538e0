//! Sealed values: each comes back to its own tenant, and one of many equal puts stores it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::clock::Timestamp;
use billfold_core::id::VaultRecordId;
use billfold_core::store::{Changes, Commit, Page, RecordFilter, Store, VaultPut, Write};
use billfold_core::vault::{KeyState, Sealed, Suite, VaultKey, VaultRecord};
use futures::future::join_all;

use super::Trial;
use super::samples::{
    NOW, apply, fingerprint, id, other_tenant, stored_key, tenant, vault_key, vault_record,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("sealed values come back until they are deleted", |store| Box::pin(come_back(store))),
        ("a sealed value is replaced by its next version only", |store| Box::pin(replaced(store))),
        ("an owner has a value of a kind once", |store| Box::pin(unique(store))),
        ("an owner's values are paged, by kind or all", |store| Box::pin(pages(store))),
        ("a put stores a value or finds it", |store| Box::pin(put(store))),
        ("a value that ended gives way to a put", |store| Box::pin(ended(store))),
        ("one of fifty equal puts stores the value", |store| Box::pin(racing_puts(store))),
        ("one of fifty puts takes the place of an ended value", |store| Box::pin(racing_for_place(store))),
        ("a put under a key that is gone is stale", |store| Box::pin(put_without_key(store))),
        ("a key that goes during puts takes none with it", |store| Box::pin(key_goes(store))),
        ("values that ended are swept, earliest first", |store| Box::pin(expired(store))),
        ("a value that is prolonged is not swept", |store| Box::pin(swept_while_prolonged(store))),
        ("values to seal anew are found and counted", |store| Box::pin(to_reseal(store))),
    ]
}

fn values(writes: Vec<Write<VaultRecord>>) -> Changes {
    Changes { vault: writes, ..Changes::default() }
}

fn deleted(record: &VaultRecord) -> Changes {
    Changes { vault_deletes: vec![(record.tenant.clone(), record.id)], ..Changes::default() }
}

fn later(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

async fn come_back(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "日本語 \u{1F4B3} '\"\\ %_").await;
    let empty = vault_record(&key, "card", "v-1");
    let mut full =
        VaultRecord { object: "pm_1".to_owned(), ..vault_record(&key, "billfold.gateway_token", "v-2") };
    full.suite = Suite::XChaCha20Poly1305;
    full.sealed = Sealed::from_bytes((0..=255).cycle().take(70_000).collect());
    full.masked = Some("••••1091".to_owned());
    full.metadata = [("k".to_owned(), "v'\"\\".to_owned()), ("é".to_owned(), String::new())].into();
    full.expires_at = Some(later(9));
    full.updated_at = later(3);
    let first = VaultRecord { suite: Suite::Aes256Gcm, ..vault_record(&key, "card", "v-3") };
    let records = [&empty, &full, &first];
    apply(&*store, values(records.map(|record| Write::Insert(record.clone())).to_vec())).await;
    for record in records {
        assert_eq!(store.vault_record(&tenant(), record.id).await.unwrap().as_ref(), Some(record));
        assert_eq!(store.vault_record(&other_tenant(), record.id).await.unwrap(), None);
        let VaultRecord { owner, kind, fingerprint, .. } = record;
        let found = store.vault_record_by_fingerprint(&tenant(), owner, kind, fingerprint).await.unwrap();
        assert_eq!(found.as_ref(), Some(record));
        let elsewhere = store.vault_record_by_fingerprint(&other_tenant(), owner, kind, fingerprint).await;
        assert_eq!(elsewhere.unwrap(), None);
        let unowned = store.vault_record_by_fingerprint(&tenant(), "", kind, fingerprint).await;
        assert_eq!(unowned.unwrap(), None);
    }

    // Many at once, in no order; unknown and foreign ones are left out.
    let batch = store.vault_records(&tenant(), &[full.id, id(), empty.id]).await.unwrap();
    let ids: BTreeSet<VaultRecordId> = batch.iter().map(|record| record.id).collect();
    assert_eq!(ids, [empty.id, full.id].into());
    assert!(batch.contains(&full));
    assert!(store.vault_records(&other_tenant(), &[full.id]).await.unwrap().is_empty());
    assert!(store.vault_records(&tenant(), &[]).await.unwrap().is_empty());

    apply(&*store, Changes { vault_deletes: vec![(other_tenant(), full.id)], ..Changes::default() }).await;
    assert!(store.vault_record(&tenant(), full.id).await.unwrap().is_some(), "another tenant deleted it");
    apply(&*store, deleted(&full)).await;
    apply(&*store, deleted(&full)).await;
    assert_eq!(store.vault_record(&tenant(), full.id).await.unwrap(), None);
}

async fn replaced(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let mut record = vault_record(&key, "card", "v-1");
    record.masked = Some("••••1091".to_owned());
    record.expires_at = Some(later(9));
    apply(&*store, values(vec![Write::Insert(record.clone())])).await;
    let next = VaultRecord { sealed: Sealed::from_bytes(vec![4; 500]), version: 2, ..record.clone() };
    for version in [0, 1, 3] {
        let wrong = VaultRecord { version, ..next.clone() };
        let commit = store.commit(values(vec![Write::Update(wrong)])).await.unwrap();
        assert_eq!(commit, Commit::Stale, "version {version}");
    }
    let foreign_key = stored_key(&*store, other_tenant(), "c-1").await;
    let foreign = VaultRecord { tenant: other_tenant(), key_id: foreign_key.id, ..next.clone() };
    assert_eq!(store.commit(values(vec![Write::Update(foreign)])).await.unwrap(), Commit::Stale);
    assert_eq!(store.vault_record(&tenant(), record.id).await.unwrap(), Some(record.clone()));

    // An update can also take values away.
    let next = VaultRecord { masked: None, expires_at: None, ..next };
    let tries = (0..50).map(|_| store.commit(values(vec![Write::Update(next.clone())])));
    let won = join_all(tries).await.iter().filter(|won| matches!(won, Ok(Commit::Applied))).count();
    assert_eq!(won, 1);
    assert_eq!(store.vault_record(&tenant(), record.id).await.unwrap(), Some(next.clone()));
    apply(&*store, deleted(&next)).await;
    let after = VaultRecord { version: 3, ..next };
    assert_eq!(store.commit(values(vec![Write::Update(after)])).await.unwrap(), Commit::Stale);
}

async fn unique(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let other_owner = stored_key(&*store, tenant(), "c-2").await;
    let elsewhere = stored_key(&*store, other_tenant(), "c-1").await;
    let first = vault_record(&key, "card", "v-1");
    let second = vault_record(&key, "card", "v-2");
    for record in [
        first,
        second.clone(),
        vault_record(&key, "account", "v-1"),
        vault_record(&other_owner, "card", "v-1"),
        vault_record(&elsewhere, "card", "v-1"),
    ] {
        apply(&*store, values(vec![Write::Insert(record)])).await;
    }
    let again = vault_record(&key, "card", "v-1");
    assert_eq!(store.commit(values(vec![Write::Insert(again)])).await.unwrap(), Commit::Stale);
    let into_place = VaultRecord { fingerprint: fingerprint("v-1"), version: 2, ..second };
    assert_eq!(store.commit(values(vec![Write::Update(into_place)])).await.unwrap(), Commit::Stale);
}

async fn pages(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let other_owner = stored_key(&*store, tenant(), "c-10").await;
    let elsewhere = stored_key(&*store, other_tenant(), "c-1").await;
    let card = |index: usize| vault_record(&key, "card", &format!("v-{index}"));
    let mine: Vec<VaultRecord> =
        (0..5).map(card).chain([vault_record(&key, "account", "v-1"), vault_record(&key, "", "v")]).collect();
    let others = [vault_record(&other_owner, "card", "v-1"), vault_record(&elsewhere, "card", "v-1")];
    apply(&*store, values(mine.iter().chain(&others).cloned().map(Write::Insert).collect())).await;
    for (kind, expected) in [(None, 7), (Some("card"), 5), (Some("account"), 1), (Some("none"), 0)] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit: 3 };
            let found = store.vault_records_of(&tenant(), "c-1", kind, page).await.unwrap();
            assert!(found.len() <= 3);
            let Some(last) = found.last() else { break };
            after = Some(last.id);
            seen.extend(found);
        }
        assert!(seen.is_sorted_by_key(|record| record.id));
        assert_eq!(seen.len(), expected, "{kind:?}");
        assert!(seen.iter().all(|record| mine.contains(record)));
    }
}

async fn put(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let first = vault_record(&key, "card", "v-1");
    assert_eq!(store.vault_put(&first, NOW).await.unwrap(), VaultPut::Created);
    assert_eq!(store.vault_record(&tenant(), first.id).await.unwrap(), Some(first.clone()));
    let again = vault_record(&key, "card", "v-1");
    let known = VaultPut::Exists(Box::new(first.clone()));
    assert_eq!(store.vault_put(&again, NOW).await.unwrap(), known);
    assert_eq!(store.vault_put(&again, later(1_000_000)).await.unwrap(), known, "no end, no giving way");
    assert_eq!(store.vault_record(&tenant(), again.id).await.unwrap(), None);
    assert_eq!(store.vault_record(&tenant(), first.id).await.unwrap(), Some(first));
    let other_owner = stored_key(&*store, tenant(), "c-2").await;
    let elsewhere = stored_key(&*store, other_tenant(), "c-1").await;
    for record in [
        vault_record(&key, "card", "v-2"),
        vault_record(&key, "account", "v-1"),
        vault_record(&other_owner, "card", "v-1"),
        vault_record(&elsewhere, "card", "v-1"),
    ] {
        assert_eq!(store.vault_put(&record, NOW).await.unwrap(), VaultPut::Created);
    }
}

async fn ended(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let mut old = vault_record(&key, "card", "v-1");
    old.expires_at = Some(later(10));
    old.masked = Some("••••1091".to_owned());
    old.metadata = [("k".to_owned(), "v".to_owned())].into();
    assert_eq!(store.vault_put(&old, NOW).await.unwrap(), VaultPut::Created);
    let mut new = vault_record(&key, "card", "v-1");
    new.sealed = Sealed::from_bytes(vec![7; 10]);
    new.created_at = later(10);
    new.updated_at = later(10);
    let known = VaultPut::Exists(Box::new(old.clone()));
    assert_eq!(store.vault_put(&new, later(9)).await.unwrap(), known, "its time is not over");
    assert_eq!(store.vault_put(&new, later(10)).await.unwrap(), VaultPut::Created);
    assert_eq!(store.vault_record(&tenant(), old.id).await.unwrap(), None, "nothing is left of the old one");
    assert_eq!(store.vault_record(&tenant(), new.id).await.unwrap(), Some(new.clone()));
    let all = store.vault_records_of(&tenant(), "c-1", None, Page::first(10)).await.unwrap();
    assert_eq!(all, [new]);
}

/// How many of fifty puts of one value stored theirs; all others must have found that one.
async fn race(store: &Arc<dyn Store>, key: &VaultKey, now: Timestamp) -> usize {
    let tries = (0..50).map(|_| {
        let (store, record) = (store.clone(), vault_record(key, "card", "v-1"));
        async move { (record.id, store.vault_put(&record, now).await.unwrap()) }
    });
    let outcomes = join_all(tries).await;
    let stored = store.vault_records_of(&key.tenant, &key.subject, None, Page::first(10)).await.unwrap();
    assert_eq!(stored.len(), 1);
    for (id, outcome) in &outcomes {
        match outcome {
            VaultPut::Created => assert_eq!(*id, stored[0].id),
            VaultPut::Exists(known) => assert_eq!(**known, stored[0]),
            VaultPut::Stale => panic!("a put was stale without a reason"),
        }
    }
    outcomes.iter().filter(|(_, outcome)| *outcome == VaultPut::Created).count()
}

async fn racing_puts(store: Arc<dyn Store>) {
    for round in 0..5 {
        let key = stored_key(&*store, tenant(), &format!("c-{round}")).await;
        assert_eq!(race(&store, &key, NOW).await, 1, "round {round}");
    }
}

async fn racing_for_place(store: Arc<dyn Store>) {
    for round in 0..5 {
        let key = stored_key(&*store, tenant(), &format!("c-{round}")).await;
        let old = VaultRecord { expires_at: Some(NOW), ..vault_record(&key, "card", "v-1") };
        apply(&*store, values(vec![Write::Insert(old)])).await;
        assert_eq!(race(&store, &key, NOW).await, 1, "round {round}");
    }
}

async fn put_without_key(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let foreign = stored_key(&*store, other_tenant(), "c-1").await;
    let record = vault_record(&key, "card", "v-1");
    for id in [foreign.id, vault_key(tenant(), "c-1").id] {
        let wrong = VaultRecord { key_id: id, ..record.clone() };
        assert_eq!(store.vault_put(&wrong, NOW).await.unwrap(), VaultPut::Stale);
        assert_eq!(
            store.vault_record(&tenant(), record.id).await.unwrap(),
            None,
            "it was stored all the same"
        );
    }
    assert_eq!(store.vault_put(&record, NOW).await.unwrap(), VaultPut::Created);
}

async fn key_goes(store: Arc<dyn Store>) {
    for round in 0..10 {
        let key = stored_key(&*store, tenant(), &format!("c-{round}")).await;
        let delete = Changes { vault_key_deletes: vec![(tenant(), key.id)], ..Changes::default() };
        let puts = join_all((0..10).map(|index| {
            let (store, record) = (store.clone(), vault_record(&key, "card", &format!("v-{index}")));
            async move { store.vault_put(&record, NOW).await.unwrap() }
        }));
        let (puts, gone) = futures::join!(puts, store.commit(delete));
        let created = puts.iter().filter(|put| **put == VaultPut::Created).count();
        let is_there = store.vault_key(&tenant(), key.id).await.unwrap().is_some();
        let stored = store.vault_records_of(&tenant(), &key.subject, None, Page::first(20)).await.unwrap();
        assert_eq!(stored.len(), created, "round {round}");
        assert_eq!(is_there, gone.unwrap() == Commit::Stale, "round {round}");
        assert!(is_there || created == 0, "round {round}: values without a key");
    }
}

async fn expired(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let elsewhere = stored_key(&*store, other_tenant(), "c-1").await;
    let ends = |key: &VaultKey, value: &str, at: Option<u64>| VaultRecord {
        expires_at: at.map(later),
        ..vault_record(key, "card", value)
    };
    let third = ends(&key, "v-1", Some(30));
    let first = ends(&elsewhere, "v-1", Some(10));
    let second = ends(&key, "v-2", Some(20));
    let never = ends(&key, "v-3", None);
    apply(
        &*store,
        values([&third, &first, &second, &never].map(|record| Write::Insert(record.clone())).to_vec()),
    )
    .await;
    let name = |record: &VaultRecord| (record.tenant.clone(), record.id);
    assert!(store.sweep_vault_records(later(9), 10).await.unwrap().is_empty());
    assert_eq!(store.sweep_vault_records(later(10), 10).await.unwrap(), [name(&first)]);
    assert_eq!(store.vault_record(&first.tenant, first.id).await.unwrap(), None);
    let prolonged = VaultRecord { expires_at: Some(later(200)), version: 2, ..second.clone() };
    apply(&*store, values(vec![Write::Update(prolonged.clone())])).await;
    assert_eq!(store.sweep_vault_records(later(99), 1).await.unwrap(), [name(&third)]);
    assert!(store.sweep_vault_records(later(99), 10).await.unwrap().is_empty());
    assert_eq!(store.vault_record(&second.tenant, second.id).await.unwrap(), Some(prolonged));
    assert_eq!(store.vault_record(&never.tenant, never.id).await.unwrap(), Some(never));
}

/// A value that is prolonged while it is swept is there afterwards, or its prolonging was refused.
async fn swept_while_prolonged(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    for round in 0..20 {
        let record =
            VaultRecord { expires_at: Some(later(10)), ..vault_record(&key, "card", &format!("v-{round}")) };
        apply(&*store, values(vec![Write::Insert(record.clone())])).await;
        let longer = VaultRecord { expires_at: None, version: 2, ..record.clone() };
        let prolong = store.commit(values(vec![Write::Update(longer)]));
        let (swept, prolonged) = futures::join!(store.sweep_vault_records(later(10), 10), prolong);
        let swept = !swept.unwrap().is_empty();
        let prolonged = prolonged.unwrap() == Commit::Applied;
        assert!(swept != prolonged, "round {round}: swept {swept}, prolonged {prolonged}");
        let there = store.vault_record(&record.tenant, record.id).await.unwrap().is_some();
        assert_eq!(there, prolonged, "round {round}");
    }
}

async fn to_reseal(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let elsewhere = stored_key(&*store, other_tenant(), "c-1").await;
    let in_state = |state| VaultKey { state, ..vault_key(tenant(), "c-1") };
    let (old, burnt) = (in_state(KeyState::DecryptOnly), in_state(KeyState::Compromised));
    let writes = [&old, &burnt].map(|key| Write::Insert(key.clone())).to_vec();
    apply(&*store, Changes { vault_keys: writes, ..Changes::default() }).await;
    let current = [vault_record(&key, "card", "v-1"), vault_record(&elsewhere, "card", "v-1")];
    let superseded = [
        vault_record(&old, "card", "v-2"),
        vault_record(&burnt, "card", "v-3"),
        vault_record(&old, "x", "v"),
        VaultRecord { suite: Suite::Aes256Gcm, ..vault_record(&key, "card", "v-8") },
        VaultRecord { suite: Suite::XChaCha20Poly1305, ..vault_record(&key, "card", "v-9") },
    ];
    apply(&*store, values(current.iter().chain(&superseded).cloned().map(Write::Insert).collect())).await;
    for (filter, expected) in [(RecordFilter::All, 7), (RecordFilter::ToReseal(Suite::default()), 5)] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.vault_records_all(&filter, after, 2).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(page);
        }
        assert!(seen.is_sorted_by_key(|record| record.id));
        assert_eq!(seen.len(), expected, "{filter:?}");
        assert_eq!(store.count_vault_records(&filter).await.unwrap(), i64::try_from(expected).unwrap());
        let among = |record: &VaultRecord| superseded.contains(record) || filter == RecordFilter::All;
        assert!(seen.iter().all(among), "{filter:?}");
    }
}
