//! Charging what was saved: exactly one charge, whatever happens on the way.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::capability::{Channel, Usage};
use billfold_core::charge::{CaptureMode, ChargeStatus, DeclineClass, Initiator, RefundStatus};
use billfold_core::money::Money;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{ChargeAbilities, ReturnRequest};
use billfold_core::secret::ExposeSecret;
use billfold_core::view::{ChargeView, Next, PaymentMethodView};
use billfold_core::{ErrorKind, StartCharge, StartRefund};
use serde_json::Value;
use url::Url;

use super::Trial;
use super::charge_driver::{Booked, ChargeDriver, ChargePlay};
use super::driver::{Card, SentWebhook};
use super::wire::Fault;
use super::world::{Started, World, at_once};

/// By then a request that is on its way has arrived or never will.
const LONG: Duration = Duration::from_mins(20);
const NO_CHARGES: &str = "the provider does not charge";

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("a charge takes what was asked for, once", |world| Box::pin(approved(world)))
            .unless(cannot),
        Trial::new("every currency of the method is charged exactly", |world| Box::pin(currencies(world)))
            .unless(cannot),
        Trial::new("declines are told apart", |world| Box::pin(declines(world))).unless(cannot_decline),
        Trial::new("a method whose decline says that it is over is over", |world| Box::pin(over(world)))
            .unless(cannot_decline),
        Trial::new("a charge whose answer is lost is found, and not made again", |world| {
            Box::pin(lost_after(world))
        })
        .unless(cannot),
        Trial::new("a charge that never arrived is not made later", |world| Box::pin(lost_before(world)))
            .unless(cannot),
        Trial::new("an error of the gateway does not charge twice", |world| Box::pin(errors(world)))
            .unless(cannot),
        Trial::new("a charge's webhooks come twice and late", |world| Box::pin(webhooks(world)))
            .unless(cannot_wait),
        Trial::new("a charge that is under way is refused later", |world| Box::pin(refused_later(world)))
            .unless(cannot_wait),
        Trial::new("a webhook comes before the answer of its charge", |world| Box::pin(early(world)))
            .unless(cannot),
        Trial::new("another amount than was asked for is no success", |world| {
            Box::pin(another_amount(world))
        })
        .unless(cannot),
        Trial::new("the customer is asked, and the charge goes on", |world| Box::pin(step_up(world, true)))
            .unless(cannot_step_up),
        Trial::new("the customer is asked, and fails", |world| Box::pin(step_up(world, false)))
            .unless(cannot_step_up),
        Trial::new("a bank takes back what had succeeded", |world| Box::pin(returned(world)))
            .unless(cannot_return),
        Trial::new("capturing is as declared", |world| Box::pin(capturing(world))).unless(cannot),
        Trial::new("canceling a charge is as declared", |world| Box::pin(canceling(world))).unless(cannot),
        Trial::new("giving back is as declared", |world| Box::pin(refunding(world))).unless(cannot),
        Trial::new("a refund whose answer is lost is not made again", |world| Box::pin(lost_refund(world)))
            .unless(cannot_refund),
        Trial::new("a gateway that charges is asked for nothing that was not agreed to", |world| {
            Box::pin(not_agreed(world))
        })
        .unless(cannot),
    ]
}

fn cannot(world: &World) -> Option<&'static str> {
    world.provider.charging().is_none().then_some(NO_CHARGES)
}

fn lacks(world: &World, play: ChargePlay) -> Option<&'static str> {
    cannot(world).or_else(|| driver(world).lacks(play))
}

fn cannot_decline(world: &World) -> Option<&'static str> {
    let none = DeclineClass::ALL.into_iter().all(|class| lacks(world, ChargePlay::Decline(class)).is_some());
    cannot(world).or_else(|| none.then_some("the local gateway declines nothing"))
}

fn cannot_wait(world: &World) -> Option<&'static str> {
    lacks(world, ChargePlay::Slow)
}

fn cannot_step_up(world: &World) -> Option<&'static str> {
    lacks(world, ChargePlay::StepUp)
}

fn cannot_return(world: &World) -> Option<&'static str> {
    cannot(world).or_else(|| driver(world).lacks_returns())
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
async fn saved(world: &World) -> (Started, PaymentMethodView) {
    let (session, token) = world.save("c-1", Card::One).await;
    let method = world.methods(&session).await.pop().expect("a saved method");
    if method.status == PaymentMethodStatus::Pending && !abilities(world).pending_methods {
        assert!(world.driver.activate(&token).await, "a saved method becomes active");
        world.deliver_all().await;
    }
    let method = world.methods(&session).await.pop().expect("a saved method");
    (session, method)
}

fn by_customer(money: Money) -> StartCharge {
    StartCharge::new(money, Initiator::Customer, None)
}

async fn charge(world: &World, method: &PaymentMethodView, request: StartCharge) -> ChargeView {
    let charge = world.billfold.charge_method(&world.tenant, method.id, request).await;
    charge.unwrap_or_else(|error| panic!("a charge could not be started: {error:?}"))
}

/// Brings a charge to its end, where the gateway's own way there is slow.
async fn finished(world: &World, charge: &ChargeView) -> ChargeView {
    if now(world, charge).await.status == ChargeStatus::Processing {
        driver(world).finish(&charge.id.to_string(), true).await;
    }
    world.deliver_all().await;
    world.sweep_after(Duration::from_mins(2)).await;
    now(world, charge).await
}

async fn now(world: &World, charge: &ChargeView) -> ChargeView {
    world.billfold.get_charge(&world.tenant, charge.id).await.expect("the charge")
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

async fn only_charge(world: &World) -> ChargeView {
    let filter = billfold_core::store::ChargeFilter::default();
    let page = billfold_core::store::Page::first(10);
    let mut charges = world.billfold.list_charges(&world.tenant, filter, page).await.expect("the charges");
    assert_eq!(charges.len(), 1, "one charge was started");
    charges.pop().expect("the charge")
}

async fn approved(world: World) {
    let (_, method) = saved(&world).await;
    let money = driver(&world).money();
    let charge = charge(&world, &method, by_customer(money)).await;
    let charge = finished(&world, &charge).await;
    assert_eq!(charge.status, ChargeStatus::Succeeded, "{charge:?}");
    assert_eq!(charge.captured_amount, money.amount);
    let booked = booked(&world, &charge).await.expect("the charge in the gateway's books");
    assert_eq!((booked.money, booked.taken), (money, money.amount), "the gateway took something else");
    assert_eq!(taken(&world).await, money.amount, "something else was charged too");
}

async fn currencies(world: World) {
    let (_, method) = saved(&world).await;
    let channels = world.provider.capabilities().channels.clone();
    let country = world.driver.request("c-1").country;
    let is_its = |channel: &Channel| channel.code == method.channel && channel.country == country;
    let channel = channels.into_iter().find(is_its).expect("its channel");
    let unit = driver(&world).money();
    for currency in channel.currencies {
        // An amount with every decimal that the currency has, where the driver's own is none of it.
        let amount = if currency == unit.currency { unit.amount } else { unit.amount.max(1) * 100 + 1 };
        let money = Money { amount, currency };
        let charge = charge(&world, &method, by_customer(money)).await;
        let charge = finished(&world, &charge).await;
        assert_eq!(charge.status, ChargeStatus::Succeeded, "{money}: {charge:?}");
        let booked = booked(&world, &charge).await.expect("the charge in the gateway's books");
        assert_eq!((booked.money, booked.taken), (money, amount), "{money} became something else on the way");
    }
}

async fn declines(world: World) {
    let (_, method) = saved(&world).await;
    for class in DeclineClass::ALL {
        // Those end the method, and have a trial of their own.
        let ends = matches!(class, DeclineClass::Expired | DeclineClass::Revoked);
        if ends || lacks(&world, ChargePlay::Decline(class)).is_some() {
            continue;
        }
        driver(&world).play(Card::One, ChargePlay::Decline(class)).await;
        let started = charge(&world, &method, by_customer(driver(&world).money())).await;
        world.deliver_all().await;
        let declined = now(&world, &started).await;
        assert_eq!(declined.status, ChargeStatus::Declined, "{class:?}: {declined:?}");
        let decline = declined.decline.expect("a reason");
        assert_eq!(decline.class, class, "the gateway's code {:?}", decline.code);
        assert!(decline.code.is_some(), "the gateway's own code of {class:?} is lost");
        assert_eq!(decline.advice, class.advice());
        assert_eq!(
            world.methods_of(method.customer_id).await[0].status,
            method.status,
            "{class:?} ends no method"
        );
    }
    assert_eq!(taken(&world).await, 0, "a declined charge took money");
}

async fn over(world: World) {
    for (class, status) in [
        (DeclineClass::Expired, PaymentMethodStatus::Expired),
        (DeclineClass::Revoked, PaymentMethodStatus::Revoked),
    ] {
        if lacks(&world, ChargePlay::Decline(class)).is_some() {
            continue;
        }
        // In a world of its own: the method is over after it.
        let (_, method) = saved(&world).await;
        driver(&world).play(Card::One, ChargePlay::Decline(class)).await;
        let started = charge(&world, &method, by_customer(driver(&world).money())).await;
        assert_eq!(now(&world, &started).await.decline.expect("a reason").class, class);
        let after = world.methods_of(method.customer_id).await;
        assert_eq!(after[0].status, status, "{class:?}");
        let again =
            world.billfold.charge_method(&world.tenant, method.id, by_customer(driver(&world).money())).await;
        assert_eq!(again.expect_err("a method that is over").kind(), ErrorKind::Conflict);
        return;
    }
}

async fn lost_after(world: World) {
    let (_, method) = saved(&world).await;
    driver(&world).play(Card::One, ChargePlay::Approve).await;
    world.wire.order(&[Fault::LostAfter]);
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    world.wire.order(&[]);
    assert_eq!(started.status, ChargeStatus::Unknown, "nobody knows how it ended");
    let before = booked(&world, &started).await;
    assert!(before.is_some(), "the gateway made the charge");
    let ended = if abilities(&world).lookup {
        // Its webhooks are lost too.
        world.driver.webhooks().await;
        world.sweep_after(Duration::from_mins(2)).await;
        driver(&world).finish(&started.id.to_string(), true).await;
        world.driver.webhooks().await;
        world.sweep_after(LONG).await;
        now(&world, &started).await
    } else {
        finished_by_webhook(&world, &started).await
    };
    assert_eq!(ended.status, ChargeStatus::Succeeded, "{ended:?}");
    world.sweep_after(LONG).await;
    assert!(booked(&world, &started).await.is_some());
    assert_eq!(taken(&world).await, driver(&world).money().amount);
}

async fn finished_by_webhook(world: &World, charge: &ChargeView) -> ChargeView {
    world.deliver_all().await;
    driver(world).finish(&charge.id.to_string(), true).await;
    world.deliver_all().await;
    now(world, charge).await
}

async fn lost_before(world: World) {
    let (_, method) = saved(&world).await;
    world.wire.order(&[Fault::LostBefore]);
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    world.wire.order(&[]);
    assert_eq!(started.status, ChargeStatus::Unknown, "nobody knows how it ended");
    world.deliver_all().await;
    world.sweep_after(Duration::from_mins(2)).await;
    assert_eq!(now(&world, &started).await.status, ChargeStatus::Unknown, "it may still arrive");
    world.sweep_after(LONG).await;
    world.sweep_after(LONG).await;
    let ended = now(&world, &started).await;
    if abilities(&world).lookup {
        assert_eq!(ended.status, ChargeStatus::Declined, "the gateway never heard of it");
        assert_eq!(ended.decline.expect("a reason").class, DeclineClass::TryAgainLater);
    } else {
        assert_eq!(ended.status, ChargeStatus::Unknown, "nobody can tell");
    }
    assert_eq!(driver(&world).books().await, Vec::new(), "the charge was made a second time");
}

/// Errors of the gateway's own, and of a proxy before it, after which nobody can be sure.
async fn errors(world: World) {
    let (_, method) = saved(&world).await;
    for fault in [Fault::Truncated, Fault::Oversize] {
        world.wire.order(&[fault]);
        let started = charge(&world, &method, by_customer(driver(&world).money())).await;
        world.wire.order(&[]);
        assert_eq!(started.status, ChargeStatus::Unknown, "{fault:?}");
        finished_by_webhook(&world, &started).await;
        world.sweep_after(LONG).await;
        let ended = now(&world, &started).await;
        assert_eq!(ended.status, ChargeStatus::Succeeded, "{fault:?}: {ended:?}");
        booked(&world, &started).await.expect("it was made once");
    }
    for fault in [Fault::Status(500), Fault::Status(502), Fault::Page(503), Fault::Redirect] {
        world.wire.order(&[fault]);
        let outcome =
            world.billfold.charge_method(&world.tenant, method.id, by_customer(driver(&world).money())).await;
        world.wire.order(&[]);
        let started = outcome
            .unwrap_or_else(|error| panic!("{fault:?} is not known to have charged nothing: {error:?}"));
        assert_eq!(started.status, ChargeStatus::Unknown, "{fault:?}");
    }
    world.wire.order(&[Fault::Status(429)]);
    let outcome =
        world.billfold.charge_method(&world.tenant, method.id, by_customer(driver(&world).money())).await;
    world.wire.order(&[]);
    assert_eq!(outcome.expect_err("too many requests").kind(), ErrorKind::GatewayRateLimited);
}

async fn webhooks(world: World) {
    let (_, method) = saved(&world).await;
    driver(&world).play(Card::One, ChargePlay::Slow).await;
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    assert_eq!(started.status, ChargeStatus::Processing, "{started:?}");
    assert!(driver(&world).finish(&started.id.to_string(), true).await, "it ends well");
    let sent = world.driver.webhooks().await;
    assert!(!sent.is_empty(), "the gateway tells of it");
    let twice: Vec<&SentWebhook> = sent.iter().rev().chain(sent.iter()).collect();
    at_once(twice.into_iter().map(|webhook| world.accept(webhook))).await;
    world.work().await;
    let ended = now(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded);
    assert_eq!(world.events_named("charge.succeeded").await, 1, "the merchant is told once");
    for webhook in &sent {
        world.accept(&world.driver.again(webhook)).await;
    }
    world.work().await;
    assert_eq!(now(&world, &started).await.timeline, ended.timeline, "old news changed something");
}

async fn refused_later(world: World) {
    let (_, method) = saved(&world).await;
    driver(&world).play(Card::One, ChargePlay::Slow).await;
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    assert!(driver(&world).finish(&started.id.to_string(), false).await, "it is refused");
    world.deliver_all().await;
    let ended = now(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Declined, "{ended:?}");
    assert!(ended.decline.is_some());
    assert_eq!(taken(&world).await, 0);
}

/// The gateway makes the charge and tells of it, and its answer is lost: the webhook's word has to be enough.
async fn early(world: World) {
    let (_, method) = saved(&world).await;
    world.wire.order(&[Fault::LostAfter]);
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    world.wire.order(&[]);
    let ended = finished_by_webhook(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded, "its webhooks say how it ended: {ended:?}");
}

async fn another_amount(world: World) {
    let (_, method) = saved(&world).await;
    let pointers = driver(&world).amounts();
    assert!(!pointers.is_empty(), "the gateway's answers tell no amount");
    let change = move |mut answer: Value| {
        for pointer in &pointers {
            let Some(amount) = answer.pointer_mut(pointer) else { continue };
            *amount = match &*amount {
                Value::String(text) => format!("1{text}").into(),
                Value::Number(number) => {
                    number.as_i64().map_or_else(|| amount.clone(), |number| (number + 1).into())
                }
                other => other.clone(),
            };
        }
        answer
    };
    world.wire.rewrite(Some(Arc::new(change)));
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    assert!(!started.status.is_final(), "another amount is taken for ours: {started:?}");
    assert!(started.incident.is_some(), "nobody is told: {started:?}");
    assert_eq!(world.events_named("charge.needs_attention").await, 1);
    world.wire.rewrite(None);
    let ended = finished(&world, &started).await;
    if abilities(&world).lookup {
        assert_eq!(ended.status, ChargeStatus::Succeeded, "once the answer is right: {ended:?}");
    }
}

async fn step_up(world: World, passes: bool) {
    let (_, method) = saved(&world).await;
    driver(&world).play(Card::One, ChargePlay::StepUp).await;
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    assert_eq!(started.status, ChargeStatus::RequiresAction, "{started:?}");
    match &started.next {
        Some(Next::Redirect { url }) => assert!(url.expose_secret().starts_with("http")),
        Some(Next::ClientSecret { secret }) => assert!(!secret.expose_secret().is_empty()),
        None => panic!("nobody knows what the customer has to do"),
    }
    assert_eq!(taken(&world).await, 0, "taken before the customer agreed");
    assert!(driver(&world).pass_step_up(&started.id.to_string(), passes).await, "the customer acts");
    if let Some(address) = driver(&world).way_back(&started.id.to_string()).await {
        come_back(&world, &started, &address).await;
    }
    world.driver.webhooks().await;
    world.sweep_after(Duration::from_mins(2)).await;
    let ended = now(&world, &started).await;
    let expected = if passes { ChargeStatus::Succeeded } else { ChargeStatus::Declined };
    assert_eq!(ended.status, expected, "{ended:?}");
    assert!(ended.next.is_none(), "the link is of no use any more");
    if !passes {
        assert_eq!(ended.decline.expect("a reason").class, DeclineClass::AuthenticationRequired);
    }
    let unproven = world.billfold.on_charge_return(started.id, "guessed", ReturnRequest::new("")).await;
    assert_eq!(unproven.expect_err("a guessed nonce").kind(), ErrorKind::NotFound);
}

async fn come_back(world: &World, charge: &ChargeView, address: &Url) {
    let parts: Vec<&str> = address.path_segments().expect("a path").collect();
    let [.., "return", id, nonce] = parts.as_slice() else { panic!("{} is not ours", address.path()) };
    assert_eq!(*id, charge.id.to_string(), "the customer comes back to another charge");
    let request = ReturnRequest::new(address.query().unwrap_or_default());
    let gone = world.billfold.on_charge_return(charge.id, nonce, request).await;
    assert!(gone.expect("a return").as_str().contains("charge_id"), "the merchant is not told which charge");
}

async fn returned(world: World) {
    let (_, method) = saved(&world).await;
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    let paid = finished(&world, &started).await;
    assert_eq!(paid.status, ChargeStatus::Succeeded, "{paid:?}");
    assert!(driver(&world).take_back(&started.id.to_string()).await, "the bank takes it back");
    world.deliver_all().await;
    let ended = now(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Declined, "{ended:?}");
    assert_eq!(ended.captured_amount, 0);
}

async fn capturing(world: World) {
    let (_, method) = saved(&world).await;
    let mut request = by_customer(driver(&world).money());
    request.capture = CaptureMode::Manual;
    if !abilities(&world).manual_capture.contains(&method.kind) {
        let refused = world.billfold.charge_method(&world.tenant, method.id, request).await;
        assert_eq!(refused.expect_err("it is not declared").fields()[0].pointer, "/capture");
        return;
    }
    let started = charge(&world, &method, request.clone()).await;
    assert_eq!(started.status, ChargeStatus::Authorized, "{started:?}");
    assert_eq!(taken(&world).await, 0, "taken before it was captured");
    let captured =
        world.billfold.capture_charge(&world.tenant, started.id, None).await.expect("it is captured");
    let captured = finished(&world, &captured).await;
    assert_eq!((captured.status, captured.captured_amount), (ChargeStatus::Succeeded, captured.amount));
    assert_eq!(booked(&world, &started).await.expect("booked").taken, captured.amount);
    let again = world.billfold.capture_charge(&world.tenant, started.id, None).await;
    assert_eq!(again.expect_err("it was captured").kind(), ErrorKind::Conflict);

    let other = charge(&world, &method, request).await;
    let part = other.amount / 2;
    let outcome = world.billfold.capture_charge(&world.tenant, other.id, Some(part)).await;
    if !abilities(&world).partial_capture {
        assert_eq!(outcome.expect_err("it is not declared").fields()[0].pointer, "/amount");
        return;
    }
    let captured = finished(&world, &outcome.expect("a part is captured")).await;
    assert_eq!((captured.status, captured.captured_amount), (ChargeStatus::Succeeded, part), "{captured:?}");
    assert_eq!(booked(&world, &other).await.expect("booked").taken, part);
}

async fn canceling(world: World) {
    let (_, method) = saved(&world).await;
    let declared = abilities(&world);
    let mut request = by_customer(driver(&world).money());
    if declared.manual_capture.contains(&method.kind) {
        request.capture = CaptureMode::Manual;
    } else {
        driver(&world).play(Card::One, ChargePlay::Slow).await;
    }
    let started = charge(&world, &method, request).await;
    let outcome = world.billfold.cancel_charge(&world.tenant, started.id).await;
    if !declared.cancel {
        assert!(outcome.is_err(), "canceling is not declared: {outcome:?}");
        return;
    }
    outcome.expect("it is canceled");
    world.deliver_all().await;
    world.sweep_after(Duration::from_mins(2)).await;
    assert_eq!(now(&world, &started).await.status, ChargeStatus::Canceled);
    assert_eq!(taken(&world).await, 0);
    let again = world.billfold.cancel_charge(&world.tenant, started.id).await;
    assert_eq!(again.expect("canceling twice is no error").status, ChargeStatus::Canceled);
}

async fn refunding(world: World) {
    let (_, method) = saved(&world).await;
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    let paid = finished(&world, &started).await;
    let declared = abilities(&world);
    let all = world.billfold.refund_charge(&world.tenant, paid.id, StartRefund::default());
    if !declared.refunds {
        assert_eq!(all.await.expect_err("it is not declared").kind(), ErrorKind::Unsupported);
        return;
    }
    let part = StartRefund { amount: Some(paid.amount / 4), ..StartRefund::default() };
    let outcome = world.billfold.refund_charge(&world.tenant, paid.id, part).await;
    if declared.partial_refunds {
        outcome.expect("a part is given back");
    } else {
        assert_eq!(outcome.expect_err("it is not declared").fields()[0].pointer, "/amount");
    }
    let too_much = StartRefund { amount: Some(paid.amount + 1), ..StartRefund::default() };
    let outcome = world.billfold.refund_charge(&world.tenant, paid.id, too_much).await;
    assert_eq!(outcome.expect_err("more than was taken").fields()[0].pointer, "/amount");
    all.await.expect("the rest is given back");
    let ended = refunds_finished(&world, &paid).await;
    let states: Vec<RefundStatus> = ended.refunds.iter().map(|refund| refund.status).collect();
    assert!(states.iter().all(|status| *status == RefundStatus::Succeeded), "{states:?}");
    assert_eq!(ended.refunded_amount, paid.amount);
    assert_eq!(booked(&world, &paid).await.expect("booked").taken, 0, "the gateway gave something else back");
    let again = world.billfold.refund_charge(&world.tenant, paid.id, StartRefund::default()).await;
    assert_eq!(again.expect_err("nothing is left").kind(), ErrorKind::Conflict);
}

async fn refunds_finished(world: &World, charge: &ChargeView) -> ChargeView {
    driver(world).finish_refunds().await;
    world.deliver_all().await;
    world.sweep_after(Duration::from_mins(2)).await;
    now(world, charge).await
}

async fn lost_refund(world: World) {
    let (_, method) = saved(&world).await;
    let started = charge(&world, &method, by_customer(driver(&world).money())).await;
    let paid = finished(&world, &started).await;
    world.wire.order(&[Fault::LostAfter]);
    let asked = world.billfold.refund_charge(&world.tenant, paid.id, StartRefund::default()).await;
    world.wire.order(&[]);
    let asked = asked.expect("the refund is kept");
    assert_eq!(asked.refunds[0].status, RefundStatus::Unknown, "nobody knows how it ended");
    let again = world.billfold.refund_charge(&world.tenant, paid.id, StartRefund::default()).await;
    assert_eq!(again.expect_err("it may have been given back").kind(), ErrorKind::Conflict);
    refunds_finished(&world, &paid).await;
    world.sweep_after(LONG).await;
    let ended = now(&world, &paid).await;
    let status = ended.refunds[0].status;
    assert!(matches!(status, RefundStatus::Succeeded | RefundStatus::Unknown), "{ended:?}");
    assert_eq!(booked(&world, &paid).await.expect("booked").taken, 0);
}

async fn not_agreed(world: World) {
    let (_, method) = saved(&world).await;
    world.wire.take_seen();
    let money = driver(&world).money();
    assert!(!method.usage.is_merchant_initiated() && method.usage == Usage::UnscheduledCustomer);
    let alone = StartCharge::new(money, Initiator::Merchant, billfold_core::charge::ChargeReason::Recurring);
    let nothing = by_customer(Money { amount: 0, ..money });
    for (request, pointer) in [(alone, "/initiator"), (nothing, "/amount")] {
        let outcome = world.billfold.charge_method(&world.tenant, method.id, request).await;
        assert_eq!(outcome.expect_err("it was not agreed to").fields()[0].pointer, pointer);
    }
    assert!(world.wire.take_seen().is_empty(), "the gateway was asked all the same");
    only_none(&world).await;
    let one = charge(&world, &method, by_customer(money)).await;
    assert_eq!(only_charge(&world).await.id, one.id);
}

async fn only_none(world: &World) {
    let filter = billfold_core::store::ChargeFilter::default();
    let page = billfold_core::store::Page::first(10);
    let charges = world.billfold.list_charges(&world.tenant, filter, page).await.expect("the charges");
    assert!(charges.is_empty(), "something was stored: {charges:?}");
}
