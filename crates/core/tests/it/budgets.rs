//! What gateways are asked in the background: each within its own budget, one never at the cost of another, and
//! nothing is lost by waiting.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::ErrorKind;
use billfold_core::charge::{ChargeStatus, Initiator};
use billfold_core::clock::Timestamp;
use billfold_core::id::SessionId;
use billfold_core::money::Money;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{ProviderChargeStatus, ProviderMethodStatus};
use billfold_core::session::{Session, SessionStatus, Via};
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Changes, Commit, Store as _, StoreResult, Write};
use billfold_core::{StartCharge, StartSession};
use billfold_testkit::between::Between;
use billfold_testkit::reference::{ChargeOutcome, Instrument, ReferenceGateway, Trouble};

use crate::support::{World, request};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A world with another gateway beside the usual one.
fn two() -> (World, Arc<ReferenceGateway>) {
    let other = Arc::new(ReferenceGateway::new());
    let setup = other.clone();
    (World::with(|it| it.other = Some(setup)), other)
}

impl World {
    /// Sessions that customers completed, of which no webhook tells. They are due in their order.
    async fn lost(&self, gateway: &ReferenceGateway, name: &str, count: usize) -> Vec<SessionId> {
        let mut ids = Vec::new();
        for number in 0..count {
            self.clock.advance(Duration::from_millis(1));
            let asked =
                StartSession { gateway: Some(name.parse().unwrap()), ..request(&format!("{name}-{number}")) };
            ids.push(self.billfold.start_session(&self.tenant, asked).await.unwrap().id);
            let session = gateway.sessions().pop().unwrap();
            let (token, print) = (format!("tok-{name}-{number}"), format!("fp-{name}-{number}"));
            gateway.complete(&session, Instrument::card(&token, &print));
        }
        ids
    }

    async fn row(&self, id: SessionId) -> Session {
        self.store.session(&self.tenant, id).await.unwrap().unwrap()
    }

    async fn completed_of(&self, ids: &[SessionId]) -> usize {
        let mut count = 0;
        for id in ids {
            count += usize::from(self.row(*id).await.status == SessionStatus::Completed);
        }
        count
    }

    /// Sweeps until nothing is due now; how many questions the gateway was asked.
    async fn questions(&self, gateway: &ReferenceGateway) -> usize {
        let before = asked(gateway);
        while self.billfold.reconcile(20).await.unwrap() > 0 {}
        asked(gateway) - before
    }
}

fn asked(gateway: &ReferenceGateway) -> usize {
    gateway.calls().iter().filter(|call| *call == "fetch_session").count()
}

#[tokio::test]
async fn what_finds_no_place_is_asked_about_soon_and_counts_as_no_question() {
    let world = World::new();
    let ids = world.lost(&world.gateway, "reference", 30).await;
    world.clock.advance(61 * SECOND);
    assert_eq!(world.questions(&world.gateway).await, 10, "two seconds' worth at once");
    let now = world.billfold.clock().now();
    let mut places = BTreeSet::new();
    for id in &ids {
        let row = world.row(*id).await;
        if row.status == SessionStatus::Completed {
            continue;
        }
        let due = row.next_check_at.unwrap();
        assert!(due > now && due.since(now) <= 6 * SECOND, "{}", due.since(now).as_millis());
        assert_eq!((row.details.checks, row.status), (0, SessionStatus::Active));
        places.insert(due);
    }
    assert!(places.len() > 15, "they do not come back all at once: {places:?}");
    let mut seconds = 0_usize;
    while world.completed_of(&ids).await < ids.len() {
        (seconds, ()) = (seconds + 1, world.clock.advance(SECOND));
        world.questions(&world.gateway).await;
        assert!(asked(&world.gateway) <= 10 + 5 * seconds, "five in a second");
    }
    assert!((4..=7).contains(&seconds), "20 more at 5 in a second took {seconds} seconds");
    assert_eq!(asked(&world.gateway), 30, "each was asked about once");
    assert_eq!(world.session(ids[29]).await.settled_via, Some(Via::Sweep));
}

#[tokio::test]
async fn three_hundred_lost_webhooks_are_made_up_for_in_60_seconds() {
    let world = World::new();
    let ids = world.lost(&world.gateway, "reference", 300).await;
    world.clock.advance(61 * SECOND);
    let mut seconds = 0;
    while world.completed_of(&ids).await < ids.len() {
        world.questions(&world.gateway).await;
        // As the workers look.
        world.clock.advance(2 * SECOND);
        seconds += 2;
        assert!(seconds < 75, "{} are still open", 300 - world.completed_of(&ids).await);
    }
    assert!(seconds > 50, "{seconds} seconds are more than the budget");
}

#[tokio::test]
async fn one_gateways_budget_is_not_anothers() {
    let (world, other) = two();
    let first = world.lost(&world.gateway, "reference", 60).await;
    let second = world.lost(&other, "second", 5).await;
    world.clock.advance(61 * SECOND);
    // All that is due of the first stands before the second.
    world.questions(&world.gateway).await;
    assert_eq!((world.completed_of(&first).await, world.completed_of(&second).await), (10, 5));
    // With a budget of its own, the first is asked more or less than the others.
    for (own, done) in [(1, 2), (20, 40), (0, 60)] {
        let (world, other) = two();
        let world = world.again(|setup| setup.own_budget = Some(own));
        let first = world.lost(&world.gateway, "reference", 60).await;
        let second = world.lost(&other, "second", 15).await;
        world.clock.advance(61 * SECOND);
        world.questions(&world.gateway).await;
        assert_eq!((world.completed_of(&first).await, world.completed_of(&second).await), (done, 10));
    }
}

#[tokio::test]
async fn a_gateway_that_asks_to_slow_down_is_left_alone_and_holds_up_nobody() {
    let (world, other) = two();
    let first = world.lost(&world.gateway, "reference", 30).await;
    let second = world.lost(&other, "second", 5).await;
    world.clock.advance(61 * SECOND);
    world.gateway.order("fetch_session", Trouble::SlowDown(MINUTE));
    assert!(world.questions(&world.gateway).await <= 10);
    assert_eq!(world.completed_of(&second).await, 5);
    let done = world.completed_of(&first).await;
    for _ in 0..5 {
        world.clock.advance(10 * SECOND);
        assert_eq!(world.questions(&world.gateway).await, 0, "it asked for a minute");
    }
    // The question that was not answered counts as little as those that were not asked.
    for id in &first {
        let row = world.row(*id).await;
        assert!(row.status == SessionStatus::Completed || row.details.checks == 0);
    }
    // Customers are not held up by what the sweeper must not do.
    let waiting = world.start("c-new").await;
    let theirs = world.gateway.sessions().pop().unwrap();
    world.gateway.complete(&theirs, Instrument::card("tok-new", "fp-new"));
    world.completed(&theirs).await;
    world.work().await;
    assert_eq!(world.session(waiting.id).await.status, SessionStatus::Completed);
    assert_eq!(world.completed_of(&first).await, done);
    for _ in 0..10 {
        world.clock.advance(2 * SECOND);
        world.questions(&world.gateway).await;
    }
    assert_eq!(world.completed_of(&first).await, 30);
}

#[tokio::test]
async fn whoever_hears_that_a_gateway_wants_to_be_left_alone_tells_the_sweeper() {
    let world = World::new();
    let ids = world.lost(&world.gateway, "reference", 1).await;
    world.clock.advance(61 * SECOND);
    world.gateway.order("create_session", Trouble::SlowDown(30 * SECOND));
    let refused = world.billfold.start_session(&world.tenant, request("c-2")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::GatewayRateLimited);
    assert_eq!(world.questions(&world.gateway).await, 0);
    world.clock.advance(32 * SECOND);
    assert_eq!(world.questions(&world.gateway).await, 1);
    assert_eq!(world.completed_of(&ids).await, 1);
}

/// A session whose time is over ends by the clock even if its gateway never says anything but "slowly".
#[tokio::test]
async fn a_gateway_that_always_asks_to_slow_down_keeps_no_session_open() {
    let world = World::new();
    let session = world.start("c-1").await;
    for _ in 0..200 {
        world.gateway.order("fetch_session", Trouble::SlowDown(MINUTE));
    }
    for _ in 0..130 {
        world.clock.advance(MINUTE);
        world.sweep().await;
    }
    assert_eq!(world.session(session.id).await.status, SessionStatus::Expired);
}

#[tokio::test]
async fn charges_and_methods_share_their_gateways_budget() {
    let world = World::with(|setup| setup.own_budget = Some(1));
    let mut methods = Vec::new();
    for number in 0..4 {
        let session =
            world.save("c-1", Instrument::card(&format!("tok-{number}"), &format!("fp-{number}"))).await;
        methods.push(session.payment_methods[0]);
    }
    let mut charges = Vec::new();
    for method in &methods {
        world.gateway.next_charge(ChargeOutcome::Processing);
        let money = Money { amount: 5, currency: "IDR".parse().unwrap() };
        let charge = StartCharge::new(money, Initiator::Customer, None);
        charges.push(world.billfold.charge_method(&world.tenant, *method, charge).await.unwrap().id);
    }
    for charge in world.gateway.ledger() {
        world.gateway.set_charge(&charge.id, ProviderChargeStatus::Succeeded);
    }
    for number in 0..4 {
        world.gateway.set_token(&format!("tok-{number}"), ProviderMethodStatus::Revoked);
    }
    world.clock.advance(Duration::from_hours(8 * 24));
    let asked = |world: &World| {
        let calls = world.gateway.calls();
        calls.iter().filter(|call| ["fetch_charge", "fetch_method"].contains(&call.as_str())).count()
    };
    let before = asked(&world);
    for _ in 0..3 {
        world.billfold.reconcile_charges(20).await.unwrap();
        world.billfold.recheck_methods(20).await.unwrap();
    }
    assert_eq!(asked(&world) - before, 2, "two seconds' worth of both");
    world.gateway.order("fetch_charge", Trouble::SlowDown(5 * SECOND));
    for _ in 0..40 {
        world.clock.advance(SECOND);
        world.billfold.recheck_methods(20).await.unwrap();
        world.billfold.reconcile_charges(20).await.unwrap();
    }
    for id in charges {
        let charge = world.billfold.get_charge(&world.tenant, id).await.unwrap();
        assert_eq!(charge.status, ChargeStatus::Succeeded);
    }
    for id in methods {
        let method = world.billfold.get_method(&world.tenant, id).await.unwrap();
        assert_eq!(method.status, PaymentMethodStatus::Revoked);
    }
}

/// Right after a claim, somebody else moves one of the rows on.
struct Mover {
    store: Arc<MemoryStore>,
    moves: Mutex<Option<(SessionId, Timestamp)>>,
}

impl fmt::Debug for Mover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mover")
    }
}

#[async_trait]
impl Between for Mover {
    async fn after(&self, call: &'static str) -> StoreResult<()> {
        let moved = if call == "claim_sessions" { self.moves.lock().unwrap().take() } else { None };
        let Some((id, until)) = moved else { return Ok(()) };
        let mut row = self.store.session_of_any_tenant(id).await?.unwrap();
        row.next_check_at = Some(until);
        row.version += 1;
        let changes = Changes { sessions: vec![Write::Update(row)], ..Changes::default() };
        assert_eq!(self.store.commit(changes).await?, Commit::Applied);
        Ok(())
    }
}

#[tokio::test]
async fn putting_off_undoes_nothing_that_somebody_else_did() {
    let world = World::new();
    let ids = world.lost(&world.gateway, "reference", 15).await;
    world.clock.advance(61 * SECOND);
    let elsewhere = world.billfold.clock().now().plus(Duration::from_hours(9));
    let moves = Mutex::new(Some((ids[12], elsewhere)));
    let mover = Arc::new(Mover { store: world.store.clone(), moves });
    let sweeper = world.again(|setup| setup.between = Some(mover));
    assert_eq!(sweeper.billfold.reconcile(20).await.unwrap(), 15);
    assert_eq!(world.row(ids[12]).await.next_check_at, Some(elsewhere));
    let now = world.billfold.clock().now();
    for id in [10, 11, 13, 14].map(|at| ids[at]) {
        let due = world.row(id).await.next_check_at.unwrap();
        assert!(due.since(now) <= 4 * SECOND, "put back: {}", due.since(now).as_millis());
    }
}

#[tokio::test]
async fn what_waits_for_a_gateway_that_was_removed_is_looked_at_each_hour_and_goes_on_with_it() {
    let (world, other) = two();
    let saved = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.gateway.next_charge(ChargeOutcome::Processing);
    let money = Money { amount: 5, currency: "IDR".parse().unwrap() };
    let charge = StartCharge::new(money, Initiator::Customer, None);
    let method = saved.payment_methods[0];
    let charge = world.billfold.charge_method(&world.tenant, method, charge).await.unwrap();
    world.gateway.set_charge(&world.gateway.ledger()[0].id, ProviderChargeStatus::Succeeded);
    world.gateway.set_token("tok-1", ProviderMethodStatus::Revoked);
    let open = world.lost(&world.gateway, "reference", 1).await;
    // The customer's request was answered by nobody: nothing is to be asked, and it ends by the clock.
    world.gateway.order("create_session", Trouble::LostBefore);
    world.billfold.start_session(&world.tenant, request("c-9")).await.unwrap_err();

    let without = world.again(|setup| setup.configured = false);
    world.clock.advance(Duration::from_hours(8 * 24));
    let others = without.lost(&other, "second", 3).await;
    let (mut looked, calls) = (0, world.gateway.calls().len());
    for _ in 0..24 * 60 {
        world.clock.advance(MINUTE);
        for claimed in [
            without.billfold.reconcile(20).await.unwrap(),
            without.billfold.recheck_methods(20).await.unwrap(),
            without.billfold.reconcile_charges(20).await.unwrap(),
        ] {
            looked += claimed;
        }
    }
    assert_eq!(without.completed_of(&others).await, 3, "the other gateway is asked as ever");
    assert!((3 * 20..=3 * 30 + 12).contains(&looked), "three rows for a day: {looked}");
    assert_eq!(world.gateway.calls().len(), calls);
    let page = billfold_core::store::Page::first(100);
    let sessions = world.store.sessions(&world.tenant, None, page).await.unwrap();
    let never = sessions.iter().find(|row| row.provider_reference.is_none()).unwrap();
    assert_eq!(never.status, SessionStatus::Expired);

    for _ in 0..8 {
        world.clock.advance(10 * MINUTE);
        world.sweep().await;
        world.billfold.reconcile_charges(20).await.unwrap();
    }
    assert_eq!(world.completed_of(&open).await, 1);
    let charge = world.billfold.get_charge(&world.tenant, charge.id).await.unwrap();
    assert_eq!(charge.status, ChargeStatus::Succeeded);
    let method = world.billfold.get_method(&world.tenant, method).await.unwrap();
    assert_eq!(method.status, PaymentMethodStatus::Revoked);
}
