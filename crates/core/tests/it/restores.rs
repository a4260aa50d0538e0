//! A backup that comes back brings back whom it held; the ledger says who has to go again.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::clock::{Clock as _, Timestamp};
use billfold_core::erasure::{ErasureLedger, FileLedger, LedgerEntry};
use billfold_core::name::TenantId;
use billfold_core::provider::CustomerProfile;
use billfold_core::store::{KeyFilter, Page, Store};
use billfold_testkit::reference::Instrument;

use crate::erasure::operator;
use crate::support::World;
use crate::vault::{put, text};

fn entry(subject: &str) -> LedgerEntry {
    let tenant = TenantId::default_tenant();
    LedgerEntry { tenant, subject: subject.to_owned(), erased_at: Timestamp::from_millis(1_780_000_000_000) }
}

#[tokio::test]
async fn a_restored_backup_is_erased_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(FileLedger::new(folder.path().join("erasures.jsonl")));
    let world = World::with(|setup| setup.ledger = Some(ledger.clone()));
    let (billfold, tenant) = (&world.billfold, &world.tenant);
    let gone = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let stays = world.save("c-2", Instrument::card("tok-2", "fp-2")).await;
    billfold.vault().put(tenant, put("o-1", "card", text("4111"))).await.unwrap();
    billfold.vault().put(tenant, put("o-2", "card", text("4111"))).await.unwrap();
    let backup = Arc::new(world.store.snapshot());
    world.clock.advance(Duration::from_secs(1));
    billfold.erase_customer(tenant, gone.customer_id, &operator()).await.unwrap();
    billfold.erase_owner(tenant, "o-1", &operator()).await.unwrap();
    let entries = ledger.entries().await.unwrap();
    let exported = billfold.erasure_ledger(tenant).await.unwrap();
    assert_eq!((entries.len(), exported.len()), (2, 2));
    assert!(entries.iter().all(|entry| exported.contains(entry)), "the database says the same");
    let written = std::fs::read_to_string(folder.path().join("erasures.jsonl")).unwrap();
    assert!(!written.contains(&gone.customer_id.to_string()) && !written.contains("o-1"), "it names nobody");
    assert_eq!(billfold.reapply_erasures(&entries, &operator()).await.unwrap(), 0, "they are gone here");

    world.clock.advance(Duration::from_hours(1));
    let restored = world.again(|setup| setup.store = backup.clone());
    let subjects = async || -> Vec<String> {
        let keys = restored.store.vault_keys(&KeyFilter::Data, None, 100).await.unwrap();
        keys.into_iter().map(|key| key.subject).collect()
    };
    assert!(restored.billfold.get_customer(tenant, gone.customer_id).await.is_ok(), "back from the dead");
    assert_eq!(restored.billfold.reapply_erasures(&entries, &operator()).await.unwrap(), 2);
    let refused = restored.billfold.get_customer(tenant, gone.customer_id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert!(restored.billfold.get_session(tenant, gone.id).await.is_err());
    let left = subjects().await;
    assert!(!left.contains(&gone.customer_id.to_string()) && !left.contains(&"o-1".to_owned()), "{left:?}");
    assert!(restored.billfold.get_customer(tenant, stays.customer_id).await.is_ok());
    assert_eq!(restored.methods(&stays).await.len(), 1);
    let o2 = restored.billfold.vault().list(tenant, "o-2", None, Page::first(10)).await.unwrap();
    assert_eq!(o2.len(), 1);
    assert_eq!(restored.billfold.reapply_erasures(&entries, &operator()).await.unwrap(), 0);
    assert!(restored.billfold.verify_audit(tenant, None).await.unwrap().broken_at.is_none());
    let events = restored.billfold.list_events(tenant, 0, 100).await.unwrap();
    assert_eq!(events.last().unwrap().name, "customer.erased");

    // An owner who came back after their erasure is somebody new.
    restored.billfold.vault().put(tenant, put("o-1", "card", text("4111"))).await.unwrap();
    assert_eq!(restored.billfold.reapply_erasures(&entries, &operator()).await.unwrap(), 0);
    assert_eq!(restored.billfold.reapply_erasures(&[], &operator()).await.unwrap(), 0);
}

/// The backup is from before anything of the tenant was ever fingerprinted; the ledger still finds its owner.
#[tokio::test]
async fn a_backup_from_the_first_day_is_erased_again() {
    let world = World::new();
    let profile = CustomerProfile { surname: Some("Lorem".into()), ..CustomerProfile::default() };
    let gone = world.billfold.save_customer(&world.tenant, "c-1", profile).await.unwrap();
    let backup = Arc::new(world.store.snapshot());
    world.clock.advance(Duration::from_secs(1));
    world.billfold.erase_customer(&world.tenant, gone.id, &operator()).await.unwrap();
    let entries = world.billfold.erasure_ledger(&world.tenant).await.unwrap();
    let restored = world.again(|setup| setup.store = backup.clone());
    assert_eq!(restored.billfold.reapply_erasures(&entries, &operator()).await.unwrap(), 1);
    assert!(restored.billfold.get_customer(&world.tenant, gone.id).await.is_err());
}

/// What cannot be written into the ledger is not erased: a backup would bring it back for good.
#[tokio::test]
async fn nobody_is_erased_without_the_ledger() {
    let ledger = Arc::new(FileLedger::new("/no/such/folder/erasures.jsonl"));
    let world = World::with(|setup| setup.ledger = Some(ledger));
    world.billfold.vault().put(&world.tenant, put("o-1", "card", text("4111"))).await.unwrap();
    let refused = world.billfold.erase_owner(&world.tenant, "o-1", &operator()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    let left = world.billfold.vault().list(&world.tenant, "o-1", None, Page::first(10)).await.unwrap();
    assert_eq!(left.len(), 1);
    // It goes on as soon as the ledger can be written.
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(FileLedger::new(folder.path().join("erasures.jsonl")));
    let mended = world.again(|setup| setup.ledger = Some(ledger.clone()));
    world.clock.advance(Duration::from_mins(5));
    assert_eq!(mended.billfold.continue_erasures(10).await.unwrap(), 1);
    let left = world.billfold.vault().list(&world.tenant, "o-1", None, Page::first(10)).await.unwrap();
    assert_eq!((left.len(), ledger.entries().await.unwrap().len()), (0, 1));
    assert!(ledger.entries().await.unwrap()[0].erased_at <= world.clock.now());
}

#[tokio::test]
async fn a_ledger_survives_a_torn_line_and_refuses_a_broken_one() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("erasures.jsonl");
    let ledger = FileLedger::new(&path);
    assert!(ledger.entries().await.unwrap().is_empty(), "no file yet");
    ledger.append(&entry("one")).await.unwrap();
    ledger.append(&entry("two")).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let whole = std::fs::read_to_string(&path).unwrap();
    let both = [entry("one"), entry("two")];
    let line = whole.lines().next_back().unwrap().len() + 1;
    // A crash tears the last line at any place.
    for kept in 0..=line {
        std::fs::write(&path, &whole[..whole.len() - line + kept]).unwrap();
        let complete = if kept + 1 >= line { &both[..] } else { &both[..1] };
        assert_eq!(ledger.entries().await.unwrap(), complete, "{kept} bytes kept");
        // The next entry stands on a line of its own, and nothing that was whole is lost.
        ledger.append(&entry("three")).await.unwrap();
        let expected: Vec<_> = complete.iter().cloned().chain([entry("three")]).collect();
        assert_eq!(ledger.entries().await.unwrap(), expected, "{kept} bytes kept");
    }
    for broken in [
        format!("{{\"tenant\"\n{whole}"),
        whole.replacen("\"one\"", "1", 1),
        whole.replacen("\"tenant\"", "\"tenants\"", 1),
        format!("{whole}not JSON\n"),
    ] {
        std::fs::write(&path, broken).unwrap();
        let refused = ledger.entries().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Configuration);
        assert!(refused.message().contains("unreadable line"), "{refused}");
    }
}
