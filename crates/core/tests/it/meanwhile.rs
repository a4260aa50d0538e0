//! What somebody else does in the one moment when it matters.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::audit::Actor;
use billfold_core::charge::Initiator;
use billfold_core::id::VaultRecordId;
use billfold_core::money::Money;
use billfold_core::name::TenantId;
use billfold_core::provider::{ProviderMethodStatus, ProviderSessionStatus};
use billfold_core::session::SessionStatus;
use billfold_core::store::{Changes, Commit, KeyFilter, Page, Store, StoreResult, Write};
use billfold_core::vault::{OnConflict, VaultRecord};
use billfold_core::view::PaymentMethodView;
use billfold_core::{ErrorKind, StartCharge};
use billfold_testkit::between::Between;
use billfold_testkit::reference::{Instrument, Trouble};
use futures::future::BoxFuture;

use crate::support::World;
use crate::vault::{put, text};

/// Something that happens once, right before the first commit of a kind.
pub(crate) struct Meanwhile {
    when: fn(&Changes) -> bool,
    what: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Meanwhile {
    pub(crate) fn before(
        when: fn(&Changes) -> bool,
        what: impl Future<Output = ()> + Send + 'static,
    ) -> Arc<dyn Between> {
        Arc::new(Self { when, what: Mutex::new(Some(Box::pin(what))) })
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

#[async_trait]
impl Between for Meanwhile {
    async fn commit(&self, store: &dyn Store, changes: Changes) -> StoreResult<Commit> {
        if (self.when)(&changes) {
            let what = self.what.lock().unwrap().take();
            if let Some(what) = what {
                what.await;
            }
        }
        store.commit(changes).await
    }
}

fn operator() -> Actor {
    Actor::new("operator")
}

#[tokio::test]
async fn a_method_saved_in_the_last_moment_of_an_erasure_is_deleted_at_its_gateway_too() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    let worker = world.billfold.clone();
    let saved = async move {
        assert_eq!(worker.process(10).await.unwrap(), 1);
    };
    let between = Meanwhile::before(|changes| !changes.shreds.is_empty(), saved);
    let eraser = world.again(|setup| setup.between = Some(between));
    eraser.billfold.erase_customer(&world.tenant, session.customer_id, &operator()).await.unwrap();

    assert!(world.event_names().await.contains(&"payment_method.saved".to_owned()), "it was saved");
    assert_eq!(world.gateway.token_status("tok-1"), Some(ProviderMethodStatus::Revoked));
    assert!(world.store.customer(&world.tenant, session.customer_id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_webhook_worked_on_while_its_customer_is_erased_keeps_nothing_of_them() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    let (eraser, tenant, customer) = (world.billfold.clone(), world.tenant.clone(), session.customer_id);
    let erased = async move {
        eraser.erase_customer(&tenant, customer, &operator()).await.unwrap();
    };
    let worked_on = |changes: &Changes| {
        let about_somebody = |write: &Write<_>| {
            matches!(write, Write::Update(billfold_core::store::Delivery { customer_id: Some(_), .. }))
        };
        changes.deliveries.iter().any(about_somebody)
    };
    let worker = world.again(|setup| setup.between = Some(Meanwhile::before(worked_on, erased)));
    assert_eq!(worker.billfold.process(10).await.unwrap(), 1);

    assert!(world.store.customer(&world.tenant, customer).await.unwrap().is_none());
    let delivery = world.store.deliveries(&world.tenant, None, Page::first(9)).await.unwrap().remove(0);
    assert_eq!(delivery.customer_id, None);
    assert!(world.store.vault_record(&world.tenant, delivery.body).await.unwrap().is_none());
}

/// Whoever was away for longer than all times at which a session is asked about has one question left.
#[tokio::test]
async fn the_last_question_is_asked_until_it_is_answered() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.clock.advance(Duration::from_hours(80));
    world.gateway.order("fetch_session", Trouble::LostBefore);
    world.sweep().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Expired, "it ended by the clock");
    world.clock.advance(Duration::from_hours(1));
    world.sweep().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
    assert_eq!(world.methods(&session).await.len(), 1);

    // A gateway that never answers is not asked for ever.
    let silent = world.start("c-2").await;
    for _ in 0..31 {
        world.clock.advance(Duration::from_hours(24));
        world.gateway.order("fetch_session", Trouble::LostBefore);
        world.sweep().await;
    }
    let row = world.store.session(&world.tenant, silent.id).await.unwrap().unwrap();
    assert_eq!((row.status, row.next_check_at), (SessionStatus::Expired, None));
}

/// The machine slept, or its clock was wrong: every time at which the session would have been looked at is
/// past when its gateway's answer is stored.
#[tokio::test]
async fn a_session_that_took_days_to_create_is_looked_after() {
    let world = World::new();
    let clock = world.clock.clone();
    let slept = async move { clock.advance(Duration::from_hours(96)) };
    let intent = |changes: &Changes| matches!(changes.sessions.as_slice(), [Write::Insert(_)]);
    let sleeper = world.again(|setup| setup.between = Some(Meanwhile::before(intent, slept)));
    let session = sleeper.start("c-1").await;
    assert_eq!(session.status, SessionStatus::Active);

    world.gateway.set_session("ref-0001", ProviderSessionStatus::Expired);
    world.clock.advance(Duration::from_hours(1));
    world.sweep().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Expired);
}

/// A value may be refused after its owner's key was made: the key goes when nobody can need it any more.
#[tokio::test]
async fn a_key_made_for_a_customer_who_was_erased_meanwhile_does_not_stay() {
    let world = World::new();
    let session = world.start("c-1").await;
    let (tenant, owner) = (&world.tenant, session.customer_id.to_string());
    world.billfold.erase_customer(tenant, session.customer_id, &operator()).await.unwrap();
    let place = billfold_core::vault::Place { tenant, owner: &owner, kind: "late", object: "" };
    world.billfold.vault().seal(place, b"never stored").await.unwrap();
    let keys = async || {
        let all = world.store.vault_keys(&KeyFilter::Data, None, 100).await.unwrap();
        all.into_iter().filter(|key| key.subject == owner).count()
    };
    assert_eq!(keys().await, 1);
    world.clock.advance(2 * billfold_core::vault::DEFAULT_KEY_CACHE);
    assert_eq!(world.billfold.vault().retire_keys(10).await.unwrap(), 1);
    assert_eq!(keys().await, 0);
}

/// Erases a customer right before or right after a sealed value is read.
struct ErasedAround {
    before: bool,
    what: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl fmt::Debug for ErasedAround {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasedAround")
    }
}

#[async_trait]
impl Between for ErasedAround {
    async fn vault_record(
        &self,
        store: &dyn Store,
        tenant: &TenantId,
        id: VaultRecordId,
    ) -> StoreResult<Option<VaultRecord>> {
        let what = self.what.lock().unwrap().take();
        let read = if self.before { None } else { Some(store.vault_record(tenant, id).await?) };
        if let Some(what) = what {
            what.await;
        }
        match read {
            Some(read) => Ok(read),
            None => store.vault_record(tenant, id).await,
        }
    }
}

/// A world with a saved method whose customer is erased when another process reads their first sealed value.
async fn erased_around(before: bool) -> (World, World, PaymentMethodView) {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let method = world.methods(&session).await.pop().unwrap();
    let (billfold, tenant) = (world.billfold.clone(), world.tenant.clone());
    let erased = async move {
        billfold.erase_customer(&tenant, session.customer_id, &operator()).await.unwrap();
    };
    let between = ErasedAround { before, what: Mutex::new(Some(Box::pin(erased))) };
    // It does not have the customer's key at hand.
    let other = world.again(|setup| setup.between = Some(Arc::new(between)));
    (world, other, method)
}

#[tokio::test]
async fn whoever_asks_for_a_customer_while_they_are_erased_is_told_that_there_is_none() {
    for before in [true, false] {
        let (world, other, method) = erased_around(before).await;
        let asked = other.billfold.get_customer(&world.tenant, method.customer_id).await;
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::NotFound, "before: {before}");
    }
}

#[tokio::test]
async fn whoever_charges_a_customer_while_they_are_erased_charges_nothing() {
    for before in [true, false] {
        let (world, other, method) = erased_around(before).await;
        let money = Money { amount: 5, currency: "IDR".parse().unwrap() };
        let request = StartCharge::new(money, Initiator::Customer, None);
        let charged = other.billfold.charge_method(&world.tenant, method.id, request).await;
        assert_eq!(charged.unwrap_err().kind(), ErrorKind::Conflict, "before: {before}");
        assert!(world.gateway.ledger().is_empty());
    }
}

#[tokio::test]
async fn a_value_shown_or_changed_while_its_owner_is_erased_is_not_found() {
    for before in [true, false] {
        let value = || put("o-1", "card", text("4111"));
        let world = World::new();
        let record = world.billfold.vault().put(&world.tenant, value()).await.unwrap().record;
        let another = |world: &World| {
            let (billfold, tenant) = (world.billfold.clone(), world.tenant.clone());
            let erased = async move {
                billfold.erase_owner(&tenant, "o-1", &operator()).await.unwrap();
            };
            let between = ErasedAround { before, what: Mutex::new(Some(Box::pin(erased))) };
            world.again(|setup| setup.between = Some(Arc::new(between)))
        };
        let other = another(&world);
        let shown = other.billfold.vault().reveal(&world.tenant, record.id, &operator()).await;
        assert_eq!(shown.unwrap_err().kind(), ErrorKind::NotFound, "before: {before}");

        // Kept, with something new beside it: the owner is somebody new by now.
        world.billfold.vault().put(&world.tenant, value()).await.unwrap();
        let mut again = value();
        again.on_conflict = OnConflict::Keep;
        again.metadata = Some([("a".to_owned(), "b".to_owned())].into());
        let other = another(&world);
        let stored = other.billfold.vault().put(&world.tenant, again).await.unwrap();
        let kept = world.billfold.vault().list(&world.tenant, "o-1", None, Page::first(9)).await.unwrap();
        assert!(kept.len() <= 1 && kept.iter().all(|kept| kept.id == stored.record.id));
    }
}

/// Erases an owner right after a page of records was read.
struct ErasedAfter {
    call: &'static str,
    what: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl fmt::Debug for ErasedAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasedAfter")
    }
}

#[async_trait]
impl Between for ErasedAfter {
    async fn after(&self, call: &'static str) -> StoreResult<()> {
        let what = if call == self.call { self.what.lock().unwrap().take() } else { None };
        if let Some(what) = what {
            what.await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn whoever_verifies_or_seals_anew_beside_an_erasure_raises_no_alarm() {
    for verifying in [true, false] {
        let world = World::new();
        for owner in ["o-1", "o-2"] {
            world.billfold.vault().put(&world.tenant, put(owner, "card", text("4111"))).await.unwrap();
        }
        if !verifying {
            let cutoff = world.billfold.clock().now().plus(Duration::from_secs(1));
            world.billfold.vault().rotate_data_step(None, cutoff, None, 10).await.unwrap();
        }
        let (billfold, tenant) = (world.billfold.clone(), world.tenant.clone());
        let erased = async move {
            billfold.erase_owner(&tenant, "o-1", &operator()).await.unwrap();
        };
        let between = ErasedAfter { call: "vault_records_all", what: Mutex::new(Some(Box::pin(erased))) };
        let other = world.again(|setup| setup.between = Some(Arc::new(between)));
        if verifying {
            let verified = other.billfold.vault().verify_step(None, 10).await.unwrap();
            assert_eq!((verified.opened, verified.refused.len()), (1, 0));
        } else {
            let sealed = other.billfold.vault().reseal_step(None, 10).await.unwrap();
            assert_eq!((sealed.seen, sealed.changed, sealed.failed), (2, 1, 0));
        }
    }
}
