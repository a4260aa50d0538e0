//! Charging what was saved: exactly one charge, whatever happens on the way.

mod change;
mod hostile;
mod lost;
mod news;

use std::sync::Arc;
use std::time::Duration;

use billfold_core::capability::{Channel, Usage};
use billfold_core::charge::{ChargeReason, ChargeStatus, DeclineClass, Initiator};
use billfold_core::id::ChargeId;
use billfold_core::money::Money;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{ChargeAbilities, ChargeRef, Lookup, ProviderChargeStatus, RecurringTerms};
use billfold_core::store::{ChargeFilter, Page};
use billfold_core::view::{ChargeView, PaymentMethodView};
use billfold_core::{ErrorKind, StartCharge, StartSession};

use super::Trial;
use super::charge_driver::{Booked, ChargeDriver, ChargePlay};
use super::driver::Card;
use super::world::{Started, World};

/// By then a request that is on its way has arrived or never will.
const LONG: Duration = Duration::from_mins(20);
/// By then the gateway is asked again about what is under way.
const SHORT: Duration = Duration::from_mins(2);
const NO_CHARGES: &str = "the provider does not charge";

pub(super) fn trials() -> Vec<Trial> {
    let first = vec![
        Trial::new("a charge takes what was asked for, once", |world| Box::pin(approved(world)))
            .unless(cannot),
        Trial::new("every currency of the method is charged exactly", |world| Box::pin(currencies(world)))
            .unless(cannot),
        Trial::new("the merchant charges as was agreed, and not otherwise", |world| Box::pin(agreed(world)))
            .unless(cannot),
        Trial::new("declines are told apart", |world| Box::pin(declines(world))).unless(cannot_decline),
        Trial::new("a method whose decline says that it is over is over", |world| Box::pin(over(world)))
            .unless(cannot_end),
    ];
    [first, lost::trials(), news::trials(), change::trials(), hostile::trials()].concat()
}

fn cannot(world: &World) -> Option<&'static str> {
    world.provider.charging().is_none().then_some(NO_CHARGES)
}

fn lacks(world: &World, play: ChargePlay) -> Option<&'static str> {
    cannot(world).or_else(|| driver(world).lacks(play))
}

/// Those end the method, and have a trial of their own.
const ENDS: [(DeclineClass, PaymentMethodStatus); 2] = [
    (DeclineClass::Expired, PaymentMethodStatus::Expired),
    (DeclineClass::Revoked, PaymentMethodStatus::Revoked),
];

fn ends(class: DeclineClass) -> bool {
    ENDS.iter().any(|(ending, _)| *ending == class)
}

fn cannot_decline(world: &World) -> Option<&'static str> {
    let plays = |class: DeclineClass| !ends(class) && lacks(world, ChargePlay::Decline(class)).is_none();
    let none = cannot(world).is_none() && !DeclineClass::ALL.into_iter().any(plays);
    cannot(world).or_else(|| none.then_some("the local gateway declines nothing"))
}

fn cannot_end(world: &World) -> Option<&'static str> {
    let lacking = |class| lacks(world, ChargePlay::Decline(class));
    ENDS.iter().map(|(class, _)| lacking(*class)).reduce(Option::and).flatten()
}

fn cannot_wait(world: &World) -> Option<&'static str> {
    lacks(world, ChargePlay::Slow)
}

fn cannot_step_up(world: &World) -> Option<&'static str> {
    lacks(world, ChargePlay::StepUp)
}

fn cannot_refund(world: &World) -> Option<&'static str> {
    cannot(world).or_else(|| (!abilities(world).refunds).then_some("the gateway gives no money back"))
}

fn driver(world: &World) -> Arc<dyn ChargeDriver> {
    world.driver.charges().expect("a provider that charges has a driver that does")
}

fn abilities(world: &World) -> ChargeAbilities {
    world.provider.charging().expect("a provider that charges").abilities().clone()
}

/// A method that the customer saved, ready to be charged.
async fn saved(world: &World) -> PaymentMethodView {
    Box::pin(saved_as(world, world.driver.request("c-1"))).await.2
}

async fn saved_as(world: &World, request: StartSession) -> (Started, String, PaymentMethodView) {
    let (session, token) = Box::pin(world.save_as(request, Card::One)).await;
    let method = world.methods(&session).await.pop().expect("a saved method");
    if method.status == PaymentMethodStatus::Pending && !abilities(world).pending_methods {
        assert!(world.driver.activate(&token).await, "a saved method becomes active");
        world.deliver_all().await;
    }
    let method = world.methods(&session).await.pop().expect("a saved method");
    (session, token, method)
}

fn by_customer(money: Money) -> StartCharge {
    StartCharge::new(money, Initiator::Customer, None)
}

/// A charge by the customer, of the driver's amount.
async fn charge(world: &World, method: &PaymentMethodView) -> ChargeView {
    charge_as(world, method, by_customer(driver(world).money())).await
}

async fn charge_as(world: &World, method: &PaymentMethodView, request: StartCharge) -> ChargeView {
    let charge = Box::pin(world.billfold.charge_method(&world.tenant, method.id, request)).await;
    charge.unwrap_or_else(|error| panic!("a charge could not be started: {error:?}"))
}

/// Brings a charge to its end, where the gateway's own way there is slow.
async fn finished(world: &World, charge: &ChargeView) -> ChargeView {
    if now(world, charge).await.status == ChargeStatus::Processing {
        driver(world).finish(&charge.id.to_string(), true).await;
    }
    world.deliver_all().await;
    world.sweep_after(SHORT).await;
    now(world, charge).await
}

/// A charge that succeeded.
async fn paid(world: &World, method: &PaymentMethodView) -> ChargeView {
    let started = charge(world, method).await;
    let paid = finished(world, &started).await;
    assert_eq!(paid.status, ChargeStatus::Succeeded, "{paid:?}");
    paid
}

async fn now(world: &World, charge: &ChargeView) -> ChargeView {
    world.billfold.get_charge(&world.tenant, charge.id).await.expect("the charge")
}

/// A charge as the provider is told of it, for calls that a trial makes by itself.
async fn named(world: &World, id: ChargeId) -> ChargeRef {
    let charge = world.billfold.store().charge(&world.tenant, id).await.expect("the store");
    let charge = charge.expect("the charge");
    let mut named = ChargeRef::new(charge.id.to_string(), charge.money, charge.created_at);
    named.reference = charge.provider_reference;
    named.extra = charge.details.extra;
    named
}

/// Where a charge stands by the gateway's own word; `None` where it only tells by itself.
async fn at_gateway(world: &World, charge: &ChargeView) -> Option<ProviderChargeStatus> {
    let charging = world.provider.charging().expect("a provider that charges");
    let asked = charging.fetch_charge(&world.context("truth"), named(world, charge.id).await).await;
    match asked {
        Ok(Lookup::Found(found)) => Some(found.status),
        Ok(Lookup::CannotTell) => None,
        other => panic!("a charge that the gateway confirmed is answered with {other:?}"),
    }
}

/// What the gateway's books say of a charge; it is there once at most.
async fn booked(world: &World, charge: &ChargeView) -> Option<Booked> {
    let ours = charge.id.to_string();
    let mut all = driver(world).books().await;
    all.retain(|booked| booked.merchant_reference == ours);
    assert!(all.len() <= 1, "the gateway has {} charges where one was asked for: {all:?}", all.len());
    all.pop()
}

async fn taken(world: &World) -> i64 {
    driver(world).books().await.iter().map(|booked| booked.taken).sum()
}

/// Every charge that is stored here.
async fn stored(world: &World) -> Vec<ChargeView> {
    let charges = world.billfold.list_charges(&world.tenant, ChargeFilter::default(), Page::first(10));
    charges.await.expect("the charges")
}

async fn approved(world: World) {
    let method = saved(&world).await;
    let money = driver(&world).money();
    let charge = paid(&world, &method).await;
    assert_eq!(charge.captured_amount, money.amount);
    let booked = booked(&world, &charge).await.expect("the charge in the gateway's books");
    assert_eq!((booked.money, booked.taken), (money, money.amount), "the gateway took something else");
    assert_eq!(taken(&world).await, money.amount, "something else was charged too");
}

async fn currencies(world: World) {
    let method = saved(&world).await;
    let channels = world.provider.capabilities().channels.clone();
    let country = world.driver.request("c-1").country;
    let is_its = |channel: &Channel| channel.code == method.channel && channel.country == country;
    let channel = channels.into_iter().find(is_its).expect("its channel");
    let unit = driver(&world).money();
    for currency in channel.currencies {
        // An amount with every decimal that the currency has, where the driver's own is none of it.
        let amount = if currency == unit.currency { unit.amount } else { unit.amount.max(1) * 100 + 1 };
        let money = Money { amount, currency };
        let charge = charge_as(&world, &method, by_customer(money)).await;
        let charge = finished(&world, &charge).await;
        assert_eq!(charge.status, ChargeStatus::Succeeded, "{money}: {charge:?}");
        let booked = booked(&world, &charge).await.expect("the charge in the gateway's books");
        assert_eq!((booked.money, booked.taken), (money, amount), "{money} became something else on the way");
    }
}

/// The customer is there for what they agreed to start themselves, and is not needed for what they left to the
/// merchant.
async fn agreed(world: World) {
    let method = saved(&world).await;
    let money = driver(&world).money();
    assert_eq!(method.usage, Usage::UnscheduledCustomer, "the driver's own request");
    world.wire.take_seen();
    let alone = StartCharge::new(money, Initiator::Merchant, ChargeReason::Unscheduled);
    let nothing = by_customer(Money { amount: 0, ..money });
    for (request, pointer) in [(alone.clone(), "/initiator"), (nothing, "/amount")] {
        let outcome = world.billfold.charge_method(&world.tenant, method.id, request).await;
        assert_eq!(outcome.expect_err("it was not agreed to").fields()[0].pointer, pointer);
    }
    assert!(world.wire.take_seen().is_empty(), "the gateway was asked all the same");
    assert!(stored(&world).await.is_empty(), "something was stored");

    let mut request = world.driver.request("c-2");
    request.usage = Usage::UnscheduledMerchant;
    request.recurring = Some(RecurringTerms { frequency_days: 30, ends_on: "2035-12-31".to_owned() });
    let declared = world.provider.capabilities();
    if declared.channels_for(request.country, request.currency, request.usage).count() == 0 {
        return;
    }
    let (_, _, method) = saved_as(&world, request).await;
    let started = charge_as(&world, &method, alone).await;
    let ended = finished(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded, "nobody but the merchant is there: {ended:?}");
    assert_eq!(booked(&world, &ended).await.expect("booked").taken, money.amount);
}

async fn declines(world: World) {
    let method = saved(&world).await;
    for class in DeclineClass::ALL {
        if ends(class) || lacks(&world, ChargePlay::Decline(class)).is_some() {
            continue;
        }
        driver(&world).play(Card::One, ChargePlay::Decline(class)).await;
        let started = charge(&world, &method).await;
        world.deliver_all().await;
        let declined = now(&world, &started).await;
        assert_eq!(declined.status, ChargeStatus::Declined, "{class:?}: {declined:?}");
        let decline = declined.decline.expect("a reason");
        assert_eq!(decline.class, class, "the gateway's code {:?}", decline.code);
        assert!(decline.code.is_some(), "the gateway's own code of {class:?} is lost");
        let methods = world.methods_of(method.customer_id).await;
        assert_eq!(methods[0].status, method.status, "{class:?} ends no method");
    }
    assert_eq!(taken(&world).await, 0, "a declined charge took money");
}

async fn over(world: World) {
    for (number, (class, status)) in ENDS.into_iter().enumerate() {
        if lacks(&world, ChargePlay::Decline(class)).is_some() {
            continue;
        }
        // Of a customer of its own: the method is over after it.
        driver(&world).play(Card::One, ChargePlay::Approve).await;
        let (_, _, method) = saved_as(&world, world.driver.request(&format!("c-{number}"))).await;
        driver(&world).play(Card::One, ChargePlay::Decline(class)).await;
        let started = charge(&world, &method).await;
        // Some gateways tell it later.
        world.deliver_all().await;
        assert_eq!(now(&world, &started).await.decline.expect("a reason").class, class);
        let after = world.methods_of(method.customer_id).await;
        assert_eq!(after[0].status, status, "{class:?}");
        let request = by_customer(driver(&world).money());
        let again = world.billfold.charge_method(&world.tenant, method.id, request).await;
        assert_eq!(again.expect_err("a method that is over").kind(), ErrorKind::Conflict);
    }
    assert_eq!(taken(&world).await, 0, "a declined charge took money");
}
