//! The key service goes away, and comes back.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::audit::Actor;
use billfold_core::error::Retry;
use billfold_core::name::TenantId;
use billfold_core::store::{Changes, Commit, KeyFilter, Page, RecordFilter, Store, Write};
use billfold_core::vault::{DEFAULT_KEY_CACHE, KeyWrapper, Place, PutRecord, VaultKey};
use billfold_core::{Error, ErrorKind};
use billfold_testkit::vault::{FragileWrapper, Mood};
use tokio::time::Instant;

use crate::support::{World, at_once, request};
use crate::vault::{put, text};

fn world() -> (World, Arc<FragileWrapper>) {
    let wrapper = FragileWrapper::new();
    let world = World::with(|setup| setup.wrapper = wrapper.clone());
    (world, wrapper)
}

fn card(owner: &str) -> PutRecord {
    put(owner, "card", text("4111111111111111"))
}

fn unavailable(error: &Error, after: Duration) {
    assert_eq!(error.kind(), ErrorKind::KeysUnavailable, "{error:?}");
    assert_eq!(error.retry(), Retry::SameKey { after: Some(after) });
}

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn cached_keys_serve_for_their_time_and_then_nothing_is_revealed() {
    let (world, wrapper) = world();
    let vault = world.billfold.vault();
    let actor = Actor::new("tester");
    let id = vault.put(&world.tenant, card("o-1")).await.unwrap().record.id;
    vault.reveal(&world.tenant, id, &actor).await.unwrap();
    wrapper.set(Mood::Down(None));
    world.clock.advance(DEFAULT_KEY_CACHE.saturating_sub(Duration::from_millis(1)));
    vault.reveal(&world.tenant, id, &actor).await.unwrap();
    vault.put(&world.tenant, put("o-1", "card", text("4222"))).await.unwrap();
    let stored = world.store.count_vault_records(&RecordFilter::All).await.unwrap();
    let told = world.store.audit_entries(&world.tenant, 0, 10).await.unwrap().len();

    world.clock.advance(Duration::from_millis(1));
    unavailable(&vault.reveal(&world.tenant, id, &actor).await.unwrap_err(), SOON);
    unavailable(&vault.put(&world.tenant, card("o-1")).await.unwrap_err(), SOON);
    unavailable(&vault.verify_step(None, 10).await.unwrap_err(), SOON);
    assert_eq!(world.store.count_vault_records(&RecordFilter::All).await.unwrap(), stored);
    assert_eq!(world.store.audit_entries(&world.tenant, 0, 10).await.unwrap().len(), told);
    // What needs no key goes on.
    assert_eq!(vault.get(&world.tenant, id).await.unwrap().id, id);
    assert_eq!(vault.list(&world.tenant, "o-1", None, Page::first(10)).await.unwrap().len(), 2);

    wrapper.set(Mood::Well);
    let revealed = vault.reveal(&world.tenant, id, &actor).await.unwrap();
    assert_eq!(revealed.value.read::<String>().unwrap(), "4111111111111111");
}

#[tokio::test]
async fn an_owner_without_a_cached_key_waits_as_long_as_the_service_says() {
    let (world, wrapper) = world();
    let vault = world.billfold.vault();
    vault.put(&world.tenant, card("o-1")).await.unwrap();
    for (mood, after) in [
        (Mood::Down(None), SOON),
        (Mood::Down(Some(Duration::from_secs(17))), Duration::from_secs(17)),
        (Mood::Denying, Duration::from_mins(1)),
    ] {
        wrapper.set(mood);
        unavailable(&vault.put(&world.tenant, card("o-2")).await.unwrap_err(), after);
    }
    let keys = world.store.vault_keys(&KeyFilter::Data, None, 10).await.unwrap();
    assert_eq!(keys.len(), 1, "no key is stored that was not wrapped");
    assert_eq!(world.store.count_vault_records(&RecordFilter::All).await.unwrap(), 1);
    wrapper.set(Mood::Well);
    vault.put(&world.tenant, card("o-2")).await.unwrap();
}

/// Clear text is never an answer to a key service that is away.
#[tokio::test]
async fn nothing_of_a_webhook_is_stored_while_it_cannot_be_sealed() {
    let (world, wrapper) = world();
    let body = || serde_json::json!({"event": "session.completed", "session": "CANARY"});
    wrapper.set(Mood::Down(None));
    unavailable(&world.deliver(body()).await.unwrap_err(), SOON);
    unavailable(&world.deliver_raw(b"{CANARY".to_vec(), &[crate::support::SECRET]).await.unwrap_err(), SOON);
    assert!(world.store.deliveries(&world.tenant, None, Page::first(10)).await.unwrap().is_empty());
    assert_eq!(world.store.count_vault_records(&RecordFilter::All).await.unwrap(), 0);
    // Sent again once the service is back, it is stored.
    wrapper.set(Mood::Well);
    world.deliver(body()).await.unwrap();
    let stored = world.store.vault_records_all(&RecordFilter::All, None, 10).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].sealed.as_bytes().windows(6).any(|window| window == b"CANARY"));
}

#[tokio::test]
async fn no_session_is_started_and_no_gateway_asked_while_nothing_can_be_sealed() {
    let (world, wrapper) = world();
    wrapper.set(Mood::Down(None));
    let error = world.billfold.start_session(&world.tenant, request("c-1")).await.unwrap_err();
    unavailable(&error, SOON);
    assert!(world.gateway.calls().is_empty());
    assert!(world.store.customers(&world.tenant, Page::first(10)).await.unwrap().is_empty());
    wrapper.set(Mood::Well);
    world.start("c-1").await;
}

#[tokio::test]
async fn a_service_that_answers_garbage_opens_nothing() {
    let (world, wrapper) = world();
    let vault = world.billfold.vault();
    let actor = Actor::new("tester");
    let id = vault.put(&world.tenant, card("o-1")).await.unwrap().record.id;
    world.clock.advance(DEFAULT_KEY_CACHE);
    wrapper.set(Mood::Garbage);
    let refused = vault.reveal(&world.tenant, id, &actor).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Vault);
    assert!(world.store.audit_entries(&world.tenant, 0, 10).await.unwrap().is_empty());
    // The wrong key is forgotten with the cache's time at the latest.
    wrapper.set(Mood::Well);
    world.clock.advance(DEFAULT_KEY_CACHE);
    vault.reveal(&world.tenant, id, &actor).await.unwrap();
}

/// A first value needs the tenant's fingerprint key as well as its owner's: neither waits for the other. The clock goes
/// on only while everybody waits for it, however busy the machine is.
#[tokio::test(start_paused = true)]
async fn no_first_value_waits_for_itself() {
    let (world, _) = world();
    for index in 0..200 {
        let tenant: TenantId = format!("tenant-{index}").parse().unwrap();
        let began = Instant::now();
        let mut note = put("o-1", "note", text("x"));
        note.allow_duplicates = true;
        world.billfold.vault().put(&tenant, note).await.unwrap();
        let place = Place { tenant: &tenant, owner: "o-2", kind: "note", object: "" };
        world.billfold.vault().seal(place, b"x").await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO, "tenant {index} waited");
    }
}

/// Nobody's turn is over before the key is made: the clock stands still. All are under way while the first wraps.
#[tokio::test(start_paused = true)]
async fn many_first_values_at_once_make_one_key() {
    let (world, wrapper) = world();
    let vault = world.billfold.vault().clone();
    vault.put(&world.tenant, card("o-1")).await.unwrap();
    let before = wrapper.calls();
    let puts = (0..50).map(|index| {
        let (vault, tenant) = (vault.clone(), world.tenant.clone());
        async move { vault.put(&tenant, put("o-2", "card", text(&format!("4222-{index}")))).await.unwrap() }
    });
    at_once(puts).await;
    assert_eq!(wrapper.calls(), before + 1, "one key is wrapped, by whoever came first");
}

#[tokio::test]
async fn a_check_tells_a_missing_root_key_from_one_that_is_away() {
    let (world, wrapper) = world();
    let vault = world.billfold.vault();
    vault.check().await.unwrap();
    vault.put(&world.tenant, card("o-1")).await.unwrap();
    vault.check().await.unwrap();
    wrapper.set(Mood::Down(None));
    unavailable(&vault.check().await.unwrap_err(), SOON);
    wrapper.set(Mood::Well);
    let other = world.again(|setup| setup.wrapper = FragileWrapper::new());
    let refused = other.billfold.vault().check().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    let name: &dyn KeyWrapper = &*wrapper;
    assert!(refused.message().contains(name.id().as_str()), "{refused}");
    // The right name on the wrong key.
    wrapper.set(Mood::Garbage);
    assert!(vault.check().await.is_err());
}

#[tokio::test]
async fn a_damaged_key_does_not_make_the_root_key_a_wrong_one() {
    let (world, wrapper) = world();
    let vault = world.billfold.vault();
    let root = KeyWrapper::id(&*wrapper).clone();
    for owner in ["o-1", "o-2"] {
        vault.put(&world.tenant, card(owner)).await.unwrap();
    }
    let keys = world.store.vault_keys(&KeyFilter::WrappedBy(root), None, 100).await.unwrap();
    assert!(keys.len() > 1);
    // Whichever it is that is looked at first.
    for (index, key) in keys.iter().enumerate() {
        let other = keys[(index + 1) % keys.len()].wrapped.clone();
        let damaged = VaultKey { wrapped: other, version: key.version + 1, ..key.clone() };
        let vault_keys = vec![Write::Update(damaged)];
        let damage = world.store.commit(Changes { vault_keys, ..Changes::default() }).await.unwrap();
        assert_eq!(damage, Commit::Applied);
        let checked = vault.check().await;
        if index + 1 < keys.len() {
            checked.unwrap();
        } else {
            // None is left that opens.
            assert_eq!(checked.unwrap_err().kind(), ErrorKind::Configuration);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_asked_rarely() {
    let (world, wrapper) = world();
    let vault = world.billfold.vault().clone();
    vault.put(&world.tenant, card("o-1")).await.unwrap();
    let before = wrapper.calls();
    let reveals = (0..50).map(|index| {
        let (vault, tenant) = (vault.clone(), world.tenant.clone());
        async move { vault.put(&tenant, put("o-1", "card", text(&format!("4222-{index}")))).await.unwrap() }
    });
    at_once(reveals).await;
    assert_eq!(wrapper.calls(), before);
}
