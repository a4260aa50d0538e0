//! A sealed value opens in its own place, whatever is done to the rows.

use std::sync::Arc;

use billfold_core::ErrorKind;
use billfold_core::audit::Actor;
use billfold_core::entropy::SystemEntropy;
use billfold_core::id::VaultRecordId;
use billfold_core::name::TenantId;
use billfold_core::provider::CustomerProfile;
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Changes, Commit, RecordFilter, Store, Write};
use billfold_core::vault::{Place, PutOutcome, Sealed, Vault, VaultRecord};
use billfold_testkit::vault::test_vault;

use crate::support::World;
use crate::vault::{put, text};

const TENANTS: usize = 5;
const RECORDS: usize = 100;

fn tenant(index: usize) -> TenantId {
    format!("tenant-{}", index % TENANTS).parse().unwrap()
}

/// A hundred values of one length in five tenants, some of them of one owner, some alike.
async fn hundred(vault: &Vault) -> Vec<VaultRecord> {
    let mut records = Vec::new();
    for index in 0..RECORDS {
        let tenant = tenant(index);
        let (owner, kind) = (format!("owner-{}", index % 4), format!("kind-{}", index % 2));
        let object = format!("object-{}", index % 3);
        let place = Place { tenant: &tenant, owner: &owner, kind: &kind, object: &object };
        records.push(vault.seal(place, format!("value-{:02}", index % 50).as_bytes()).await.unwrap());
    }
    records
}

/// How many of these open.
async fn opened(vault: &Vault, records: impl IntoIterator<Item = VaultRecord>) -> (usize, usize) {
    let (mut tried, mut opened) = (0, 0);
    for record in records {
        tried += 1;
        match vault.open(&record).await {
            Ok(_) => opened += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Vault, "one error for every reason"),
        }
    }
    (tried, opened)
}

#[tokio::test]
async fn of_all_swapped_values_none_opens() {
    let vault = test_vault(Arc::new(MemoryStore::new()));
    let records = hundred(&vault).await;
    assert_eq!(opened(&vault, records.clone()).await, (RECORDS, RECORDS), "each opens where it belongs");
    let pairs = records.iter().flat_map(|here| {
        let others = records.iter().filter(|there| there.id != here.id);
        // The column that names the key is no part of the proof, so it is swapped or not.
        others.map(move |there| VaultRecord {
            sealed: there.sealed.clone(),
            key_id: if there.id < here.id { there.key_id } else { here.key_id },
            ..here.clone()
        })
    });
    assert_eq!(opened(&vault, pairs).await, (RECORDS * (RECORDS - 1), 0));
}

#[tokio::test]
async fn no_record_opens_under_another_description() {
    let vault = test_vault(Arc::new(MemoryStore::new()));
    let mut edited = Vec::new();
    for (index, record) in hundred(&vault).await.into_iter().enumerate() {
        let edits: [fn(&mut VaultRecord); 10] = [
            |record| record.tenant = tenant(record.tenant.as_str().len() % 4),
            |record| record.owner = if record.owner == "owner-1" { "owner-2" } else { "owner-1" }.to_owned(),
            |record| record.owner.clear(),
            |record| record.kind.push('x'),
            |record| record.kind.clear(),
            |record| record.object = format!("{}{}", record.kind, record.object),
            |record| record.object.clear(),
            |record| record.id = VaultRecordId::generate(record.created_at, &SystemEntropy).unwrap(),
            |record| record.version += 1,
            |record| record.version = 0,
        ];
        for edit in edits {
            let mut changed = record.clone();
            edit(&mut changed);
            if changed != record {
                edited.push(changed);
            }
        }
        // Parts moved over their border: the same bytes in a row, another place.
        let (owner, kind) = (format!("{}k", record.owner), record.kind[1..].to_owned());
        edited.push(VaultRecord { owner, kind, ..record.clone() });
        // One bit of the value, another for each record.
        let mut bytes = record.sealed.as_bytes().to_vec();
        let place = (index * 7) % bytes.len();
        bytes[place] ^= 1 << (index % 8);
        edited.push(VaultRecord { sealed: Sealed::from_bytes(bytes), ..record.clone() });
        let cut = record.sealed.as_bytes()[..index].to_vec();
        edited.push(VaultRecord { sealed: Sealed::from_bytes(cut), ..record });
    }
    let (tried, opened) = opened(&vault, edited).await;
    assert!(tried > 1200, "{tried}");
    assert_eq!(opened, 0);
}

/// The same through the stored rows: whoever can write to the database learns nothing from the API.
#[tokio::test]
async fn rows_edited_in_the_database_reveal_nothing() {
    let world = World::new();
    let vault = world.billfold.vault();
    let mut ids = Vec::new();
    for (owner, value) in [("o-1", "4111"), ("o-1", "4222"), ("o-2", "4333")] {
        let stored = vault.put(&world.tenant, put(owner, "card", text(value))).await.unwrap();
        ids.push(stored.record.id);
    }
    let rows = world.store.vault_records(&world.tenant, &ids).await.unwrap();
    for (here, there) in [(0, 1), (1, 2), (2, 0)] {
        // The database as it was, with one row's value in another.
        let copy = Arc::new(world.store.snapshot());
        let forged = VaultRecord {
            sealed: rows[there].sealed.clone(),
            key_id: rows[there].key_id,
            version: 2,
            ..rows[here].clone()
        };
        let changes = Changes { vault: vec![Write::Update(forged)], ..Changes::default() };
        assert_eq!(copy.commit(changes).await.unwrap(), Commit::Applied);
        let forged = world.again(|setup| setup.store = copy);
        let actor = Actor::new("tester");
        let refused = forged.billfold.vault().reveal(&world.tenant, rows[here].id, &actor).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Vault);
        assert!(
            forged.store.audit_entries(&world.tenant, 0, 10).await.unwrap().is_empty(),
            "nothing was revealed"
        );
        let verified = forged.billfold.vault().verify_step(None, 100).await.unwrap();
        assert_eq!((verified.opened, verified.refused), (rows.len() - 1, vec![rows[here].id]));
    }
}

#[tokio::test]
async fn a_row_that_points_at_anothers_value_shows_nobody() {
    let world = World::new();
    let profile =
        |name: &str| CustomerProfile { given_names: Some(name.into()), ..CustomerProfile::default() };
    let mine = world.billfold.save_customer(&world.tenant, "c-1", profile("Lorem")).await.unwrap();
    let yours = world.billfold.save_customer(&world.tenant, "c-2", profile("CANARY")).await.unwrap();
    let mut row = world.store.customer(&world.tenant, mine.id).await.unwrap().unwrap();
    row.profile = world.store.customer(&world.tenant, yours.id).await.unwrap().unwrap().profile;
    row.version += 1;
    let changes = Changes { customers: vec![Write::Update(row)], ..Changes::default() };
    assert_eq!(world.store.commit(changes).await.unwrap(), Commit::Applied);
    let refused = world.billfold.get_customer(&world.tenant, mine.id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Vault);
    assert!(!format!("{refused:?}").contains("CANARY"));
}

#[tokio::test]
async fn one_value_in_ten_tenants_has_ten_fingerprints() {
    let store = Arc::new(MemoryStore::new());
    let vault = test_vault(store.clone());
    let mut asked = std::collections::BTreeSet::new();
    for index in 0..10 {
        let tenant: TenantId = format!("tenant-{index}").parse().unwrap();
        asked.insert(vault.fingerprint(&tenant, &[b"purpose", b"4111111111111111"]).await.unwrap());
        let stored = vault.put(&tenant, put("o-1", "card", text("4111111111111111"))).await.unwrap();
        assert_eq!(stored.outcome, PutOutcome::Created);
        // Neither the order nor the border of the parts is lost.
        let parts: [&[&[u8]]; 3] =
            [&[b"4111111111111111", b"purpose"], &[b"purpose4", b"111111111111111"], &[b"purpose"]];
        for parts in parts {
            asked.insert(vault.fingerprint(&tenant, parts).await.unwrap());
        }
    }
    assert_eq!(asked.len(), 40);
    let records = store.vault_records_all(&RecordFilter::All, None, 100).await.unwrap();
    let stored: std::collections::BTreeSet<_> = records.iter().map(|record| &record.fingerprint).collect();
    assert_eq!((records.len(), stored.len()), (10, 10));
    assert!(records.iter().all(|record| record.fingerprint.as_str().len() == 64));
}
