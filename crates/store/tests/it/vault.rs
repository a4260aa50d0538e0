//! The vault over both databases: races, rotation, and what an erasure leaves on the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use billfold_core::Billfold;
use billfold_core::audit::Actor;
use billfold_core::clock::{Clock as _, ManualClock, Timestamp};
use billfold_core::erasure::Shred;
use billfold_core::id::{CustomerId, VaultRecordId};
use billfold_core::name::TenantId;
use billfold_core::provider::CustomerProfile;
use billfold_core::store::{Changes, KeyFilter, Page, RecordFilter, Store};
use billfold_core::vault::{
    DEFAULT_KEY_CACHE, KeyPurpose, KeyState, KeyWrapper, OnConflict, PutOutcome, PutRecord, ReplaceRecord,
    SecretValue, Vault,
};
use billfold_store::connect;
use billfold_testkit::vault::{test_root, test_vault};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::support::{Database, at_once, patient};

fn put(owner: &str, value: &str) -> PutRecord {
    let mut put = PutRecord::new(owner, "card", SecretValue::json(&value).unwrap());
    put.on_conflict = OnConflict::Keep;
    put
}

fn replacement(value: &str) -> ReplaceRecord {
    ReplaceRecord::new(SecretValue::json(&value).unwrap())
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

fn actor() -> Actor {
    Actor::new("cli:tester")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_puts_at_once_are_one_record() {
    for database in Database::each().await {
        // Two processes, each with its own cache; the owner has no key yet.
        let root = test_root();
        let vaults = [0, 1].map(|_| Vault::new(database.store.clone(), root.clone()));
        for round in 0..3 {
            let owner = format!("o-{round}");
            let puts = (0..50).map(|index| {
                let (vault, owner) = (vaults[index % 2].clone(), owner.clone());
                async move { vault.put(&tenant(), put(&owner, "4111")).await.unwrap() }
            });
            let answers = at_once(puts).await;
            let ids: BTreeSet<VaultRecordId> = answers.iter().map(|answer| answer.record.id).collect();
            let created = answers.iter().filter(|answer| answer.outcome == PutOutcome::Created).count();
            assert_eq!((ids.len(), created), (1, 1), "{} round {round}", database.name);
            let stored = vaults[0].list(&tenant(), &owner, None, Page::first(100)).await.unwrap();
            assert_eq!(stored.len(), 1, "{}", database.name);
        }
        assert_eq!(database.store.vault_keys(&KeyFilter::Data, None, 100).await.unwrap().len(), 3);
    }
}

struct Rotated {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    roots: [Arc<dyn KeyWrapper>; 2],
}

impl Rotated {
    fn vault(&self) -> Vault {
        let [old, new] = self.roots.clone();
        Vault::builder(self.store.clone(), new).older(vec![old]).clock(self.clock.clone()).build()
    }

    /// Every maintenance job, once.
    async fn maintain(&self, vault: &Vault) {
        self.clock.advance(Duration::from_millis(1));
        let cutoff = self.clock.now();
        let mut after = None;
        while let Some(next) = vault.rotate_data_step(None, cutoff, after, 4).await.unwrap().next {
            after = Some(next);
        }
        let mut after = None;
        loop {
            let step = vault.rotate_root_step(after, 4).await.unwrap();
            assert_eq!(step.failed, 0);
            let Some(next) = step.next else { break };
            after = Some(next);
        }
        let mut after = None;
        loop {
            let step = vault.reseal_step(after, 4).await.unwrap();
            assert_eq!(step.failed, 0);
            let Some(next) = step.next else { break };
            after = Some(next);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_goes_on_under_writers() {
    for database in Database::each().await {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_780_000_000_000)));
        let roots = [test_root(), test_root()];
        let old = Vault::builder(database.store.clone(), roots[0].clone()).clock(clock.clone()).build();
        let mut ids = Vec::new();
        for index in 0..16 {
            let request = put(&format!("o-{}", index % 4), &format!("first {index}"));
            ids.push(old.put(&tenant(), request).await.unwrap().record.id);
        }
        let rotated = Arc::new(Rotated { store: database.store.clone(), clock: clock.clone(), roots });
        let writers = (0..4).map(|writer| {
            let vault = rotated.vault();
            let mine: Vec<_> = ids.iter().copied().skip(writer).step_by(4).collect();
            async move {
                let mut last = BTreeMap::new();
                for round in 0..8 {
                    for id in &mine {
                        let value = format!("writer {writer} round {round} {id}");
                        vault.replace(&tenant(), *id, replacement(&value)).await.unwrap();
                        last.insert(*id, value);
                    }
                }
                last
            }
        });
        let maintenance = async {
            let vault = rotated.vault();
            for _ in 0..4 {
                rotated.maintain(&vault).await;
            }
        };
        let (written, ()) = futures::join!(at_once(writers), maintenance);

        let vault = rotated.vault();
        rotated.maintain(&vault).await;
        clock.advance(2 * DEFAULT_KEY_CACHE);
        assert!(vault.retire_keys(1000).await.unwrap() >= 4 * 4, "{}", database.name);
        let keys = database.store.vault_keys(&KeyFilter::Data, None, 1000).await.unwrap();
        assert_eq!(keys.len(), 4, "{}", database.name);
        assert!(keys.iter().all(|key| key.state == KeyState::Primary));
        let [_, new] = rotated.roots.clone();
        let only_new = Vault::builder(database.store.clone(), new).clock(clock).build();
        assert_eq!(only_new.status().await.unwrap().keys_to_rewrap, 0);
        for (id, value) in written.into_iter().flatten() {
            let found = only_new.reveal(&tenant(), id, &actor()).await.unwrap();
            assert_eq!(found.value.read::<String>().unwrap(), value, "{}", database.name);
        }
    }
}

const HEAD: usize = 8;

/// How many of `needles` are in the files of a SQLite database, each time that they are.
fn hits(database: &Database, needles: &BTreeSet<Vec<u8>>) -> usize {
    let mut by_head: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
    for needle in needles {
        by_head.entry(&needle[..HEAD]).or_default().push(needle);
    }
    let mut found = 0;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = format!("{}{suffix}", database.path().display());
        let Ok(bytes) = std::fs::read(path) else { continue };
        for (at, head) in bytes.windows(HEAD).enumerate() {
            let candidates = by_head.get(head).into_iter().flatten();
            found += candidates.filter(|needle| bytes[at..].starts_with(needle)).count();
        }
    }
    found
}

/// Everything that must not be found of some owners: wrapped keys, sealed values in parts, fingerprints.
async fn traces(store: &dyn Store, owners: &BTreeSet<String>, traces: &mut BTreeSet<Vec<u8>>) {
    for key in store.vault_keys(&KeyFilter::Data, None, 10_000).await.unwrap() {
        if owners.contains(&key.subject) {
            // Part by part: a value may lie on several pages.
            traces.extend(key.wrapped.chunks_exact(24).skip(1).map(<[u8]>::to_vec));
        }
    }
    for record in store.vault_records_all(&RecordFilter::All, None, 10_000).await.unwrap() {
        if owners.contains(&record.owner) {
            traces.extend(record.sealed.as_bytes().chunks_exact(24).skip(1).map(<[u8]>::to_vec));
            traces.insert(record.fingerprint.as_str().as_bytes().to_vec());
        }
    }
    // The ids of customers stay in what the merchant is told: they have to know whom to forget.
    let named = owners.iter().filter(|owner| owner.parse::<CustomerId>().is_err());
    traces.extend(named.map(|owner| owner.as_bytes().to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_erased_owner_is_left_on_the_disk() {
    let database = Database::sqlite().await;
    let vault = test_vault(database.store.clone());
    let url = "https://pay.example/".parse().unwrap();
    let billfold = Billfold::builder(database.store.clone(), vault.clone(), url).build().unwrap();
    let store = &*database.store;
    let (mut gone, mut stays) = (BTreeSet::new(), BTreeSet::new());
    let (mut of_gone, mut of_stays) = (BTreeSet::new(), BTreeSet::new());
    for index in 0..40 {
        let reference = format!("the-merchants-reference-{index:04}");
        let of = if index % 2 == 0 { &mut of_gone } else { &mut of_stays };
        let owner = if index % 4 < 2 {
            of.insert(reference.as_bytes().to_vec());
            let profile = CustomerProfile { surname: Some("Lorem".to_owned()), ..CustomerProfile::default() };
            let made = billfold.save_customer(&tenant(), &reference, profile).await.unwrap();
            made.id.to_string()
        } else {
            format!("owner-number-{index:04}")
        };
        for value in 0..6 {
            // Some that fit into a page of the database, some that do not.
            let length = if value == 5 { 9000 } else { 16 * (value + 1) };
            let request = put(&owner, &format!("{value}-{index}-{}", "x".repeat(length)));
            vault.put(&tenant(), request).await.unwrap();
        }
        if index % 2 == 0 {
            gone.insert(owner)
        } else {
            stays.insert(owner)
        };
    }
    // Earlier generations of values must not linger either, nor those that were deleted.
    traces(store, &gone, &mut of_gone).await;
    for owner in &gone {
        let records = vault.list(&tenant(), owner, None, Page::first(10)).await.unwrap();
        for record in records.iter().step_by(2) {
            let value = format!("replaced-{}-{}", record.id, "y".repeat(700));
            vault.replace(&tenant(), record.id, replacement(&value)).await.unwrap();
        }
        vault.delete(&tenant(), records[1].id).await.unwrap();
    }
    traces(store, &gone, &mut of_gone).await;
    traces(store, &stays, &mut of_stays).await;
    assert!(hits(&database, &of_gone) > of_gone.len() / 2, "the scan sees what is there");
    assert!(hits(&database, &of_stays) >= of_stays.len() - 40 * 2);

    // Somebody reads meanwhile, as somebody always does.
    let reading = async {
        for _ in 0..200 {
            vault.verify_step(None, 5).await.unwrap();
        }
    };
    let erasing = async {
        for owner in &gone {
            billfold.erase_owner(&tenant(), owner, &actor()).await.unwrap();
        }
    };
    futures::join!(reading, erasing);
    vault.scrub().await.unwrap();
    assert_eq!(hits(&database, &of_gone), 0, "an erased owner is still on the disk");
    assert!(hits(&database, &of_stays) > of_stays.len() / 2, "those who stay are there");
    for owner in &stays {
        let listed = vault.list(&tenant(), owner, None, Page::first(10)).await.unwrap();
        assert_eq!(listed.len(), 6);
        for record in listed {
            vault.reveal(&tenant(), record.id, &actor()).await.unwrap();
        }
    }
}

/// The bytes of the owner's keys, and the fingerprints of their values.
async fn marks(store: &dyn Store, vault: &Vault, owner: &str) -> Vec<Vec<u8>> {
    let key = store.primary_vault_key(&tenant(), owner, KeyPurpose::Data).await.unwrap().unwrap();
    let records = vault.list(&tenant(), owner, None, Page::first(100)).await.unwrap();
    let mut marks = vec![key.wrapped];
    for record in records {
        let stored = store.vault_record(&tenant(), record.id).await.unwrap().unwrap();
        marks.push(stored.fingerprint.as_str().as_bytes().to_vec());
    }
    marks
}

fn found(file: &std::path::Path, marks: &[Vec<u8>]) -> usize {
    let bytes = std::fs::read(file).unwrap();
    AhoCorasick::new(marks).unwrap().find_iter(&bytes).count()
}

/// `secure_delete` overwrites a row where it is. A page that SQLite divides keeps copies of rows in the part that it
/// does not use any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_erased_owners_left_in_the_file_is_overwritten() {
    let database = Database::sqlite().await;
    let (store, file) = (&*database.store, database.path());
    let vault = Vault::new(database.store.clone(), test_root());
    assert!(!vault.scrub().await.unwrap(), "nobody was erased");
    let (mut erased, mut kept) = (Vec::new(), Vec::new());
    let mut dice = StdRng::seed_from_u64(0x6269_6c6c_666f_6c64);
    while found(&file, &erased) == 0 {
        assert!(erased.len() < 10_000, "SQLite leaves nothing behind any more: the scrub is not needed");
        for _ in 0..200 {
            let owner = format!("o-{}", dice.random::<u64>());
            // Equal values have equal fingerprints, whosever they are.
            let value = format!("{owner}{}", "x".repeat(dice.random_range(1..400)));
            kept.push((vault.put(&tenant(), put(&owner, &value)).await.unwrap().record.id, owner, value));
        }
        for _ in 0..100 {
            let (_, owner, _) = kept.swap_remove(dice.random_range(0..kept.len()));
            erased.extend(marks(store, &vault, &owner).await);
            let shreds = vec![Shred { tenant: tenant(), owner }];
            store.commit(Changes { shreds, ..Changes::default() }).await.unwrap();
        }
    }

    assert!(vault.scrub().await.unwrap());
    assert_eq!(found(&file, &erased), 0, "the file holds what was erased");
    let log = std::path::PathBuf::from(format!("{}-wal", file.display()));
    assert_eq!(found(&log, &erased), 0, "the log holds what was erased");
    assert!(!vault.scrub().await.unwrap(), "nobody was erased since");
    for (id, _, value) in kept {
        let shown = vault.reveal(&tenant(), id, &actor()).await.unwrap();
        assert_eq!(shown.value.read::<String>().unwrap(), value);
    }
}

/// A process that erases and dies leaves the scrub to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_that_is_due_is_done_by_whoever_is_asked_next() {
    let database = Database::sqlite().await;
    let vault = Vault::new(database.store.clone(), test_root());
    vault.put(&tenant(), put("o-1", "4111")).await.unwrap();
    let shreds = vec![Shred { tenant: tenant(), owner: "o-1".to_owned() }];
    database.store.commit(Changes { shreds, ..Changes::default() }).await.unwrap();

    let other = connect(&database.url, &patient()).await.unwrap();
    assert!(other.scrub().await.unwrap());
    assert!(!vault.scrub().await.unwrap());
}

/// A backup reads one state of the file for minutes: the log cannot be truncated meanwhile, nor the file written anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader_holds_up_a_scrub_and_nobody_who_writes() {
    let database = Database::sqlite().await;
    let vault = Vault::new(database.store.clone(), test_root());
    vault.put(&tenant(), put("o-1", "4111")).await.unwrap();
    let mut backup = SqliteConnection::establish(database.path().to_str().unwrap()).unwrap();
    backup.batch_execute("BEGIN; SELECT count(*) FROM vault_records").unwrap();
    let shreds = vec![Shred { tenant: tenant(), owner: "o-1".to_owned() }];
    database.store.commit(Changes { shreds, ..Changes::default() }).await.unwrap();
    let writes = async {
        for index in 0..20 {
            vault.put(&tenant(), put("o-2", &format!("value {index}"))).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), writes).await.expect("writes wait for the backup");
    let refused = database.store.scrub().await.unwrap_err();
    assert!(refused.transient && refused.message.contains("as a backup does"), "{}", refused.message);

    backup.batch_execute("COMMIT").unwrap();
    assert!(vault.scrub().await.unwrap());
    assert!(!vault.scrub().await.unwrap());
}
