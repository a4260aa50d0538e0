//! Charges, refunds and their news at the same time as others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::charge::{ChargeReason, ChargeStatus, Initiator};
use billfold_core::clock::Timestamp;
use billfold_core::idempotency::Intent;
use billfold_core::money::Money;
use billfold_core::provider::{ProviderChargeStatus, ProviderSessionStatus, RecurringTerms};
use billfold_core::session::SessionStatus;
use billfold_core::store::{Changes, Commit, Store, StoreError, StoreResult};
use billfold_core::view::PaymentMethodView;
use billfold_core::{ErrorKind, StartCharge, StartRefund};
use billfold_testkit::between::Between;
use billfold_testkit::reference::{Instrument, Trouble};
use serde_json::json;

use crate::meanwhile::Meanwhile;
use crate::support::{World, request};

const DAY: Duration = Duration::from_hours(24);

fn rupiah(amount: i64) -> Money {
    Money { amount, currency: "IDR".parse().unwrap() }
}

async fn saved(world: &World) -> PaymentMethodView {
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.methods(&session).await.pop().unwrap()
}

#[tokio::test]
async fn attempts_at_one_refund_at_the_same_moment_give_money_back_once() {
    let world = World::new();
    let method = saved(&world).await;
    let request = StartCharge::new(rupiah(100), Initiator::Customer, None);
    let charge = world.billfold.charge_method(&world.tenant, method.id, request).await.unwrap();
    let intent = Some(Intent::new(Timestamp::from_millis(1_780_000_000_000), "idk_1"));
    let refund = StartRefund { amount: Some(20), intent, ..StartRefund::default() };
    let (other, tenant, again) = (world.billfold.clone(), world.tenant.clone(), refund.clone());
    let quicker = async move {
        other.refund_charge(&tenant, charge.id, again).await.unwrap();
    };
    let between = Meanwhile::before(|changes| !changes.charges.is_empty(), quicker);
    let slower = world.again(|setup| setup.between = Some(between));
    slower.billfold.refund_charge(&world.tenant, charge.id, refund).await.unwrap();
    let ended = world.billfold.get_charge(&world.tenant, charge.id).await.unwrap();
    assert_eq!((ended.refunds.len(), ended.refunded_amount), (1, 20));
    let asked = world.gateway.calls().iter().filter(|call| *call == "refund_charge").count();
    assert_eq!(asked, 1, "one intent asks the gateway once");
}

#[tokio::test]
async fn an_answer_that_is_older_than_a_banks_return_does_not_undo_it() {
    let world = World::new();
    let method = saved(&world).await;
    let quicker = world.again(|_| {});
    let (gateway, billfold) = (world.gateway.clone(), quicker.billfold.clone());
    // While the answer to the charge is on its way, its success is told by webhook, and then the bank takes it back.
    let meanwhile = async move {
        let reference = gateway.ledger()[0].reference.clone();
        let paid = json!({"event": "charge.succeeded", "charge": "ch-0001", "reference": reference});
        quicker.deliver(paid).await.unwrap();
        billfold.process(10).await.unwrap();
        gateway.set_charge("ch-0001", ProviderChargeStatus::Returned);
        quicker.deliver(json!({"event": "charge.returned", "charge": "ch-0001"})).await.unwrap();
        billfold.process(10).await.unwrap();
    };
    let news = |changes: &Changes| !changes.charges.is_empty() && !changes.events.is_empty();
    let slow = world.again(|setup| setup.between = Some(Meanwhile::before(news, meanwhile)));
    let request = StartCharge::new(rupiah(100), Initiator::Customer, None);
    let charge = slow.billfold.charge_method(&world.tenant, method.id, request).await.unwrap();
    assert_eq!((charge.status, charge.captured_amount), (ChargeStatus::Declined, 0));
    let now = world.billfold.get_charge(&world.tenant, charge.id).await.unwrap();
    assert_eq!(now.status, ChargeStatus::Declined, "it would never have been asked about again");
    let told: Vec<String> =
        world.event_names().await.into_iter().filter(|name| name.starts_with("charge.")).collect();
    assert_eq!(told, ["charge.succeeded", "charge.declined"]);
}

/// The id of a charge that was repeated late tells when it was asked for first, not when it was made.
#[tokio::test]
async fn terms_count_from_when_a_charge_was_made() {
    let world = World::new();
    let mut session = request("c-1");
    session.usage = billfold_core::capability::Usage::Recurring;
    session.recurring = Some(RecurringTerms { frequency_days: 7, ends_on: "2030-12-31".to_owned() });
    let session = world.save_with(session, Instrument::card("tok-1", "fp-1")).await;
    let method = world.methods(&session).await.pop().unwrap();
    let start = Timestamp::from_millis(1_780_000_000_000);
    let charge = |intent: Intent| {
        let mut request = StartCharge::new(rupiah(5), Initiator::Merchant, ChargeReason::Recurring);
        request.intent = Some(intent);
        world.billfold.charge_method(&world.tenant, method.id, request)
    };
    world.clock.advance(DAY);
    charge(Intent::new(start.plus(DAY), "idk_2")).await.unwrap();
    world.clock.advance(7 * DAY);
    // The first attempt was made before, and nothing of it was stored.
    charge(Intent::new(start, "idk_1")).await.unwrap();
    world.clock.advance(DAY);
    let sooner = charge(Intent::new(start.plus(9 * DAY), "idk_3")).await.unwrap_err();
    assert_eq!(sooner.kind(), ErrorKind::Conflict, "the last charge was made yesterday");
    assert_eq!(world.gateway.ledger().len(), 2);
}

/// Lets the first commit about a session pass, and no other.
#[derive(Debug, Default)]
struct DiesAfterOne(AtomicUsize);

#[async_trait]
impl Between for DiesAfterOne {
    async fn commit(&self, store: &dyn Store, changes: Changes) -> StoreResult<Commit> {
        if !changes.sessions.is_empty() && self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err(StoreError { message: "the process is gone".to_owned(), transient: true });
        }
        store.commit(changes).await
    }
}

#[tokio::test]
async fn a_session_that_ended_by_the_clock_is_asked_about_again_though_the_sweeper_died() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    // No webhook came, and nobody swept for longer than late completions are waited for.
    world.clock.advance(6 * DAY);
    world.gateway.order("fetch_session", Trouble::LostBefore);
    let dying = world.again(|setup| setup.between = Some(Arc::new(DiesAfterOne::default())));
    dying.billfold.reconcile(10).await.unwrap();
    assert_eq!(world.session(session.id).await.status, SessionStatus::Expired);
    assert_eq!(world.gateway.session_status("ref-0001"), Some(ProviderSessionStatus::Completed));
    world.clock.advance(Duration::from_hours(2));
    world.billfold.reconcile(10).await.unwrap();
    assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
}
