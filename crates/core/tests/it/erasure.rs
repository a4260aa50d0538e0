//! Whoever is erased is gone: here, at the gateway, and from a backup that comes back.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::ErrorKind;
use billfold_core::audit::Actor;
use billfold_core::clock::Timestamp;
use billfold_core::erasure::{ErasureState, ErasureView};
use billfold_core::id::{CustomerId, SessionId};
use billfold_core::name::TenantId;
use billfold_core::provider::{CustomerProfile, Echo, ProviderMethodStatus};
use billfold_core::schedule::Schedule;
use billfold_core::store::{
    Changes, Commit, DeliveryState, KeyFilter, Page, RecordFilter, Store, StoreResult, VaultPut,
};
use billfold_core::vault::VaultRecord;
use billfold_core::{CustomerSelector, Result};
use billfold_testkit::between::Between;
use billfold_testkit::reference::{Instrument, Trouble};
use billfold_testkit::vault::{FragileWrapper, Mood};
use futures::future::BoxFuture;
use serde_json::json;

use crate::support::{World, at_once, request};
use crate::vault::{put, text};

pub(crate) fn operator() -> Actor {
    Actor::new("cli:tester")
}

/// Two saved methods, an open session, a value of the merchant's own.
struct Known {
    customer: CustomerId,
    sessions: Vec<SessionId>,
    methods: Vec<billfold_core::id::PaymentMethodId>,
}

async fn known(world: &World, reference: &str) -> Known {
    let first =
        world.save(reference, Instrument::card(&format!("{reference}-1"), &format!("{reference}-1"))).await;
    let second =
        world.save(reference, Instrument::card(&format!("{reference}-2"), &format!("{reference}-2"))).await;
    let open = world.start(reference).await;
    let customer = first.customer_id;
    let own = put(&customer.to_string(), "card", text("4111111111111111"));
    world.billfold.vault().put(&world.tenant, own).await.unwrap();
    let methods = world.methods(&first).await.iter().map(|method| method.id).collect();
    Known { customer, sessions: vec![first.id, second.id, open.id], methods }
}

async fn erase(world: &World, known: &Known) -> ErasureView {
    world.billfold.erase_customer(&world.tenant, known.customer, &operator()).await.unwrap()
}

/// What the API still shows of somebody, as a list of words.
async fn shown(world: &World, known: &Known, reference: &str) -> Vec<&'static str> {
    let (billfold, tenant) = (&world.billfold, &world.tenant);
    let owner = known.customer.to_string();
    let is_there = |outcome: Result<()>| match outcome {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{error:?}"),
    };
    let mut found = Vec::new();
    let mut note = |is_there: bool, word| found.extend(is_there.then_some(word));
    note(is_there(billfold.get_customer(tenant, known.customer).await.map(|_| ())), "customer");
    note(is_there(billfold.find_customer(tenant, reference).await.map(|_| ())), "reference");
    let customers = billfold.list_customers(tenant, Page::first(100)).await.unwrap();
    note(customers.iter().any(|view| view.id == known.customer), "customers");
    for id in &known.sessions {
        note(is_there(billfold.get_session(tenant, *id).await.map(|_| ())), "session");
    }
    let sessions = billfold.list_sessions(tenant, None, Page::first(100)).await.unwrap();
    note(sessions.iter().any(|session| session.customer_id == known.customer), "sessions");
    let sessions = billfold.list_sessions(tenant, Some(known.customer), Page::first(100)).await.unwrap();
    note(!sessions.is_empty(), "their sessions");
    for id in &known.methods {
        note(is_there(billfold.get_method(tenant, *id).await.map(|_| ())), "method");
    }
    let methods = billfold.list_methods(tenant, known.customer, Page::first(100)).await;
    note(is_there(methods.map(|_| ())), "their methods");
    let records = billfold.vault().list(tenant, &owner, None, Page::first(100)).await.unwrap();
    note(!records.is_empty(), "vault records");
    found
}

/// What the database still holds of an owner.
async fn held(world: &World, owner: &str) -> (usize, usize) {
    let keys = world.store.vault_keys(&KeyFilter::Data, None, 1000).await.unwrap();
    let records = world.store.vault_records_all(&RecordFilter::All, None, 1000).await.unwrap();
    let keys = keys.iter().filter(|key| key.subject == owner).count();
    (keys, records.iter().filter(|record| record.owner == owner).count())
}

fn outcomes(erasure: &ErasureView) -> Vec<&str> {
    let mut outcomes: Vec<_> =
        erasure.gateway_deletions.iter().map(|deletion| deletion.outcome.as_str()).collect();
    outcomes.sort_unstable();
    outcomes
}

#[tokio::test]
async fn an_erased_customer_is_gone_here_and_at_the_gateway() {
    let world = World::new();
    let gone = known(&world, "c-1").await;
    let stays = known(&world, "c-2").await;
    let before = world.billfold.list_events(&world.tenant, 0, 1000).await.unwrap();
    assert_eq!(shown(&world, &gone, "c-1").await.len(), 13 - 1, "{:?}", shown(&world, &gone, "c-1").await);
    let everything_of_the_other = shown(&world, &stays, "c-2").await;

    let erasure = erase(&world, &gone).await;
    assert_eq!(erasure.state, ErasureState::Done);
    assert_eq!(outcomes(&erasure), ["deleted", "deleted"]);
    for token in ["c-1-1", "c-1-2"] {
        assert_eq!(world.gateway.token_status(token), Some(ProviderMethodStatus::Revoked), "{token}");
    }
    assert_eq!(world.gateway.token_status("c-2-1"), Some(ProviderMethodStatus::Active));
    assert_eq!(world.gateway.calls().iter().filter(|call| *call == "cancel_session").count(), 1);
    assert_eq!(shown(&world, &gone, "c-1").await, Vec::<&str>::new());
    assert_eq!(held(&world, &gone.customer.to_string()).await, (0, 0));
    assert_eq!(shown(&world, &stays, "c-2").await, everything_of_the_other);

    // The stream of events keeps its places; what it told of the customer is blank.
    let after = world.billfold.list_events(&world.tenant, 0, 1000).await.unwrap();
    for (was, is) in before.iter().zip(&after) {
        assert_eq!((was.id, was.sequence, &was.name), (is.id, is.sequence, &is.name));
        let others = is.data.get("customer_id").is_some_and(|id| *id == json!(stays.customer));
        assert!(others || is.data == json!({"erased": true}), "{is:?}");
    }
    let last = after.last().unwrap();
    assert_eq!((last.name.as_str(), last.object_id.clone()), ("customer.erased", gone.customer.to_string()));
    assert_eq!(after.iter().filter(|event| event.name == "customer.erased").count(), 1);
    let told = format!("{after:?}");
    for trace in gone.sessions.iter().map(ToString::to_string) {
        // The object's id is the one thing that stays, for whoever keeps a copy to know what to forget.
        assert!(!told.contains(&format!("{trace}\\\"")), "{trace} is told of in an event's data");
    }
    let trail = world.billfold.list_audit(&world.tenant, 0, 100).await.unwrap();
    let did: Vec<_> = trail.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    assert_eq!(did, [("customer.erase", "cli:tester"), ("erasure.done", "system")]);
    assert!(trail.iter().all(|entry| entry.target == erasure.id.to_string()), "the trail names nobody");
    let verdict = world.billfold.verify_audit(&world.tenant, None).await.unwrap();
    assert_eq!((verdict.entries, verdict.broken_at), (2, None));
    let known = world.billfold.get_erasure(&world.tenant, erasure.id).await.unwrap();
    assert_eq!((known.state, known.done_at), (ErasureState::Done, erasure.done_at));
    assert_eq!(world.billfold.list_erasures(&world.tenant, Page::first(10)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn erasing_twice_is_the_same_erasure() {
    let world = World::new();
    let gone = known(&world, "c-1").await;
    let first = erase(&world, &gone).await;
    let (calls, events) = (world.gateway.calls().len(), world.event_names().await.len());
    world.clock.advance(Duration::from_hours(1));
    let again = erase(&world, &gone).await;
    assert_eq!((again.id, again.done_at), (first.id, first.done_at));
    assert_eq!((world.gateway.calls().len(), world.event_names().await.len()), (calls, events));
    assert_eq!(world.billfold.list_audit(&world.tenant, 0, 100).await.unwrap().len(), 2);
    // Erasing needs somebody of this tenant.
    let stays = known(&world, "c-2").await;
    let other: TenantId = "other".parse().unwrap();
    let foreign = world.billfold.erase_customer(&other, stays.customer, &operator()).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::NotFound);
    assert!(world.billfold.get_erasure(&other, first.id).await.is_err());
    assert!(!shown(&world, &stays, "c-2").await.is_empty());
}

#[tokio::test]
async fn a_gateway_that_is_down_delays_the_erasure_and_shows_nobody() {
    let world = World::new();
    let gone = known(&world, "c-1").await;
    for _ in 0..4 {
        world.gateway.order("delete_method", Trouble::LostBefore);
    }
    world.gateway.order("cancel_session", Trouble::LostBefore);
    let pending = erase(&world, &gone).await;
    assert_eq!((pending.state, pending.done_at), (ErasureState::Pending, None));
    assert_eq!(outcomes(&pending), ["unfinished", "unfinished"]);
    assert_eq!(shown(&world, &gone, "c-1").await, Vec::<&str>::new());
    let by_erasure = world.billfold.find_customer(&world.tenant, &pending.id.to_string()).await.unwrap_err();
    assert_eq!(by_erasure.kind(), ErrorKind::NotFound);
    let by_id = CustomerSelector { id: Some(gone.customer), ..CustomerSelector::default() };
    let mut anew = request("c-1");
    anew.customer = by_id;
    let refused = world.billfold.start_session(&world.tenant, anew).await.unwrap_err();
    assert_eq!(refused.fields()[0].pointer, "/customer/id");
    assert_ne!(held(&world, &gone.customer.to_string()).await, (0, 0), "the tokens are needed once more");

    // The merchant may use the reference at once: for somebody else.
    let newcomer = world.start("c-1").await;
    assert_ne!(newcomer.customer_id, gone.customer);
    // Nothing is tried before its time; each try after that is the same erasure.
    assert_eq!(world.billfold.continue_erasures(10).await.unwrap(), 0);
    assert_eq!(erase(&world, &gone).await.state, ErasureState::Pending, "asked again, it tries at once");
    world.clock.advance(Duration::from_mins(5));
    world.work().await;
    let done = world.billfold.get_erasure(&world.tenant, pending.id).await.unwrap();
    assert_eq!((done.state, outcomes(&done)), (ErasureState::Done, vec!["deleted", "deleted"]));
    assert_eq!(held(&world, &gone.customer.to_string()).await, (0, 0));
    assert_eq!(world.gateway.token_status("c-1-1"), Some(ProviderMethodStatus::Revoked));
    assert_eq!(world.billfold.get_session(&world.tenant, newcomer.id).await.unwrap().id, newcomer.id);
    let names = world.event_names().await;
    assert_eq!(names.iter().filter(|name| *name == "customer.erased").count(), 1);
}

#[tokio::test]
async fn the_deadline_ends_the_wait_for_a_gateway() {
    let world = World::new();
    let gone = known(&world, "c-1").await;
    for _ in 0..4000 {
        world.gateway.order("delete_method", Trouble::LostBefore);
    }
    let pending = erase(&world, &gone).await;
    let state = async || world.billfold.get_erasure(&world.tenant, pending.id).await.unwrap();
    for _ in 0..23 {
        world.clock.advance(Duration::from_hours(1));
        world.work().await;
        assert_eq!(state().await.state, ErasureState::Pending);
    }
    world.clock.advance(Duration::from_hours(1));
    world.work().await;
    let done = state().await;
    assert_eq!((done.state, outcomes(&done)), (ErasureState::Done, vec!["unfinished", "unfinished"]));
    assert_eq!(held(&world, &gone.customer.to_string()).await, (0, 0));
    assert_eq!(shown(&world, &gone, "c-1").await, Vec::<&str>::new());
    world.clock.advance(Duration::from_hours(99));
    world.work().await;
}

#[tokio::test]
async fn a_deletion_that_was_given_up_before_is_told_and_waited_for_no_more() {
    let schedule = Schedule { removal_attempts: 1, ..Schedule::default() };
    let world = World::with(|setup| setup.schedule = schedule);
    let gone = known(&world, "c-1").await;
    world.gateway.order("delete_method", Trouble::LostBefore);
    world.billfold.delete_method(&world.tenant, gone.methods[0]).await.unwrap();
    world.work().await;
    let erasure = erase(&world, &gone).await;
    assert_eq!((erasure.state, outcomes(&erasure)), (ErasureState::Done, vec!["deleted", "gave_up"]));
}

/// Neither a gateway that is not configured any more nor one that contradicts itself keeps anybody here.
#[tokio::test]
async fn no_gateway_keeps_anybody_from_being_erased() {
    let world = World::new();
    let gone = known(&world, "c-1").await;
    let without = world.again(|setup| setup.configured = false);
    let pending = erase(&without, &gone).await;
    assert_eq!((pending.state, outcomes(&pending)), (ErasureState::Pending, vec!["unfinished"; 2]));
    world.clock.advance(Duration::from_hours(24));
    without.work().await;
    let done = without.billfold.get_erasure(&world.tenant, pending.id).await.unwrap();
    assert_eq!((done.state, outcomes(&done)), (ErasureState::Done, vec!["unfinished"; 2]));
    assert_eq!(held(&world, &gone.customer.to_string()).await, (0, 0));

    let gone = known(&world, "c-2").await;
    let contradiction = Echo { currency: Some("USD".into()), ..Echo::default() };
    world.gateway.set_echo(&world.gateway.sessions().pop().unwrap(), contradiction);
    assert_eq!(erase(&world, &gone).await.state, ErasureState::Done);
}

#[tokio::test]
async fn late_news_of_somebody_erased_does_no_harm() {
    let world = World::new();
    let gone = known(&world, "c-1").await;
    let open = world.gateway.sessions().pop().unwrap();
    erase(&world, &gone).await;
    let events = world.event_names().await;
    // The customer finished on the hosted page all the same, and the gateway tells of everything again.
    world.gateway.complete(&open, Instrument::card("c-1-3", "c-1-3"));
    let reference = gone.sessions[2].to_string();
    for body in [
        json!({"event": "session.completed", "session": open, "reference": reference}),
        json!({"event": "session.completed", "session": "ref-0001"}),
        json!({"event": "token.activated", "token": "c-1-1", "reference": gone.sessions[0].to_string()}),
        json!({"event": "token.activated", "token": "c-1-3", "reference": reference}),
    ] {
        world.deliver(body).await.unwrap();
    }
    for _ in 0..9 {
        world.work().await;
        world.sweep().await;
        world.clock.advance(Duration::from_hours(25));
    }
    assert_eq!(shown(&world, &gone, "c-1").await, Vec::<&str>::new());
    assert_eq!(held(&world, &gone.customer.to_string()).await, (0, 0));
    assert_eq!(world.event_names().await, events, "nothing was told");
    let dead = Some(DeliveryState::Dead);
    assert_eq!(world.billfold.list_deliveries(&world.tenant, dead, Page::first(10)).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_completion_during_a_pending_erasure_is_taken_back_too() {
    let world = World::new();
    let gone = known(&world, "c-1").await;
    let open = world.gateway.sessions().pop().unwrap();
    world.gateway.order("cancel_session", Trouble::LostBefore);
    world.gateway.order("delete_method", Trouble::LostBefore);
    let pending = erase(&world, &gone).await;
    assert_eq!(pending.state, ErasureState::Pending);
    world.gateway.complete(&open, Instrument::card("c-1-3", "c-1-3"));
    world.completed(&open).await;
    world.work().await;
    assert_eq!(shown(&world, &gone, "c-1").await, Vec::<&str>::new());
    world.clock.advance(Duration::from_mins(5));
    world.work().await;
    let done = world.billfold.get_erasure(&world.tenant, pending.id).await.unwrap();
    assert_eq!((done.state, outcomes(&done)), (ErasureState::Done, vec!["deleted"; 3]));
    assert_eq!(world.gateway.token_status("c-1-3"), Some(ProviderMethodStatus::Revoked));
    assert_eq!(shown(&world, &gone, "c-1").await, Vec::<&str>::new());
}

#[tokio::test]
async fn nothing_is_erased_by_halves_while_keys_cannot_be_had() {
    let wrapper = FragileWrapper::new();
    let world = World::with(|setup| setup.wrapper = wrapper.clone());
    let gone = known(&world, "c-1").await;
    let before = shown(&world, &gone, "c-1").await;
    world.clock.advance(Duration::from_hours(1));
    wrapper.set(Mood::Down(None));
    let refused = world.billfold.erase_customer(&world.tenant, gone.customer, &operator()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::KeysUnavailable);
    wrapper.set(Mood::Well);
    assert_eq!(shown(&world, &gone, "c-1").await, before);
    assert_eq!(erase(&world, &gone).await.state, ErasureState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_at_once_with_everything_else_ends_in_one_erasure_and_nothing_left() {
    for round in 0..10 {
        let world = std::sync::Arc::new(World::new());
        let gone = known(&world, "c-1").await;
        let open = world.gateway.sessions().pop().unwrap();
        world.gateway.complete(&open, Instrument::card("c-1-3", "c-1-3"));
        let (owner, data) = (gone.customer.to_string(), billfold_core::vault::KeyPurpose::Data);
        let old_key = world.store.primary_vault_key(&world.tenant, &owner, data).await.unwrap().unwrap();
        let tasks = (0..12).map(|index| {
            let (world, open, customer) = (world.clone(), open.clone(), gone.customer);
            async move {
                let (billfold, tenant) = (&world.billfold, &world.tenant);
                match index % 4 {
                    0 => billfold
                        .erase_customer(tenant, customer, &operator())
                        .await
                        .map(|found| Some(found.id)),
                    1 => world
                        .deliver(json!({"event": "session.completed", "session": open}))
                        .await
                        .map(|()| None),
                    2 => billfold.process(10).await.map(|_| None),
                    _ => {
                        let mut again = request("c-1");
                        again.customer =
                            CustomerSelector { id: Some(customer), ..CustomerSelector::default() };
                        // Refused or started, whichever came first.
                        let _ = billfold.start_session(tenant, again).await;
                        Ok(None)
                    }
                }
            }
        });
        let mut ids: Vec<_> =
            at_once(tasks).await.into_iter().filter_map(|outcome| outcome.unwrap()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "round {round}");
        for _ in 0..3 {
            world.clock.advance(Duration::from_mins(6));
            world.work().await;
            world.sweep().await;
        }
        let done = world.billfold.get_erasure(&world.tenant, ids[0]).await.unwrap();
        assert_eq!(done.state, ErasureState::Done, "round {round}");
        // A start that lost may leave a key that it made; nothing was ever sealed under it.
        assert_eq!(held(&world, &gone.customer.to_string()).await.1, 0, "round {round}");
        let keys = world.store.vault_keys(&KeyFilter::Data, None, 100).await.unwrap();
        let mut theirs = keys.iter().filter(|key| key.subject == gone.customer.to_string());
        assert!(theirs.all(|key| key.id != old_key.id), "round {round}: the old key is there");
        assert_eq!(shown(&world, &gone, "c-1").await, Vec::<&str>::new(), "round {round}");
        let events = world.billfold.list_events(&world.tenant, 0, 1000).await.unwrap();
        assert!(events.iter().all(|event| event.data.get("erased").is_some()), "round {round}");
        assert_eq!(events.iter().filter(|event| event.name == "customer.erased").count(), 1);
    }
}

#[tokio::test]
async fn an_owner_who_is_no_customer_is_erased_at_once_and_may_come_back() {
    let world = World::new();
    let (billfold, tenant) = (&world.billfold, &world.tenant);
    let fill = async |owner: &str| {
        for value in ["4111", "4222"] {
            billfold.vault().put(tenant, put(owner, "card", text(value))).await.unwrap();
        }
    };
    fill("o-1").await;
    fill("o-10").await;
    let first = billfold.erase_owner(tenant, "o-1", &operator()).await.unwrap();
    assert_eq!((first.state, first.gateway_deletions.len()), (ErasureState::Done, 0));
    assert_eq!(held(&world, "o-1").await, (0, 0));
    assert_eq!(held(&world, "o-10").await, (1, 2));
    assert!(world.event_names().await.is_empty(), "no customer, no event");
    fill("o-1").await;
    assert_eq!(held(&world, "o-1").await, (1, 2));
    let again = billfold.erase_owner(tenant, "o-1", &operator()).await.unwrap();
    assert_eq!(again.id, first.id);
    assert_eq!(held(&world, "o-1").await, (0, 0));
    let nobody = billfold.erase_owner(tenant, "nobody", &operator()).await.unwrap();
    assert_eq!(nobody.state, ErasureState::Done);
    // A customer is erased as one, by whichever door.
    let known = known(&world, "c-1").await;
    let erasure = billfold.erase_owner(tenant, &known.customer.to_string(), &operator()).await.unwrap();
    assert_eq!(outcomes(&erasure), ["deleted", "deleted"]);
    assert_eq!(shown(&world, &known, "c-1").await, Vec::<&str>::new());
}

/// Somebody erases the owner right before a value is stored.
struct ErasedBeforePut(Mutex<Option<BoxFuture<'static, ()>>>);

impl fmt::Debug for ErasedBeforePut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasedBeforePut")
    }
}

#[async_trait]
impl Between for ErasedBeforePut {
    async fn vault_put(
        &self,
        store: &dyn Store,
        record: &VaultRecord,
        now: Timestamp,
    ) -> StoreResult<VaultPut> {
        let what = self.0.lock().unwrap().take();
        if let Some(what) = what {
            what.await;
        }
        store.vault_put(record, now).await
    }
}

#[tokio::test]
async fn no_value_is_stored_for_a_customer_who_is_not_there_or_not_any_more() {
    let world = World::new();
    let (billfold, tenant) = (&world.billfold, &world.tenant);
    let known = known(&world, "c-1").await;
    let owner = known.customer.to_string();
    billfold.put_vault_record(tenant, put(&owner, "note", text("one"))).await.unwrap();
    let (eraser, of, customer) = (billfold.clone(), tenant.clone(), known.customer);
    let erased = async move {
        eraser.erase_customer(&of, customer, &operator()).await.unwrap();
    };
    let between = ErasedBeforePut(Mutex::new(Some(Box::pin(erased))));
    let other = world.again(|setup| setup.between = Some(Arc::new(between)));
    let refused =
        other.billfold.put_vault_record(tenant, put(&owner, "note", text("two"))).await.unwrap_err();
    assert_eq!(refused.fields()[0].pointer, "/owner");
    assert_eq!(held(&world, &owner).await, (0, 0), "it is taken back");
    let refused = billfold.put_vault_record(tenant, put(&owner, "note", text("two"))).await.unwrap_err();
    assert_eq!(refused.fields()[0].pointer, "/owner");

    // Who died before they could take it back: erasing again does it, and says who asked.
    billfold.vault().put(tenant, put(&owner, "note", text("three"))).await.unwrap();
    billfold.erase_customer(tenant, known.customer, &operator()).await.unwrap();
    assert_eq!(held(&world, &owner).await, (0, 0));
    let trail = world.store.audit_entries(tenant, 0, 100).await.unwrap();
    let asked =
        trail.iter().filter(|entry| entry.action == "customer.erase" && entry.actor == operator().as_str());
    assert_eq!(asked.count(), 2);
}

/// Somebody else's write gets between the deletion of the values and that of their key, once.
#[derive(Debug, Default)]
struct InTheWay(AtomicBool);

#[async_trait]
impl Between for InTheWay {
    async fn commit(&self, store: &dyn Store, changes: Changes) -> StoreResult<Commit> {
        if !changes.shreds.is_empty() && !self.0.swap(true, Ordering::SeqCst) {
            return Ok(Commit::Stale);
        }
        store.commit(changes).await
    }
}

#[tokio::test]
async fn an_owner_who_came_back_is_erased_however_often_others_are_in_the_way() {
    let world = World::new();
    let fill = put("o-1", "card", text("4111"));
    world.billfold.vault().put(&world.tenant, fill).await.unwrap();
    world.billfold.erase_owner(&world.tenant, "o-1", &operator()).await.unwrap();
    world.billfold.vault().put(&world.tenant, put("o-1", "card", text("4111"))).await.unwrap();

    let contended = world.again(|setup| setup.between = Some(Arc::new(InTheWay::default())));
    contended.billfold.erase_owner(&world.tenant, "o-1", &operator()).await.unwrap();
    assert_eq!(held(&world, "o-1").await, (0, 0), "an erasure that is done already says nothing of this one");
}

/// The empty owner has the keys of the whole tenant; a gateway's name owns its webhooks.
#[tokio::test]
async fn what_is_nobody_is_not_erased() {
    let world = World::new();
    let vault = world.billfold.vault();
    vault.put(&world.tenant, put("o-1", "card", text("4111"))).await.unwrap();
    vault.record_job(&world.tenant, &operator(), "vault.job", &json!({})).await.unwrap();
    world.deliver(json!({"event": "settlement.paid"})).await.unwrap();
    let before = world.store.snapshot();
    for owner in ["", "a\0b", "a\nb", &"x".repeat(256), "reference"] {
        let refused = world.billfold.erase_owner(&world.tenant, owner, &operator()).await.unwrap_err();
        assert_eq!(refused.fields()[0].pointer, "/owner", "{owner:?}");
    }
    let root = billfold_core::vault::WrapperId::from_text(String::new());
    let keys = async |store: &dyn Store| {
        store.vault_keys(&KeyFilter::NotWrappedBy(root.clone()), None, 100).await.unwrap()
    };
    assert_eq!(keys(&*world.store).await, keys(&before).await);
    assert_eq!(world.billfold.verify_audit(&world.tenant, None).await.unwrap().entries, 1);
}

#[tokio::test]
async fn a_profile_of_somebody_erased_is_in_nothing_that_is_left() {
    let world = World::new();
    let profile = CustomerProfile {
        email: Some("CANARY@example.com".into()),
        surname: Some("CANARY".into()),
        ..CustomerProfile::default()
    };
    let customer = world.billfold.save_customer(&world.tenant, "CANARY-reference", profile).await.unwrap();
    let mut own = put(&customer.id.to_string(), "card", text("CANARY-4111"));
    own.metadata = Some([("k".to_owned(), "CANARY".to_owned())].into());
    own.mask = billfold_core::vault::Mask::Last4;
    world.billfold.vault().put(&world.tenant, own).await.unwrap();
    let holds = || format!("{:?}", world.store.snapshot()).contains("CANARY");
    assert!(holds(), "the check sees what is there");
    world.billfold.erase_customer(&world.tenant, customer.id, &operator()).await.unwrap();
    assert!(!holds());
}
