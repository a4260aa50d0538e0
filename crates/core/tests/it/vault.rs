//! The vault's own records: put, kept, replaced, revealed, deleted, ended.

use std::collections::BTreeMap;
use std::time::Duration;

use billfold_core::audit::Actor;
use billfold_core::clock::Clock as _;
use billfold_core::id::VaultRecordId;
use billfold_core::store::{Page, RecordFilter, Store};
use billfold_core::vault::{
    Mask, OnConflict, PutOutcome, PutRecord, PutResult, RecordView, ReplaceRecord, SecretValue,
};
use billfold_core::{ErrorKind, Result};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::World;

pub(crate) fn text(value: &str) -> SecretValue {
    SecretValue::json(&value).unwrap()
}

pub(crate) fn put(owner: &str, kind: &str, value: SecretValue) -> PutRecord {
    PutRecord::new(owner, kind, value)
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn stored(world: &World, put: PutRecord) -> PutResult {
    world.billfold.vault().put(&world.tenant, put).await.unwrap()
}

async fn revealed(world: &World, id: VaultRecordId) -> Result<SecretValue> {
    let found = world.billfold.vault().reveal(&world.tenant, id, &Actor::new("tester")).await?;
    Ok(found.value)
}

async fn list(world: &World, owner: &str) -> Vec<RecordView> {
    world.billfold.vault().list(&world.tenant, owner, None, Page::first(100)).await.unwrap()
}

#[tokio::test]
async fn a_value_comes_back_as_it_was() {
    let world = World::new();
    let values =
        [json!("4111"), json!(""), json!({"a": [1, null, "日本語 \u{1F4B3}"]}), json!(null), json!(7)];
    for (index, value) in values.iter().enumerate() {
        let mut request = put("o-1", "thing", SecretValue::json(value).unwrap());
        request.metadata = Some(pairs(&[("k", "v")]));
        let made = stored(&world, request).await;
        assert_eq!((made.outcome, made.record.generation), (PutOutcome::Created, 1));
        assert_eq!(made.record.metadata, pairs(&[("k", "v")]));
        let id = made.record.id;
        assert_eq!(revealed(&world, id).await.unwrap().read::<Value>().unwrap(), *value);
        let known = world.billfold.vault().get(&world.tenant, id).await.unwrap();
        assert_eq!((known.id, known.owner.as_str(), known.kind.as_str()), (id, "o-1", "thing"));
        assert_eq!(list(&world, "o-1").await.len(), index + 1);
        let row = world.store.vault_record(&world.tenant, id).await.unwrap().unwrap();
        assert_eq!((row.sealed.as_bytes().len() - 116) % 64, 0, "the length is hidden in steps");
    }
    for bytes in [Vec::new(), vec![0, 255, 10], vec![7; 4096]] {
        let value = SecretValue::Bytes(Zeroizing::new(bytes.clone()));
        let made = stored(&world, put("o-2", "file", value)).await;
        match revealed(&world, made.record.id).await.unwrap() {
            SecretValue::Bytes(found) => assert_eq!(*found, bytes),
            SecretValue::Json(_) => panic!("bytes came back as JSON"),
        }
    }
    // Text and the same bytes are two values.
    let as_bytes = SecretValue::Bytes(Zeroizing::new(b"\"4111\"".to_vec()));
    let made = stored(&world, put("o-1", "thing", as_bytes)).await;
    assert_eq!(made.outcome, PutOutcome::Created);
}

#[tokio::test]
async fn a_value_that_is_there_is_refused_kept_or_replaced_as_asked() {
    let world = World::new();
    let again = |on_conflict, metadata: Option<&[(&str, &str)]>| {
        let mut request = put("o-1", "card", text("4111111111111111"));
        request.on_conflict = on_conflict;
        request.mask = Mask::Last4;
        request.metadata = metadata.map(pairs);
        request
    };
    let first = stored(&world, again(OnConflict::Reject, Some(&[("k", "v")]))).await.record;
    let refused =
        world.billfold.vault().put(&world.tenant, again(OnConflict::Reject, None)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.message().contains(&first.id.to_string()), "{refused}");

    let kept = stored(&world, again(OnConflict::Keep, None)).await;
    assert_eq!((kept.outcome, kept.record.generation), (PutOutcome::Kept, 1));
    let same = stored(&world, again(OnConflict::Keep, Some(&[("k", "v")]))).await;
    assert_eq!((same.outcome, same.record.generation), (PutOutcome::Kept, 1));
    let changed = stored(&world, again(OnConflict::Keep, Some(&[("k", "w")]))).await;
    assert_eq!((changed.outcome, changed.record.generation), (PutOutcome::MetadataUpdated, 2));
    assert_eq!(changed.record.metadata, pairs(&[("k", "w")]));

    let mut replace = again(OnConflict::Replace, None);
    replace.mask = Mask::None;
    replace.expires_at = Some(world.clock.now().plus(Duration::from_mins(1)));
    let replaced = stored(&world, replace).await;
    assert_eq!((replaced.outcome, replaced.record.generation), (PutOutcome::Replaced, 3));
    assert_eq!((replaced.record.masked, replaced.record.metadata), (None, pairs(&[("k", "w")])));
    assert_eq!(replaced.record.expires_at, Some(world.clock.now().plus(Duration::from_mins(1))));
    assert_eq!(replaced.record.id, first.id, "the id stays through all of it");
    let value = revealed(&world, first.id).await.unwrap();
    assert_eq!(value.read::<String>().unwrap(), "4111111111111111");
}

#[tokio::test]
async fn identity_says_what_is_the_same() {
    let world = World::new();
    let account = |number: &str, name: &str| {
        let mut request =
            put("o-1", "account", SecretValue::json(&json!({"n": number, "name": name})).unwrap());
        request.identity = Some(number.to_owned().into());
        request.on_conflict = OnConflict::Replace;
        request
    };
    let first = stored(&world, account("123", "Lorem")).await.record;
    let renamed = stored(&world, account("123", "Ipsum")).await;
    assert_eq!((renamed.outcome, renamed.record.id), (PutOutcome::Replaced, first.id));
    let value: Value = revealed(&world, first.id).await.unwrap().read().unwrap();
    assert_eq!(value, json!({"n": "123", "name": "Ipsum"}));
    assert_eq!(stored(&world, account("124", "Ipsum")).await.outcome, PutOutcome::Created);
    // Another kind and another owner are other places.
    for (owner, kind) in [("o-1", "other"), ("o-2", "account")] {
        let mut elsewhere = account("123", "Ipsum");
        (elsewhere.owner, elsewhere.kind) = (owner.to_owned(), kind.to_owned());
        assert_eq!(stored(&world, elsewhere).await.outcome, PutOutcome::Created);
    }
    // A replaced value is found by what it is now.
    let mut other = ReplaceRecord::new(text("x"));
    other.identity = Some("999".to_owned().into());
    world.billfold.vault().replace(&world.tenant, first.id, other).await.unwrap();
    assert_eq!(stored(&world, account("123", "Lorem")).await.outcome, PutOutcome::Created);
    assert_eq!(stored(&world, account("999", "Lorem")).await.record.id, first.id);
}

#[tokio::test]
async fn duplicates_are_kept_where_they_are_welcome() {
    let world = World::new();
    let note = || {
        let mut request = put("o-1", "note", text("the same words"));
        request.allow_duplicates = true;
        request
    };
    let one = stored(&world, note()).await;
    let two = stored(&world, note()).await;
    assert_eq!([one.outcome, two.outcome], [PutOutcome::Created; 2]);
    assert_ne!(one.record.id, two.record.id);
    // They stay welcome when one is replaced.
    let same = ReplaceRecord::new(text("the same words"));
    world.billfold.vault().replace(&world.tenant, one.record.id, same).await.unwrap();
    assert_eq!(list(&world, "o-1").await.len(), 2);
}

#[tokio::test]
async fn a_mask_shows_the_end_of_a_long_text_and_nothing_else() {
    let world = World::new();
    let cases = [
        (text("4111111111111111"), Mask::Last4, Some("••••1111")),
        (text("4111111111111111"), Mask::None, None),
        (text("123456789012"), Mask::Last4, Some("••••9012")),
        (text("12345678901"), Mask::Last4, None),
        (text("日本語日本語日本語日本語"), Mask::Last4, Some("••••語日本語")),
        (text("12345678\u{0}\u{1b}[2"), Mask::Last4, None),
        (SecretValue::json(&json!({"n": "4111111111111111"})).unwrap(), Mask::Last4, None),
        (SecretValue::json(&json!(4_111_111_111_111_111_u64)).unwrap(), Mask::Last4, None),
        (SecretValue::Bytes(Zeroizing::new(b"4111111111111111".to_vec())), Mask::Last4, None),
    ];
    for (index, (value, mask, expected)) in cases.into_iter().enumerate() {
        let mut request = put(&format!("o-{index}"), "card", value);
        request.mask = mask;
        let made = stored(&world, request).await.record;
        assert_eq!(made.masked.as_deref(), expected, "case {index}");
    }
}

#[tokio::test]
async fn an_ended_record_is_not_found_and_its_value_can_be_stored_anew() {
    let world = World::new();
    let vault = world.billfold.vault();
    let mut request = put("o-1", "card", text("4111"));
    request.expires_at = Some(world.clock.now().plus(Duration::from_mins(1)));
    let first = stored(&world, request).await.record;
    world.clock.advance(Duration::from_millis(59_999));
    assert!(vault.get(&world.tenant, first.id).await.is_ok());
    world.clock.advance(Duration::from_millis(1));
    for refused in [
        vault.get(&world.tenant, first.id).await.map(|_| ()),
        revealed(&world, first.id).await.map(|_| ()),
        vault.replace(&world.tenant, first.id, ReplaceRecord::new(text("x"))).await.map(|_| ()),
        vault.delete(&world.tenant, first.id).await.map(|_| ()),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(list(&world, "o-1").await.is_empty());

    let second = stored(&world, put("o-1", "card", text("4111"))).await;
    assert_eq!(second.outcome, PutOutcome::Created);
    assert_ne!(second.record.id, first.id, "an ended record does not come back under its id");
    assert_eq!(vault.sweep_expired(10).await.unwrap(), 0, "it gave way already");
    let id = second.record.id;
    assert_eq!(revealed(&world, id).await.unwrap().read::<String>().unwrap(), "4111");

    // Ended records that nobody puts again are swept.
    for index in 0..5 {
        let mut request = put("o-2", "card", text(&format!("411{index}")));
        request.expires_at = Some(world.clock.now().plus(Duration::from_secs(1)));
        stored(&world, request).await;
    }
    world.clock.advance(Duration::from_secs(1));
    assert!(list(&world, "o-2").await.is_empty());
    assert_eq!(vault.sweep_expired(3).await.unwrap(), 3);
    assert_eq!(vault.sweep_expired(3).await.unwrap(), 2);
    assert_eq!(vault.sweep_expired(3).await.unwrap(), 0);
    assert_eq!(world.store.count_vault_records(&RecordFilter::All).await.unwrap(), 1);
}

#[tokio::test]
async fn a_record_is_replaced_where_its_caller_has_seen_it() {
    let world = World::new();
    let vault = world.billfold.vault();
    let mut request = put("o-1", "card", text("4111111111111111"));
    (request.mask, request.metadata) = (Mask::Last4, Some(pairs(&[("k", "v")])));
    let id = stored(&world, request).await.record.id;
    let other = stored(&world, put("o-1", "card", text("4222222222222222"))).await.record;
    let replace = |value: &str, expected: Option<i64>| {
        let mut request = ReplaceRecord::new(text(value));
        (request.expected_generation, request.mask) = (expected, Mask::Last4);
        request
    };
    for expected in [0, 2, -1] {
        let late = vault.replace(&world.tenant, id, replace("4333333333333333", Some(expected))).await;
        let late = late.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Conflict);
        assert!(late.message().contains("generation 1"), "{late}");
    }
    world.clock.advance(Duration::from_secs(1));
    let replaced = vault.replace(&world.tenant, id, replace("4333333333333333", Some(1))).await.unwrap();
    assert_eq!((replaced.id, replaced.generation), (id, 2));
    assert_eq!(replaced.masked.as_deref(), Some("••••3333"));
    assert_eq!(replaced.metadata, pairs(&[("k", "v")]), "pairs that were not given stay");
    assert!(replaced.updated_at > replaced.created_at);
    let taken = vault.replace(&world.tenant, id, replace("4222222222222222", None)).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    assert!(taken.message().contains(&other.id.to_string()), "{taken}");
    let same = vault.replace(&world.tenant, id, replace("4333333333333333", Some(2))).await.unwrap();
    assert_eq!(same.generation, 3, "its own value is no conflict");
    vault.delete(&world.tenant, other.id).await.unwrap();
    vault.replace(&world.tenant, id, replace("4222222222222222", Some(3))).await.unwrap();
    let value = revealed(&world, id).await.unwrap();
    assert_eq!(value.read::<String>().unwrap(), "4222222222222222");
    // What the record was before can be stored by itself now.
    assert_eq!(
        stored(&world, put("o-1", "card", text("4333333333333333"))).await.outcome,
        PutOutcome::Created
    );
}

/// The holder of a value whose time is over, and which the sweeper has not seen yet, is in nobody's way.
#[tokio::test]
async fn an_ended_record_is_in_no_replacements_way() {
    let world = World::new();
    let mut ending = put("o-1", "card", text("4111"));
    ending.expires_at = Some(world.clock.now().plus(Duration::from_secs(1)));
    stored(&world, ending).await;
    let other = stored(&world, put("o-1", "card", text("4222"))).await.record;
    world.clock.advance(Duration::from_secs(1));
    let replace = ReplaceRecord::new(text("4111"));
    let replaced = world.billfold.vault().replace(&world.tenant, other.id, replace).await.unwrap();
    assert_eq!(replaced.generation, 2);
    assert_eq!(list(&world, "o-1").await.len(), 1);
}

#[tokio::test]
async fn a_deleted_record_is_gone_for_everybody() {
    let world = World::new();
    let vault = world.billfold.vault();
    let id = stored(&world, put("o-1", "card", text("4111"))).await.record.id;
    assert_eq!(vault.delete(&world.tenant, id).await.unwrap().id, id);
    assert_eq!(vault.delete(&world.tenant, id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(revealed(&world, id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(world.store.vault_record(&world.tenant, id).await.unwrap().is_none());
    assert_ne!(stored(&world, put("o-1", "card", text("4111"))).await.record.id, id);
}

#[tokio::test]
async fn a_reveal_is_in_the_audit_trail() {
    let world = World::new();
    let id = stored(&world, put("o-1", "card", text("CANARY-4111111111"))).await.record.id;
    let replace = ReplaceRecord::new(text("CANARY-4222222222"));
    world.billfold.vault().replace(&world.tenant, id, replace).await.unwrap();
    revealed(&world, id).await.unwrap();
    let entries = world.billfold.list_audit(&world.tenant, 0, 10).await.unwrap();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("vault.reveal", "tester"));
    assert_eq!(entry.target, id.to_string());
    assert_eq!(entry.details, json!({"kind": "card", "generation": 2}));
    assert!(!format!("{entries:?}").contains("CANARY"));
}
