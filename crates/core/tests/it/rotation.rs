//! Keys are replaced while the vault is in use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::audit::Actor;
use billfold_core::clock::{Clock as _, ManualClock, Timestamp};
use billfold_core::id::VaultRecordId;
use billfold_core::name::TenantId;
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Changes, Commit, KeyFilter, RecordFilter, Store};
use billfold_core::vault::{
    DEFAULT_KEY_CACHE, KeyId, KeyState, KeyWrapper, PutOutcome, ReplaceRecord, Suite, Vault, VaultKey,
};
use billfold_testkit::vault::{FragileWrapper, Mood, test_root};

use crate::support::{World, at_once};
use crate::vault::{put, text};

/// Values in three tenants, and the means to look at them with other root keys.
struct Vaults {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    values: BTreeMap<(TenantId, VaultRecordId), String>,
}

impl Vaults {
    async fn filled(root: &Arc<dyn KeyWrapper>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_780_000_000_000)));
        let mut vaults = Self { store: Arc::new(MemoryStore::new()), clock, values: BTreeMap::new() };
        let vault = vaults.vault(root, &[]);
        for index in 0..24 {
            let tenant: TenantId = format!("tenant-{}", index % 3).parse().unwrap();
            let (owner, value) = (format!("owner-{}", index % 4), format!("value-{index}"));
            let stored = vault.put(&tenant, put(&owner, "card", text(&value))).await.unwrap();
            vaults.values.insert((tenant, stored.record.id), value);
        }
        vaults
    }

    fn vault(&self, root: &Arc<dyn KeyWrapper>, older: &[&Arc<dyn KeyWrapper>]) -> Vault {
        let older = older.iter().map(|older| (*older).clone()).collect();
        Vault::builder(self.store.clone(), root.clone()).older(older).clock(self.clock.clone()).build()
    }

    async fn keys(&self, filter: KeyFilter) -> Vec<VaultKey> {
        self.store.vault_keys(&filter, None, 1000).await.unwrap()
    }

    /// What does not reveal the value that was stored.
    async fn unreadable(&self, vault: &Vault) -> Vec<VaultRecordId> {
        let mut unreadable = Vec::new();
        let actor = Actor::new("tester");
        for ((tenant, id), value) in &self.values {
            let found = vault.reveal(tenant, *id, &actor).await;
            if !found.is_ok_and(|found| found.value.read::<String>().is_ok_and(|text| text == *value)) {
                unreadable.push(*id);
            }
        }
        unreadable
    }
}

/// Runs a job to its end in steps of `limit`; how many rows were changed, and how many failed.
pub(crate) async fn rotate_root(vault: &Vault, limit: u32) -> (usize, usize) {
    let (mut after, mut changed, mut failed) = (None, 0, 0);
    loop {
        let step = vault.rotate_root_step(after, limit).await.unwrap();
        (after, changed, failed) = (step.next, changed + step.changed, failed + step.failed);
        if step.seen == 0 {
            return (changed, failed);
        }
    }
}

pub(crate) async fn rotate_data(vault: &Vault, tenant: Option<&TenantId>, cutoff: Timestamp) -> usize {
    let (mut after, mut changed) = (None, 0);
    loop {
        let step = vault.rotate_data_step(tenant, cutoff, after, 5).await.unwrap();
        (after, changed) = (step.next, changed + step.changed);
        if step.seen == 0 {
            return changed;
        }
    }
}

pub(crate) async fn reseal(vault: &Vault) -> (usize, usize) {
    let (mut after, mut changed, mut failed) = (None, 0, 0);
    loop {
        let step = vault.reseal_step(after, 5).await.unwrap();
        (after, changed, failed) = (step.next, changed + step.changed, failed + step.failed);
        if step.seen == 0 {
            return (changed, failed);
        }
    }
}

/// A moment after all that was done so far.
fn later(clock: &ManualClock) -> Timestamp {
    clock.advance(Duration::from_millis(1));
    clock.now()
}

#[tokio::test]
async fn a_new_root_key_wraps_everything_and_the_old_one_can_go() {
    let (old, new) = (test_root(), test_root());
    let vaults = Vaults::filled(&old).await;
    let before = vaults.keys(KeyFilter::NotWrappedBy(new.id().clone())).await;
    assert_eq!(before.len(), 12 + 3, "a data key for each owner, a fingerprint key for each tenant");
    let records = vaults.store.vault_records_all(&RecordFilter::All, None, 100).await.unwrap();

    let vault = vaults.vault(&new, &[&old]);
    assert_eq!(vault.status().await.unwrap().keys_to_rewrap, 15);
    assert!(vaults.unreadable(&vault).await.is_empty(), "both root keys serve meanwhile");
    // The reveals above made an audit key for each tenant, already under the new root key.
    assert_eq!(rotate_root(&vault, 4).await, (15, 0));
    assert_eq!(rotate_root(&vault, 4).await, (0, 0), "once is enough");
    let status = vault.status().await.unwrap();
    assert_eq!((status.keys_to_rewrap, status.root), (0, new.id().clone()));
    assert!(vaults.keys(KeyFilter::NotWrappedBy(new.id().clone())).await.is_empty());
    let untouched = vaults.store.vault_records_all(&RecordFilter::All, None, 100).await.unwrap();
    assert_eq!(untouched, records, "no value is touched");

    let without_old = vaults.vault(&new, &[]);
    assert!(vaults.unreadable(&without_old).await.is_empty());
    let tenant: TenantId = "tenant-0".parse().unwrap();
    let again = without_old.put(&tenant, put("owner-0", "card", text("value-0"))).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict, "the fingerprint key is the same key");
    let only_old = vaults.vault(&old, &[]);
    let refused = only_old.verify_step(None, 100).await.unwrap();
    assert_eq!((refused.opened, refused.refused.len()), (0, 24));
    let refused = only_old.put(&tenant, put("owner-0", "card", text("x"))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    assert!(refused.message().contains(new.id().as_str()), "it names the root key that is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_rotation_may_run_twice_at_once() {
    let (old, new) = (test_root(), test_root());
    let vaults = Vaults::filled(&old).await;
    let jobs =
        (0..4).map(|_| vaults.vault(&new, &[&old])).map(|vault| async move { rotate_root(&vault, 2).await });
    let outcomes = at_once(jobs).await;
    assert_eq!(outcomes.iter().map(|(changed, _)| changed).sum::<usize>(), 15);
    assert!(outcomes.iter().all(|(_, failed)| *failed == 0));
    assert!(vaults.unreadable(&vaults.vault(&new, &[])).await.is_empty());
}

#[tokio::test]
async fn a_root_key_that_does_not_work_replaces_none() {
    let (old, new) = (test_root(), FragileWrapper::new());
    let vaults = Vaults::filled(&old).await;
    let root: Arc<dyn KeyWrapper> = new.clone();
    let before = vaults.keys(KeyFilter::NotWrappedBy(root.id().clone())).await;
    let vault = vaults.vault(&root, &[&old]);
    for mood in [Mood::Down(None), Mood::Denying, Mood::Garbage] {
        new.set(mood.clone());
        assert_eq!(rotate_root(&vault, 4).await, (0, 15), "{mood:?}");
        assert_eq!(vaults.keys(KeyFilter::NotWrappedBy(root.id().clone())).await, before, "{mood:?}");
    }
    new.set(Mood::Well);
    assert_eq!(rotate_root(&vault, 4).await, (15, 0));
    assert!(vaults.unreadable(&vaults.vault(&root, &[])).await.is_empty());
}

#[tokio::test]
async fn data_keys_are_replaced_resealed_from_and_destroyed() {
    let root = test_root();
    let vaults = Vaults::filled(&root).await;
    let vault = vaults.vault(&root, &[]);
    let old = vaults.keys(KeyFilter::Data).await;
    assert_eq!(rotate_data(&vault, None, vaults.clock.now()).await, 0, "none was made before now");
    vaults.clock.advance(Duration::from_secs(1));
    let tenant: TenantId = "tenant-1".parse().unwrap();
    assert_eq!(rotate_data(&vault, Some(&tenant), vaults.clock.now()).await, 4, "one tenant's alone");
    assert_eq!(rotate_data(&vault, None, vaults.clock.now()).await, 8);
    assert_eq!(rotate_data(&vault, None, vaults.clock.now()).await, 0, "the new ones are new");
    assert_eq!(vaults.keys(KeyFilter::Data).await.len(), 24);
    assert_eq!(vault.status().await.unwrap().records_to_reseal, 24);
    assert!(vaults.unreadable(&vault).await.is_empty());

    assert_eq!(vault.retire_keys(100).await.unwrap(), 0, "all are in use");
    assert_eq!(reseal(&vault).await, (24, 0));
    assert_eq!(reseal(&vault).await, (0, 0));
    assert_eq!(vault.status().await.unwrap().records_to_reseal, 0);
    assert!(vaults.unreadable(&vault).await.is_empty());

    // Another process may still seal under a key that it has in its cache.
    assert_eq!(vault.retire_keys(100).await.unwrap(), 0);
    vaults.clock.advance((2 * DEFAULT_KEY_CACHE).saturating_sub(Duration::from_millis(1)));
    assert_eq!(vault.retire_keys(100).await.unwrap(), 0);
    vaults.clock.advance(Duration::from_millis(1));
    assert_eq!(vault.retire_keys(5).await.unwrap(), 5);
    assert_eq!(vault.retire_keys(100).await.unwrap(), 7);
    let left: Vec<KeyId> = vaults.keys(KeyFilter::Data).await.iter().map(|key| key.id).collect();
    assert!(old.iter().all(|key| !left.contains(&key.id)), "an old key is still there");
    assert_eq!(left.len(), 12);
    assert!(vaults.unreadable(&vault).await.is_empty());
    assert!(vaults.unreadable(&vaults.vault(&root, &[])).await.is_empty());
}

#[tokio::test]
async fn a_replaced_value_moves_to_the_new_key_by_itself() {
    let root = test_root();
    let mut vaults = Vaults::filled(&root).await;
    let vault = vaults.vault(&root, &[]);
    assert_eq!(rotate_data(&vault, None, later(&vaults.clock)).await, 12);
    let ids: Vec<_> = vaults.values.keys().cloned().collect();
    for (tenant, id) in &ids {
        let value = format!("new {id}");
        vault.replace(tenant, *id, ReplaceRecord::new(text(&value))).await.unwrap();
        vaults.values.insert((tenant.clone(), *id), value);
    }
    assert_eq!(vault.status().await.unwrap().records_to_reseal, 0);
    vaults.clock.advance(2 * DEFAULT_KEY_CACHE);
    assert_eq!(vault.retire_keys(100).await.unwrap(), 12);
    assert!(vaults.unreadable(&vault).await.is_empty());
}

#[tokio::test]
async fn a_compromised_key_seals_nothing_any_more() {
    let root = test_root();
    let vaults = Vaults::filled(&root).await;
    let vault = vaults.vault(&root, &[]);
    let tenant: TenantId = "tenant-0".parse().unwrap();
    let role = billfold_core::vault::KeyPurpose::Data;
    let key = vaults.store.primary_vault_key(&tenant, "owner-0", role).await.unwrap().unwrap();
    let other: TenantId = "tenant-1".parse().unwrap();
    assert_eq!(vault.compromise_key(&other, key.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    vault.compromise_key(&tenant, key.id).await.unwrap();
    vault.compromise_key(&tenant, key.id).await.unwrap();
    let stored = vaults.store.vault_key(&tenant, key.id).await.unwrap().unwrap();
    assert_eq!(stored.state, KeyState::Compromised);
    let new = vault.put(&tenant, put("owner-0", "card", text("new"))).await.unwrap().record;
    let row = vaults.store.vault_record(&tenant, new.id).await.unwrap().unwrap();
    assert_ne!(row.key_id, key.id);
    assert_eq!(reseal(&vault).await, (2, 0), "this owner's values in this tenant");
    vaults.clock.advance(2 * DEFAULT_KEY_CACHE);
    assert_eq!(vault.retire_keys(100).await.unwrap(), 1);
    assert!(vaults.unreadable(&vault).await.is_empty());

    // A key that has stepped down already can be found out later.
    assert_eq!(rotate_data(&vault, Some(&other), vaults.clock.now()).await, 4);
    let superseded = vaults.keys(KeyFilter::Data).await;
    let superseded = superseded.iter().find(|key| key.state == KeyState::DecryptOnly).unwrap();
    vault.compromise_key(&other, superseded.id).await.unwrap();
    let stored = vaults.store.vault_key(&other, superseded.id).await.unwrap().unwrap();
    assert_eq!(stored.state, KeyState::Compromised);
    // Keys of the whole tenant are not replaced this way.
    let fingerprints = billfold_core::vault::KeyPurpose::Fingerprint;
    let key = vaults.store.primary_vault_key(&tenant, "", fingerprints).await.unwrap().unwrap();
    assert_eq!(vault.compromise_key(&tenant, key.id).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_a_compromised_key_sealed_is_sealed_anew_before_it_is_read() {
    let root = test_root();
    let vaults = Vaults::filled(&root).await;
    let (vault, another) = (vaults.vault(&root, &[]), vaults.vault(&root, &[]));
    let tenant: TenantId = "tenant-0".parse().unwrap();
    let put_one = async |value: &str| {
        let id = vault.put(&tenant, put("owner-0", "card", text(value))).await.unwrap().record.id;
        vaults.store.vault_record(&tenant, id).await.unwrap().unwrap()
    };
    let (read, verified) = (put_one("read").await, put_one("verified").await);
    vault.compromise_key(&tenant, read.key_id).await.unwrap();
    assert!(vault.verify_step(None, 100).await.unwrap().refused.is_empty());
    let stored = vaults.store.vault_record(&tenant, read.id).await.unwrap().unwrap();
    assert_eq!(stored.version, 1, "whoever verifies changes nothing");
    for vault in [&vault, &another] {
        let shown = vault.reveal(&tenant, read.id, &Actor::new("tester")).await.unwrap();
        assert_eq!(shown.value.read::<String>().unwrap(), "read");
        let stored = vaults.store.vault_record(&tenant, read.id).await.unwrap().unwrap();
        assert_eq!((stored.key_id == read.key_id, stored.version), (false, 2), "once");
    }
    let untouched = vaults.store.vault_record(&tenant, verified.id).await.unwrap().unwrap();
    assert_eq!(untouched.key_id, read.key_id, "nobody read it");
    // Who read it before and is quicker by a moment has the same value, and changes nothing that moved on.
    assert_eq!(*vault.open(&read).await.unwrap(), *vault.open(&read).await.unwrap());
    let stored = vaults.store.vault_record(&tenant, read.id).await.unwrap().unwrap();
    assert_eq!(stored.version, 2);
}

/// Another process has the key at hand, and learns within a minute that it is a bad one, without asking for it anew.
#[tokio::test]
async fn what_another_process_marks_as_compromised_seals_nothing_after_a_minute() {
    let asked = FragileWrapper::new();
    let root: Arc<dyn KeyWrapper> = asked.clone();
    let vaults = Vaults::filled(&root).await;
    let (vault, another) = (vaults.vault(&root, &[]), vaults.vault(&root, &[]));
    let tenant: TenantId = "tenant-0".parse().unwrap();
    let put_one = async |vault: &Vault, value: &str| {
        let id = vault.put(&tenant, put("owner-0", "card", text(value))).await.unwrap().record.id;
        vaults.store.vault_record(&tenant, id).await.unwrap().unwrap()
    };
    let before = put_one(&another, "before").await;
    vault.compromise_key(&tenant, before.key_id).await.unwrap();
    vaults.clock.advance(Duration::from_mins(1));
    let after = put_one(&another, "after").await;
    assert_ne!(after.key_id, before.key_id);
    another.reveal(&tenant, after.id, &Actor::new("tester")).await.unwrap();
    // The service is not needed to learn it.
    asked.set(Mood::Down(None));
    vaults.clock.advance(Duration::from_mins(1));
    put_one(&another, "meanwhile").await;
    another.reveal(&tenant, before.id, &Actor::new("tester")).await.unwrap();
    let stored = vaults.store.vault_record(&tenant, before.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.key_id == before.key_id, stored.version),
        (false, 2),
        "sealed anew before it was shown"
    );
}

#[tokio::test]
async fn another_suite_takes_over_value_by_value() {
    let root = test_root();
    let vaults = Vaults::filled(&root).await;
    let suites = Suite::ALL.map(|suite| {
        let builder = Vault::builder(vaults.store.clone(), root.clone()).clock(vaults.clock.clone());
        builder.suite(suite).build()
    });
    for (suite, vault) in Suite::ALL.into_iter().zip(&suites).cycle().skip(1).take(4) {
        assert_eq!(vault.status().await.unwrap().records_to_reseal, 24, "{suite:?}");
        let step = vault.reseal_step(None, 10).await.unwrap();
        assert_eq!((step.seen, step.changed), (10, 10));
        // Half-way, both programs read all of it.
        for either in &suites {
            assert!(vaults.unreadable(either).await.is_empty(), "{suite:?}");
        }
        assert_eq!(reseal(vault).await, (14, 0));
        let records = vaults.store.vault_records_all(&RecordFilter::All, None, 100).await.unwrap();
        assert!(records.iter().all(|record| record.suite == suite));
    }
}

/// Two processes over one database, each with its own cache.
#[tokio::test]
async fn a_value_sealed_under_a_superseded_key_stays_readable() {
    let root = test_root();
    let mut vaults = Vaults::filled(&root).await;
    let (here, there) = (vaults.vault(&root, &[]), vaults.vault(&root, &[]));
    let tenant: TenantId = "tenant-0".parse().unwrap();
    there.put(&tenant, put("owner-0", "card", text("warms the cache"))).await.unwrap();
    assert_eq!(rotate_data(&here, None, later(&vaults.clock)).await, 12);
    let late = there.put(&tenant, put("owner-0", "card", text("late"))).await.unwrap().record;
    let row = vaults.store.vault_record(&tenant, late.id).await.unwrap().unwrap();
    let key = vaults.store.vault_key(&tenant, row.key_id).await.unwrap().unwrap();
    assert_eq!(key.state, KeyState::DecryptOnly, "the other process did not hear of the rotation");
    vaults.values.insert((tenant, late.id), "late".to_owned());
    assert!(vaults.unreadable(&here).await.is_empty());
    assert!(vaults.unreadable(&there).await.is_empty());
    assert_eq!(reseal(&here).await, (26, 0));
    assert!(vaults.unreadable(&there).await.is_empty());
}

/// Destroys every data key of an owner whose values have moved on, whatever anybody has cached.
async fn destroy_old_keys(store: &dyn Store, vault: &Vault, cutoff: Timestamp) -> usize {
    rotate_data(vault, None, cutoff).await;
    assert_eq!(reseal(vault).await.1, 0);
    let keys = store.vault_keys(&KeyFilter::UnusedSince(cutoff), None, 1000).await.unwrap();
    let vault_key_deletes: Vec<_> = keys.into_iter().map(|key| (key.tenant, key.id)).collect();
    let count = vault_key_deletes.len();
    let commit = store.commit(Changes { vault_key_deletes, ..Changes::default() }).await.unwrap();
    assert_eq!(commit, Commit::Applied);
    count
}

#[tokio::test]
async fn a_key_destroyed_under_anothers_cache_is_replaced() {
    let root = test_root();
    let vaults = Vaults::filled(&root).await;
    let (here, there) = (vaults.vault(&root, &[]), vaults.vault(&root, &[]));
    let tenant: TenantId = "tenant-0".parse().unwrap();
    let stored = there.put(&tenant, put("owner-0", "card", text("first"))).await.unwrap().record;
    assert_eq!(destroy_old_keys(&*vaults.store, &here, later(&vaults.clock)).await, 12);
    let late = there.put(&tenant, put("owner-0", "card", text("late"))).await.unwrap();
    assert_eq!(late.outcome, PutOutcome::Created);
    assert!(vaults.unreadable(&there).await.is_empty());

    vaults.clock.advance(Duration::from_secs(1));
    assert_eq!(destroy_old_keys(&*vaults.store, &here, later(&vaults.clock)).await, 12);
    there.replace(&tenant, stored.id, ReplaceRecord::new(text("second"))).await.unwrap();
    assert!(vaults.unreadable(&here).await.is_empty());
}

/// The same for what Billfold seals for itself: customers, links, webhooks, tokens.
#[tokio::test]
async fn use_cases_survive_a_key_destroyed_under_their_cache() {
    let here = World::new();
    let there = here.again(|_| {});
    let session = there.start("c-1").await;
    there.completed("ref-0001").await;
    there.work().await;
    let cutoff = later(&here.clock);
    assert!(destroy_old_keys(&*here.store, here.billfold.vault(), cutoff).await >= 2);
    there.deliver(serde_json::json!({"event": "settlement.paid"})).await.unwrap();

    here.clock.advance(Duration::from_secs(1));
    destroy_old_keys(&*here.store, here.billfold.vault(), later(&here.clock)).await;
    let second = there.start("c-1").await;
    assert_eq!(second.customer_id, session.customer_id);
    crate::support::link(&second);
}

/// Writers, readers and every maintenance job at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_goes_on_under_writers() {
    let (old, new) = (test_root(), test_root());
    let vaults = Arc::new(Vaults::filled(&old).await);
    let ids: Vec<_> = vaults.values.keys().cloned().collect();
    let writers = (0..4).map(|writer| {
        // Each has its own cache, as another process would.
        let vault = vaults.vault(&new, &[&old]);
        let mine: Vec<_> = ids.iter().skip(writer).step_by(4).cloned().collect();
        async move {
            let mut last = BTreeMap::new();
            for round in 0..25 {
                for (tenant, id) in &mine {
                    let value = format!("writer {writer} round {round} {id}");
                    vault.replace(tenant, *id, ReplaceRecord::new(text(&value))).await.unwrap();
                    last.insert((tenant.clone(), *id), value);
                    tokio::task::yield_now().await;
                }
            }
            last
        }
    });
    let maintenance = {
        let (vaults, vault) = (vaults.clone(), vaults.vault(&new, &[&old]));
        async move {
            let mut replaced = 0;
            for _ in 0..20 {
                replaced += rotate_data(&vault, None, later(&vaults.clock)).await;
                let (_, failed) = rotate_root(&vault, 7).await;
                let (_, failed_too) = reseal(&vault).await;
                assert_eq!((failed, failed_too), (0, 0));
                vaults.clock.advance(Duration::from_millis(10));
                tokio::task::yield_now().await;
            }
            replaced
        }
    };
    let (written, replaced) = futures::join!(at_once(writers), maintenance);
    assert!(replaced > 12, "{replaced}");
    let last = Vaults {
        store: vaults.store.clone(),
        clock: vaults.clock.clone(),
        values: written.into_iter().flatten().collect(),
    };
    assert_eq!(last.values.len(), 24);
    let vault = last.vault(&new, &[&old]);
    reseal(&vault).await;
    rotate_root(&vault, 100).await;
    last.clock.advance(2 * DEFAULT_KEY_CACHE);
    vault.retire_keys(1000).await.unwrap();
    let left = last.keys(KeyFilter::Data).await;
    assert!(left.iter().all(|key| key.state == KeyState::Primary), "an old key is left");
    assert!(last.unreadable(&last.vault(&new, &[])).await.is_empty());
}
