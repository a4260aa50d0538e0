//! Data keys: one primary for each role, and none goes while something that it sealed is there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::store::{Changes, Commit, KeyFilter, Store, Write};
use billfold_core::vault::{KeyId, KeyPurpose, KeyState, VaultKey, VaultRecord, WrapperId};
use futures::future::join_all;

use super::Trial;
use super::samples::{NOW, apply, other_tenant, stored_key, tenant, vault_key, vault_record};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("data keys come back, each to its own tenant", |store| Box::pin(come_back(store))),
        ("a key is wrapped anew by one of many", |store| Box::pin(rewrap(store))),
        ("each role has one primary key", |store| Box::pin(one_primary(store))),
        ("one of fifty first keys wins", |store| Box::pin(first_keys(store))),
        ("a key stays as long as a value names it", |store| Box::pin(named_key_stays(store))),
        ("a value names a stored key of its own tenant", |store| Box::pin(known_key(store))),
        ("keys are filtered", |store| Box::pin(filters(store))),
        ("keys and their values are counted", |store| Box::pin(counts(store))),
    ]
}

fn keys(writes: Vec<Write<VaultKey>>) -> Changes {
    Changes { vault_keys: writes, ..Changes::default() }
}

fn values(writes: Vec<Write<VaultRecord>>) -> Changes {
    Changes { vault: writes, ..Changes::default() }
}

fn gone(key: &VaultKey) -> Changes {
    Changes { vault_key_deletes: vec![(key.tenant.clone(), key.id)], ..Changes::default() }
}

async fn come_back(store: Arc<dyn Store>) {
    let mut key = vault_key(tenant(), "日本語 \u{1F4B3} '\"\\");
    key.wrapped = (0..=255).collect();
    key.wrapper = WrapperId::new("transit", "name/with:colon");
    apply(&*store, keys(vec![Write::Insert(key.clone())])).await;
    let primary = store.primary_vault_key(&tenant(), &key.subject, KeyPurpose::Data).await.unwrap();
    assert_eq!(primary, Some(key.clone()));
    assert_eq!(store.vault_key(&tenant(), key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(store.vault_key(&other_tenant(), key.id).await.unwrap(), None);
    let (elsewhere, role) = (other_tenant(), KeyPurpose::Data);
    assert_eq!(store.primary_vault_key(&elsewhere, &key.subject, role).await.unwrap(), None);
    assert_eq!(store.primary_vault_key(&tenant(), "", role).await.unwrap(), None);
    let audit = store.primary_vault_key(&tenant(), &key.subject, KeyPurpose::Audit).await.unwrap();
    assert_eq!(audit, None);

    let foreign = Changes { vault_key_deletes: vec![(other_tenant(), key.id)], ..Changes::default() };
    apply(&*store, foreign).await;
    assert!(store.vault_key(&tenant(), key.id).await.unwrap().is_some(), "another tenant deleted it");
    apply(&*store, gone(&key)).await;
    assert_eq!(store.vault_key(&tenant(), key.id).await.unwrap(), None);
}

async fn rewrap(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let rewrapped = |version: i64, wrapped: u8| VaultKey {
        wrapped: vec![wrapped; 9],
        wrapper: WrapperId::new("local", "new"),
        version,
        ..key.clone()
    };
    for version in [0, 1, 3] {
        let commit = store.commit(keys(vec![Write::Update(rewrapped(version, 7))])).await.unwrap();
        assert_eq!(commit, Commit::Stale, "version {version}");
    }
    let foreign = VaultKey { tenant: other_tenant(), ..rewrapped(2, 7) };
    assert_eq!(store.commit(keys(vec![Write::Update(foreign)])).await.unwrap(), Commit::Stale);
    let tries = (0..50).map(|index| store.commit(keys(vec![Write::Update(rewrapped(2, index))])));
    let won: Vec<usize> = join_all(tries)
        .await
        .into_iter()
        .enumerate()
        .filter(|(_, outcome)| matches!(outcome, Ok(Commit::Applied)))
        .map(|(index, _)| index)
        .collect();
    assert_eq!(won.len(), 1);
    let stored = store.vault_key(&tenant(), key.id).await.unwrap().unwrap();
    assert_eq!(stored, rewrapped(2, u8::try_from(won[0]).unwrap()));
}

async fn one_primary(store: Arc<dyn Store>) {
    let first = stored_key(&*store, tenant(), "c-1").await;
    let second = vault_key(tenant(), "c-1");
    let insert = |key: &VaultKey| keys(vec![Write::Insert(key.clone())]);
    assert_eq!(store.commit(insert(&second)).await.unwrap(), Commit::Stale);
    apply(&*store, insert(&vault_key(tenant(), "c-2"))).await;
    apply(&*store, insert(&vault_key(other_tenant(), "c-1"))).await;
    apply(&*store, insert(&VaultKey { purpose: KeyPurpose::Audit, ..vault_key(tenant(), "c-1") })).await;
    let old = VaultKey { state: KeyState::DecryptOnly, ..vault_key(tenant(), "c-1") };
    apply(&*store, insert(&old)).await;

    // The old key steps down before the new one takes its place, in one commit.
    let stepped_down = VaultKey { state: KeyState::Compromised, version: 2, ..first.clone() };
    let too_early = vec![Write::Insert(second.clone()), Write::Update(stepped_down.clone())];
    assert_eq!(store.commit(keys(too_early)).await.unwrap(), Commit::Stale);
    apply(&*store, keys(vec![Write::Update(stepped_down.clone()), Write::Insert(second.clone())])).await;
    let primary = store.primary_vault_key(&tenant(), "c-1", KeyPurpose::Data).await.unwrap();
    assert_eq!(primary, Some(second));
    assert_eq!(store.vault_key(&tenant(), first.id).await.unwrap(), Some(stepped_down.clone()));
    let back = VaultKey { state: KeyState::Primary, version: 3, ..stepped_down };
    assert_eq!(store.commit(keys(vec![Write::Update(back)])).await.unwrap(), Commit::Stale);
}

async fn first_keys(store: Arc<dyn Store>) {
    let tries = (0..50).map(|_| store.commit(keys(vec![Write::Insert(vault_key(tenant(), "c-1"))])));
    let outcomes = join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Commit::Applied))).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Commit::Stale))).count(), 49);
    assert_eq!(store.vault_keys(&KeyFilter::Data, None, 100).await.unwrap().len(), 1);
}

async fn named_key_stays(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let record = vault_record(&key, "card", "v-1");
    apply(&*store, values(vec![Write::Insert(record.clone())])).await;
    assert_eq!(store.commit(gone(&key)).await.unwrap(), Commit::Stale);
    assert!(store.vault_key(&tenant(), key.id).await.unwrap().is_some());
    let foreign = Changes { vault_key_deletes: vec![(other_tenant(), key.id)], ..Changes::default() };
    apply(&*store, foreign).await;
    assert!(store.vault_key(&tenant(), key.id).await.unwrap().is_some());
    let both = Changes { vault_deletes: vec![(tenant(), record.id)], ..gone(&key) };
    apply(&*store, both).await;
    assert_eq!(store.vault_key(&tenant(), key.id).await.unwrap(), None);
}

async fn known_key(store: Arc<dyn Store>) {
    let key = stored_key(&*store, tenant(), "c-1").await;
    let foreign = stored_key(&*store, other_tenant(), "c-1").await;
    let unknown = vault_key(tenant(), "c-1");
    let record = vault_record(&key, "card", "v-1");
    for id in [foreign.id, unknown.id] {
        let wrong = VaultRecord { key_id: id, ..record.clone() };
        assert_eq!(store.commit(values(vec![Write::Insert(wrong)])).await.unwrap(), Commit::Stale);
    }
    apply(&*store, values(vec![Write::Insert(record.clone())])).await;
    for id in [foreign.id, unknown.id] {
        let wrong = VaultRecord { key_id: id, version: 2, ..record.clone() };
        assert_eq!(store.commit(values(vec![Write::Update(wrong)])).await.unwrap(), Commit::Stale);
    }
    // A key and the first value under it come in one commit.
    let fresh = vault_key(tenant(), "c-2");
    let value = vault_record(&fresh, "card", "v-1");
    let together = Changes { vault: vec![Write::Insert(value)], ..keys(vec![Write::Insert(fresh)]) };
    apply(&*store, together).await;
}

async fn filters(store: Arc<dyn Store>) {
    let later = NOW.plus(Duration::from_secs(1));
    let new_root = WrapperId::new("local", "new");
    let primary = vault_key(tenant(), "c-1");
    let young = VaultKey { created_at: later, wrapper: new_root.clone(), ..vault_key(tenant(), "c-2") };
    let foreign = vault_key(other_tenant(), "c-1");
    let audit = VaultKey { purpose: KeyPurpose::Audit, ..vault_key(tenant(), "") };
    let in_state =
        |state, subject: &str, updated_at| VaultKey { state, updated_at, ..vault_key(tenant(), subject) };
    let unused = in_state(KeyState::DecryptOnly, "c-1", NOW);
    let burnt = in_state(KeyState::Compromised, "c-1", NOW);
    let just_now = in_state(KeyState::DecryptOnly, "c-1", later);
    let in_use = in_state(KeyState::DecryptOnly, "c-1", NOW);
    let all = [&primary, &young, &foreign, &audit, &unused, &burnt, &just_now, &in_use];
    apply(&*store, keys(all.iter().map(|key| Write::Insert((*key).clone())).collect())).await;
    apply(&*store, values(vec![Write::Insert(vault_record(&in_use, "card", "v-1"))])).await;

    let check = async |filter: KeyFilter, expected: &[&VaultKey]| {
        let expected: BTreeSet<KeyId> = expected.iter().map(|key| key.id).collect();
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = store.vault_keys(&filter, after, 2).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            found.extend(page.into_iter().map(|key| key.id));
        }
        assert!(found.is_sorted(), "{filter:?}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{filter:?}");
    };
    check(KeyFilter::Data, &[&primary, &young, &foreign, &unused, &burnt, &just_now, &in_use]).await;
    check(
        KeyFilter::NotWrappedBy(new_root),
        &[&primary, &foreign, &audit, &unused, &burnt, &just_now, &in_use],
    )
    .await;
    check(KeyFilter::WrappedBy(WrapperId::new("local", "new")), &[&young]).await;
    check(KeyFilter::WrappedBy(WrapperId::new("local", "unknown")), &[]).await;
    check(KeyFilter::PrimaryDataMadeBefore(None, NOW), &[]).await;
    check(KeyFilter::PrimaryDataMadeBefore(None, later), &[&primary, &foreign]).await;
    check(KeyFilter::PrimaryDataMadeBefore(Some(tenant()), later), &[&primary]).await;
    check(KeyFilter::UnusedSince(NOW), &[&primary, &young, &foreign, &unused, &burnt]).await;
    check(KeyFilter::UnusedSince(later), &[&primary, &young, &foreign, &unused, &burnt, &just_now]).await;
    check(KeyFilter::UnusedSince(NOW.minus(Duration::from_millis(1))), &[]).await;
}

async fn counts(store: Arc<dyn Store>) {
    assert!(store.vault_key_counts().await.unwrap().is_empty());
    let one = stored_key(&*store, tenant(), "c-1").await;
    stored_key(&*store, other_tenant(), "c-1").await;
    let old = VaultKey { state: KeyState::DecryptOnly, ..vault_key(tenant(), "c-1") };
    let elsewhere = VaultKey { wrapper: WrapperId::new("transit", "a"), ..vault_key(tenant(), "c-2") };
    let audit = VaultKey { purpose: KeyPurpose::Audit, ..vault_key(tenant(), "") };
    apply(&*store, keys([&old, &elsewhere, &audit].map(|key| Write::Insert(key.clone())).to_vec())).await;
    let sealed = [(&one, "v-1"), (&one, "v-2"), (&old, "v-3")];
    let writes = sealed.map(|(key, value)| Write::Insert(vault_record(key, "card", value))).to_vec();
    apply(&*store, values(writes)).await;
    let mut counts: Vec<_> = store
        .vault_key_counts()
        .await
        .unwrap()
        .into_iter()
        .map(|count| (count.wrapper.to_string(), count.purpose, count.state, count.keys, count.records))
        .collect();
    counts.sort();
    let local = || "local:old".to_owned();
    assert_eq!(
        counts,
        [
            (local(), KeyPurpose::Data, KeyState::Primary, 2, 2),
            (local(), KeyPurpose::Data, KeyState::DecryptOnly, 1, 1),
            (local(), KeyPurpose::Audit, KeyState::Primary, 1, 0),
            ("transit:a".to_owned(), KeyPurpose::Data, KeyState::Primary, 1, 0),
        ]
    );
}
