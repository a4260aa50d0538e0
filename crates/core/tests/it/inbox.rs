//! Who works on which webhook, and what keeps whom from it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::clock::{Clock as _, ManualClock};
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{ProviderMethodStatus, WebhookDelivery};
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Delivery, DeliveryState, Page, Store as _, StoreResult};
use billfold_testkit::between::Between;
use billfold_testkit::reference::{Instrument, ReferenceGateway, SECRET_HEADER, Trouble};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{SECRET, World, gateway_name, other_name};

const LATER: Duration = Duration::from_millis(1);

/// Saved methods, each of a customer of its own, whose gateway has taken back their tokens since.
async fn revoked(world: &World, count: usize) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    for number in 0..count {
        let (customer, token) = (format!("c-{number}"), format!("tok-{number}"));
        world.save(&customer, Instrument::card(&token, &format!("fp-{number}"))).await;
        world.gateway.set_token(&token, ProviderMethodStatus::Revoked);
        events.push(json!({"event": "token.revoked", "token": token}));
    }
    events
}

async fn deliveries(world: &World) -> Vec<Delivery> {
    world.store.deliveries(&world.tenant, None, Page::first(100)).await.unwrap()
}

async fn last_delivery(world: &World) -> Delivery {
    deliveries(world).await.into_iter().max_by_key(|delivery| delivery.received_at).unwrap()
}

/// How many methods are known to be taken back.
async fn known_as_revoked(world: &World) -> usize {
    let mut known = 0;
    for customer in world.store.customers(&world.tenant, Page::first(100)).await.unwrap() {
        let methods = world.store.methods(&world.tenant, customer.id, Page::first(10)).await.unwrap();
        known += methods.iter().filter(|method| method.status == PaymentMethodStatus::Revoked).count();
    }
    known
}

#[tokio::test]
async fn an_event_that_fails_keeps_no_other_of_its_delivery_from_being_acted_on() {
    let world = World::new();
    let events = revoked(&world, 3).await;
    world.gateway.order("fetch_method", Trouble::Refuse);
    world.clock.advance(LATER);
    world.deliver(json!({"events": events})).await.unwrap();
    world.work().await;
    assert_eq!(known_as_revoked(&world).await, 2, "the first was refused");
    let delivery = last_delivery(&world).await;
    assert_eq!(delivery.state, DeliveryState::Parked, "and is asked about again");
    world.clock.advance(Duration::from_mins(5));
    world.work().await;
    assert_eq!((known_as_revoked(&world).await, last_delivery(&world).await.state), (3, DeliveryState::Done));
}

/// Before every call of one name.
struct Before<F> {
    call: &'static str,
    what: F,
}

impl<F> fmt::Debug for Before<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Before({})", self.call)
    }
}

#[async_trait]
impl<F, T> Between for Before<F>
where
    F: Fn() -> T + Send + Sync,
    T: Future<Output = ()> + Send,
{
    async fn before(&self, call: &'static str) -> StoreResult<()> {
        if call == self.call {
            (self.what)().await;
        }
        Ok(())
    }
}

/// Time passes, and whatever is due then is asked for by somebody else, in vain.
async fn pass(clock: Arc<ManualClock>, store: Arc<MemoryStore>) {
    clock.advance(Duration::from_secs(25));
    let now = clock.now();
    let claimed = store.claim_deliveries(now, now.plus(Duration::from_mins(1)), 10).await.unwrap();
    assert!(claimed.is_empty(), "somebody else took over what is being worked on");
}

#[tokio::test]
async fn a_delivery_of_many_events_is_kept_for_as_long_as_it_is_worked_on() {
    let world = World::new();
    let events = revoked(&world, 12).await;
    world.clock.advance(LATER);
    world.deliver(json!({"events": events})).await.unwrap();
    let (clock, store) = (world.clock.clone(), world.store.clone());
    let slow = Before { call: "method_by_token", what: move || pass(clock.clone(), store.clone()) };
    let slow = world.again(|setup| setup.between = Some(Arc::new(slow)));
    slow.billfold.process(10).await.unwrap();
    let delivery = last_delivery(&world).await;
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Done, 1), "{:?}", delivery.note);
    assert_eq!(known_as_revoked(&world).await, 12);
}

#[tokio::test]
async fn a_webhook_that_takes_its_process_with_it_each_time_is_given_up() {
    let world = World::new();
    world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.clock.advance(LATER);
    world.deliver(json!({"event": "token.revoked", "token": "tok-1"})).await.unwrap();
    for _ in 0..20 {
        world.clock.advance(Duration::from_mins(2));
        let now = world.clock.now();
        // Whoever claims it dies, so nobody says what became of it.
        assert_eq!(
            world.store.claim_deliveries(now, now.plus(Duration::from_mins(1)), 10).await.unwrap().len(),
            1
        );
    }
    world.clock.advance(Duration::from_mins(2));
    let asked = world.gateway.calls().len();
    world.work().await;
    let delivery = last_delivery(&world).await;
    assert_eq!(delivery.state, DeliveryState::Dead);
    assert_eq!(delivery.note.unwrap(), "every attempt ended with the process that made it");
    assert_eq!(world.gateway.calls().len(), asked, "it is not tried once more");
}

#[tokio::test]
async fn what_panics_is_parked_and_takes_nothing_with_it() {
    let world = World::new();
    let events = revoked(&world, 2).await;
    world.clock.advance(LATER);
    for event in events {
        world.deliver(event).await.unwrap();
    }
    let calls = AtomicUsize::new(0);
    let once = Before {
        call: "method_by_token",
        what: move || {
            assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "on purpose");
            std::future::ready(())
        },
    };
    let panicking = world.again(|setup| setup.between = Some(Arc::new(once)));
    assert_eq!(panicking.billfold.process(10).await.unwrap(), 2);
    let parked = |delivery: &Delivery| delivery.state == DeliveryState::Parked;
    assert_eq!(deliveries(&world).await.iter().filter(|delivery| parked(delivery)).count(), 1);
    assert_eq!(known_as_revoked(&world).await, 1);
    world.clock.advance(Duration::from_mins(5));
    world.work().await;
    assert_eq!(known_as_revoked(&world).await, 2);
}

#[tokio::test]
async fn webhooks_of_a_gateway_that_does_not_answer_wait_and_those_of_others_do_not() {
    let world = World::with(|setup| setup.other = Some(Arc::new(ReferenceGateway::new())));
    let hanging = Arc::new(AtomicUsize::new(0));
    let counted = hanging.clone();
    let hang = Before {
        call: "session_by_provider_reference",
        what: move || {
            let first = counted.fetch_add(1, Ordering::SeqCst) < 10;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
            }
        },
    };
    let slow = world.again(|setup| setup.between = Some(Arc::new(hang)));
    for number in 0..12 {
        slow.completed(&format!("ref-{number}")).await;
    }
    let mut rounds = JoinSet::new();
    let billfold = slow.billfold.clone();
    rounds.spawn(async move { billfold.process(20).await });
    while hanging.load(Ordering::SeqCst) < 10 {
        tokio::task::yield_now().await;
    }
    world.clock.advance(LATER);
    slow.completed("ref-late").await;
    let mut headers = http::HeaderMap::new();
    headers.append(SECRET_HEADER, SECRET.parse().unwrap());
    let body = json!({"event": "session.completed", "session": "ref-other"}).to_string();
    let delivery = WebhookDelivery::new(body.into_bytes().into(), headers, "", world.clock.now());
    slow.billfold.receive(&other_name(), delivery).await.unwrap();
    assert_eq!(slow.billfold.process(20).await.unwrap(), 2);

    let all = deliveries(&world).await;
    let of_other = all.iter().find(|delivery| delivery.gateway == other_name()).unwrap();
    assert_eq!(of_other.state, DeliveryState::Parked, "it matches nothing, and was looked at");
    let of_hanging = all.iter().filter(|delivery| delivery.gateway == gateway_name());
    let waiting = of_hanging.max_by_key(|delivery| delivery.received_at).unwrap();
    let soon = world.clock.now().plus(Duration::from_secs(1));
    assert_eq!(
        (waiting.state, waiting.attempts, waiting.next_attempt_at),
        (DeliveryState::Received, 0, Some(soon))
    );
}
