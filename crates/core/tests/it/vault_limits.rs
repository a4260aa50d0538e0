//! What the vault refuses, and whom it shows nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::audit::Actor;
use billfold_core::clock::{Clock as _, Timestamp};
use billfold_core::id::VaultRecordId;
use billfold_core::name::TenantId;
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Page, RecordFilter, Store, StoreResult, VaultPut};
use billfold_core::vault::{
    Fingerprint, OnConflict, PutOutcome, PutRecord, PutResult, ReplaceRecord, SecretValue, VaultRecord,
};
use billfold_testkit::between::{Behind, Between};
use billfold_testkit::reference::Instrument;
use billfold_testkit::vault::test_vault;
use serde_json::json;
use zeroize::Zeroizing;

use crate::support::{World, at_once};
use crate::vault::{put, text};

fn other() -> TenantId {
    "other".parse().unwrap()
}

fn pointers(error: &billfold_core::Error) -> Vec<&str> {
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.fields().iter().map(|field| field.pointer.as_str()).collect()
}

#[tokio::test]
async fn verification_values_and_pins_are_refused_wherever_they_hide() {
    let world = World::new();
    let value = json!({
        "number": "4111", "CVV": "123",
        "holder": {"pin": 1, "name": "Lorem"},
        "tracks": [{"Track1": "x"}, [{"pin-block": "x"}]],
        "a/b~c": {"cvc2": null},
        "spine": 1, "pinned": true, "cvvs": "no such thing",
    });
    let expected = [
        "/value/CVV",
        "/value/a~1b~0c/cvc2",
        "/value/holder/pin",
        "/value/tracks/0/Track1",
        "/value/tracks/1/0/pin-block",
    ];
    let secret = || SecretValue::json(&value).unwrap();
    let refused = world.billfold.vault().put(&world.tenant, put("o-1", "card", secret())).await.unwrap_err();
    assert_eq!(pointers(&refused), expected);
    assert!(!format!("{refused:?}").contains("4111"), "the value is in no error");
    let stored = world.billfold.vault().put(&world.tenant, put("o-1", "card", text("4111"))).await.unwrap();
    let replace = ReplaceRecord::new(secret());
    let refused = world.billfold.vault().replace(&world.tenant, stored.record.id, replace).await.unwrap_err();
    assert_eq!(pointers(&refused), expected);
    assert_eq!(world.store.count_vault_records(&RecordFilter::All).await.unwrap(), 1);
    for name in ["cvv", "cvv2", "cvc", "cvc2", "cvn", "cid", "pin", "pin_block", "track1", "track2"] {
        let value = SecretValue::json(&json!({ name: "1" })).unwrap();
        let refused = world.billfold.vault().put(&world.tenant, put("o-1", "card", value)).await.unwrap_err();
        assert_eq!(pointers(&refused), [format!("/value/{name}")]);
    }
}

type Edit = Box<dyn Fn(&mut PutRecord)>;

#[tokio::test]
async fn every_limit_has_its_pointer_and_nothing_is_stored() {
    let world = World::new();
    let ended = world.clock.now();
    let metadata = |pairs: Vec<(String, String)>| Some(pairs.into_iter().collect::<BTreeMap<_, _>>());
    let many = (0..21).map(|index| (format!("k{index}"), String::new())).collect();
    let cases: Vec<(&str, Edit)> = vec![
        ("/owner", Box::new(|put| put.owner.clear())),
        ("/owner", Box::new(|put| put.owner = "x".repeat(256))),
        ("/owner", Box::new(|put| put.owner = "a\nb".to_owned())),
        ("/owner", Box::new(|put| put.owner = "a\0b".to_owned())),
        ("/kind", Box::new(|put| put.kind.clear())),
        ("/kind", Box::new(|put| put.kind = "billfold.gateway_token".to_owned())),
        ("/kind", Box::new(|put| put.kind = "x".repeat(64))),
        ("/kind", Box::new(|put| put.kind = "Card".to_owned())),
        ("/value", Box::new(|put| put.value = SecretValue::Json(Zeroizing::new(b"{not json".to_vec())))),
        ("/value", Box::new(|put| put.value = SecretValue::Bytes(Zeroizing::new(vec![7; 1024 * 1024 + 1])))),
        ("/metadata", Box::new(move |put| put.metadata = metadata(Clone::clone(&many)))),
        ("/metadata/", Box::new(move |put| put.metadata = metadata(vec![(String::new(), String::new())]))),
        (
            "/metadata/kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
            Box::new(move |put| put.metadata = metadata(vec![("k".repeat(41), String::new())])),
        ),
        (
            "/metadata/a~1b",
            Box::new(move |put| put.metadata = metadata(vec![("a/b".to_owned(), "v".repeat(501))])),
        ),
        (
            "/metadata/k",
            Box::new(move |put| put.metadata = metadata(vec![("k".to_owned(), "\0".to_owned())])),
        ),
        ("/expires_at", Box::new(move |put| put.expires_at = Some(ended))),
    ];
    for (pointer, wrong) in cases {
        let mut request = put("o-1", "card", text("4111"));
        wrong(&mut request);
        let refused = world.billfold.vault().put(&world.tenant, request).await.unwrap_err();
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    assert_eq!(world.store.count_vault_records(&RecordFilter::All).await.unwrap(), 0);

    // What just fits is stored.
    let mut full = put(&"語".repeat(255), &"x".repeat(63), text("4111"));
    full.metadata = Some((0..20).map(|index| (format!("{index:0>40}"), "é".repeat(500))).collect());
    full.expires_at = Some(ended.plus(Duration::from_millis(1)));
    world.billfold.vault().put(&world.tenant, full).await.unwrap();
    let largest = SecretValue::Bytes(Zeroizing::new(vec![7; 1024 * 1024 - 1]));
    world.billfold.vault().put(&world.tenant, put("o-1", "file", largest)).await.unwrap();
}

#[tokio::test]
async fn no_tenant_reaches_anothers_record() {
    let world = World::new();
    let vault = world.billfold.vault();
    let mine = vault.put(&world.tenant, put("o-1", "card", text("4111"))).await.unwrap().record;
    let actor = Actor::new("tester");
    for refused in [
        vault.get(&other(), mine.id).await.map(|_| ()),
        vault.reveal(&other(), mine.id, &actor).await.map(|_| ()),
        vault.replace(&other(), mine.id, ReplaceRecord::new(text("x"))).await.map(|_| ()),
        vault.delete(&other(), mine.id).await.map(|_| ()),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(vault.list(&other(), "o-1", None, Page::first(10)).await.unwrap().is_empty());
    let theirs = vault.put(&other(), put("o-1", "card", text("4111"))).await.unwrap();
    assert_eq!(theirs.outcome, PutOutcome::Created, "what another tenant has is no conflict");
    assert!(world.store.audit_entries(&other(), 0, 10).await.unwrap().is_empty());
}

/// Tokens, profiles, links and webhooks lie in the same table, and nobody sees them there.
#[tokio::test]
async fn billfolds_own_records_are_invisible() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    world.work().await;
    let vault = world.billfold.vault();
    let owner = session.customer_id.to_string();
    let own: Vec<VaultRecord> = world.store.vault_records_all(&RecordFilter::All, None, 100).await.unwrap();
    let kinds: Vec<&str> = own.iter().map(|record| record.kind.as_str()).collect();
    for kind in ["billfold.customer_profile", "billfold.gateway_token", "billfold.webhook"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let actor = Actor::new("tester");
    for record in &own {
        let id = record.id;
        for refused in [
            vault.get(&world.tenant, id).await.map(|_| ()),
            vault.reveal(&world.tenant, id, &actor).await.map(|_| ()),
            vault.replace(&world.tenant, id, ReplaceRecord::new(text("x"))).await.map(|_| ()),
            vault.delete(&world.tenant, id).await.map(|_| ()),
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound, "{}", record.kind);
        }
        let listed =
            vault.list(&world.tenant, &record.owner, Some(&record.kind), Page::first(10)).await.unwrap();
        assert!(listed.is_empty(), "{}", record.kind);
    }
    assert_eq!(world.store.vault_records_all(&RecordFilter::All, None, 100).await.unwrap(), own);

    // The customer's values of the merchant's own stand among them, and pages are as long as asked.
    let mut expected: Vec<VaultRecordId> = Vec::new();
    for index in 0..3 {
        let made = vault.put(&world.tenant, put(&owner, "card", text(&format!("411{index}")))).await.unwrap();
        expected.push(made.record.id);
    }
    expected.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = vault.list(&world.tenant, &owner, None, Page { after, limit: 1 }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|record| record.id));
    }
    assert_eq!(seen, expected);
}

/// What is wrong after many puts of one value at once, each of which wanted to keep what is there.
async fn problems_of(store: &dyn Store, tenant: &TenantId, answers: Vec<PutResult>) -> Vec<String> {
    let mut problems = Vec::new();
    let records = store.vault_records_of(tenant, "o-1", Some("card"), Page::first(100)).await.unwrap();
    if records.len() != 1 {
        problems.push(format!("{} records", records.len()));
    }
    let created = answers.iter().filter(|answer| answer.outcome == PutOutcome::Created).count();
    if created != 1 {
        problems.push(format!("{created} times created"));
    }
    let known: Vec<VaultRecordId> = records.iter().map(|record| record.id).collect();
    if answers.iter().any(|answer| known.first() != Some(&answer.record.id)) {
        problems.push("an answer names another record".to_owned());
    }
    problems
}

async fn fifty_puts(store: Arc<dyn Store>) -> Vec<String> {
    let vault = test_vault(store.clone());
    let tenant = TenantId::default_tenant();
    let answers = at_once((0..50).map(|_| {
        let (vault, tenant) = (vault.clone(), tenant.clone());
        async move {
            let mut request = put("o-1", "card", text("4111"));
            request.on_conflict = OnConflict::Keep;
            vault.put(&tenant, request).await.unwrap()
        }
    }));
    problems_of(&*store, &tenant, answers.await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_first_puts_of_one_value_at_once_are_one_record_and_fifty_good_answers() {
    for _ in 0..10 {
        assert_eq!(fifty_puts(Arc::new(MemoryStore::new())).await, Vec::<String>::new());
    }
}

/// A store that forgets to look for the value, and one that looks first and writes later.
#[derive(Debug, Clone, Copy)]
enum Careless {
    NeverLooks,
    LooksFirst,
}

#[async_trait::async_trait]
impl Between for Careless {
    async fn vault_put(
        &self,
        store: &dyn Store,
        record: &VaultRecord,
        now: Timestamp,
    ) -> StoreResult<VaultPut> {
        let VaultRecord { tenant, owner, kind, .. } = record;
        if matches!(self, Self::LooksFirst) {
            let known = store.vault_records_of(tenant, owner, Some(kind), Page::first(1)).await?;
            if let Some(known) = known.into_iter().next() {
                return Ok(VaultPut::Exists(Box::new(known)));
            }
            tokio::task::yield_now().await;
        }
        let fingerprint = Fingerprint::from_text(record.id.to_string());
        store.vault_put(&VaultRecord { fingerprint, ..record.clone() }, now).await
    }
}

/// The check above sees a store that does not decide in one step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_careless_about_equal_puts_is_found_out() {
    for careless in [Careless::NeverLooks, Careless::LooksFirst] {
        // Luck may hide a race once, not twenty times.
        let mut found = Vec::new();
        for _ in 0..20 {
            let store = Behind::new(Arc::new(MemoryStore::new()), Arc::new(careless));
            found.extend(fifty_puts(store).await);
        }
        assert!(found.len() >= 2, "{careless:?}: {found:?}");
    }
}
