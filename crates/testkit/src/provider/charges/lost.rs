//! Answers that do not come, and answers that mean nothing: nobody is charged twice, and no charge is denied.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::charge::{CaptureMode, ChargeStatus, DeclineClass, RefundReason, RefundStatus};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    ChargeRef, CreateCharge, CreateRefund, Lookup, ProviderCharge, ProviderRefund, RefundRef,
};
use billfold_core::view::ChargeView;
use billfold_core::{Result, StartRefund};

use super::super::Trial;
use super::super::charge_driver::ChargePlay;
use super::super::driver::Card;
use super::super::wire::Fault;
use super::super::world::World;
use super::{
    LONG, SHORT, abilities, at_gateway, booked, by_customer, cannot, cannot_refund, cannot_wait, charge,
    charge_as, driver, finished, named, now, paid, saved, saved_as, stored, taken,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("a charge whose answer is lost is found, and not made again", |world| {
            Box::pin(lost_after(world))
        })
        .unless(cannot),
        Trial::new("a charge that never arrived is not made later", |world| Box::pin(lost_before(world)))
            .unless(cannot),
        Trial::new("an error of the gateway does not charge twice", |world| Box::pin(errors(world)))
            .unless(cannot),
        Trial::new("a charge that the gateway refuses is declined", |world| Box::pin(refused(world)))
            .unless(cannot),
        Trial::new("a gateway in trouble denies no charge", |world| Box::pin(trouble(world)))
            .unless(cannot_be_asked),
        Trial::new("a repeated charge is made once", |world| Box::pin(repeated(world))).unless(no_keys),
        Trial::new("a webhook comes before the answer of its charge", |world| Box::pin(early(world)))
            .unless(cannot),
        Trial::new("a capture whose answer is lost is not made again", |world| Box::pin(lost_capture(world)))
            .unless(cannot_hold),
        Trial::new("a refund whose answer is lost is not made again", |world| Box::pin(lost_refund(world)))
            .unless(cannot_refund),
        Trial::new("a gateway in trouble denies no refund", |world| Box::pin(refund_trouble(world)))
            .unless(cannot_refund),
        Trial::new("a repeated refund is made once", |world| Box::pin(repeated_refund(world)))
            .unless(|world| cannot_refund(world).or_else(|| no_keys(world))),
    ]
}

fn cannot_be_asked(world: &World) -> Option<&'static str> {
    cannot(world).or_else(|| cannot_wait(world).filter(|_| !abilities(world).lookup))
}

fn cannot_hold(world: &World) -> Option<&'static str> {
    let at_once = || abilities(world).manual_capture.is_empty().then_some("the gateway takes money at once");
    cannot(world).or_else(at_once)
}

fn no_keys(world: &World) -> Option<&'static str> {
    cannot(world).or_else(|| driver(world).lacks_keys())
}

/// The answer to a charge is lost on the way, or the request.
async fn lost(world: &World, fault: Fault) -> ChargeView {
    let method = saved(world).await;
    world.wire.order(&[fault]);
    world.wire.take_seen();
    let started = charge(world, &method).await;
    world.wire.order(&[]);
    assert_eq!(world.wire.take_seen().len(), 1, "a charge is repeated by the provider after {fault:?}");
    assert_eq!(started.status, ChargeStatus::Unknown, "nobody knows how it ended");
    started
}

async fn lost_after(world: World) {
    let started = lost(&world, Fault::LostAfter).await;
    assert!(booked(&world, &started).await.is_some(), "the gateway made the charge");
    let ended = if abilities(&world).lookup {
        // Its webhooks are lost too.
        world.driver.webhooks().await;
        world.sweep_after(SHORT).await;
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
    let started = lost(&world, Fault::LostBefore).await;
    world.deliver_all().await;
    world.sweep_after(SHORT).await;
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
    let method = saved(&world).await;
    for fault in [Fault::Truncated, Fault::Oversize] {
        world.wire.order(&[fault]);
        let started = charge(&world, &method).await;
        world.wire.order(&[]);
        assert_eq!(started.status, ChargeStatus::Unknown, "{fault:?}");
        finished_by_webhook(&world, &started).await;
        world.sweep_after(LONG).await;
        let ended = now(&world, &started).await;
        assert_eq!(ended.status, ChargeStatus::Succeeded, "{fault:?}: {ended:?}");
        booked(&world, &started).await.expect("it was made once");
    }
    for fault in [
        Fault::Status(500),
        Fault::Status(502),
        Fault::Page(503),
        Fault::Status(200),
        Fault::Page(200),
        Fault::Redirect,
    ] {
        world.wire.order(&[fault]);
        let request = by_customer(driver(&world).money());
        let outcome = world.billfold.charge_method(&world.tenant, method.id, request).await;
        world.wire.order(&[]);
        let started = outcome
            .unwrap_or_else(|error| panic!("{fault:?} is not known to have charged nothing: {error:?}"));
        assert_eq!(started.status, ChargeStatus::Unknown, "{fault:?}");
    }
    world.wire.order(&[Fault::Status(429)]);
    let request = by_customer(driver(&world).money());
    let outcome = world.billfold.charge_method(&world.tenant, method.id, request).await;
    world.wire.order(&[]);
    assert_eq!(outcome.expect_err("too many requests").kind(), ErrorKind::GatewayRateLimited);
    assert_eq!(driver(&world).books().await.len(), 2, "something was charged twice");
}

/// Refusals that leave no doubt: nothing was charged, and the merchant may go on at once.
async fn refused(world: World) {
    let method = saved(&world).await;
    for (status, kind) in [
        (400, ErrorKind::GatewayRejected),
        (422, ErrorKind::GatewayRejected),
        (401, ErrorKind::GatewayAuthentication),
        (403, ErrorKind::GatewayAuthentication),
    ] {
        world.wire.order(&[Fault::Status(status)]);
        let request = by_customer(driver(&world).money());
        let outcome = world.billfold.charge_method(&world.tenant, method.id, request).await;
        world.wire.order(&[]);
        let error = outcome.expect_err("a refusal");
        assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{status}: {error:?}");
        let declined = |charge: &ChargeView| charge.status == ChargeStatus::Declined;
        assert!(stored(&world).await.iter().all(declined), "{status}: {:?}", stored(&world).await);
    }
    assert_eq!(stored(&world).await.len(), 4, "each attempt is kept");
    assert_eq!(driver(&world).books().await, Vec::new(), "something was charged");
}

/// What is no word of the gateway about a charge.
const NO_ANSWERS: [Fault; 13] = [
    Fault::NotSent,
    Fault::LostBefore,
    Fault::Truncated,
    Fault::Oversize,
    Fault::Status(404),
    Fault::Page(404),
    Fault::Status(401),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(200),
    Fault::Page(200),
    Fault::Page(502),
    Fault::Redirect,
];

/// Time passes, and of all that is due only charges are asked about.
async fn asked_about(world: &World) {
    world.clock.advance(Duration::from_hours(30));
    assert_eq!(world.billfold.reconcile_charges(10).await.expect("a sweep"), 1, "nobody asks any more");
}

async fn trouble(world: World) {
    let started = if abilities(&world).lookup {
        let started = lost(&world, Fault::LostAfter).await;
        world.driver.webhooks().await;
        started
    } else {
        let method = saved(&world).await;
        driver(&world).play(Card::One, ChargePlay::Slow).await;
        charge(&world, &method).await
    };
    // A gateway that only tells cannot be asked, not even by its own id.
    let tells = !abilities(&world).lookup && at_gateway(&world, &started).await.is_none();
    // Each time it is asked about, and long after the request must have arrived.
    world.clock.advance(LONG);
    for fault in NO_ANSWERS {
        world.wire.order(&[fault]);
        world.wire.take_seen();
        asked_about(&world).await;
        assert!(tells || !world.wire.take_seen().is_empty(), "nobody asked");
        let after = now(&world, &started).await;
        assert_eq!(after.status, started.status, "{fault:?} is taken for an answer: {after:?}");
        assert_eq!(after.incident, None, "{fault:?} is taken for an answer");
    }
    world.wire.order(&[]);
    driver(&world).finish(&started.id.to_string(), true).await;
    asked_about(&world).await;
    driver(&world).finish(&started.id.to_string(), true).await;
    let ended = finished(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded, "the trouble is over: {ended:?}");
}

/// What the provider itself does not know, a repeated call must not do twice.
async fn repeated(world: World) {
    let (session, token, method) = saved_as(&world, world.driver.request("c-1")).await;
    let (request, money) = (world.driver.request("c-1"), driver(&world).money());
    let back = "https://pay.merchant.example/return/x".parse().expect("a URL");
    let create = CreateCharge::new(
        "chg_018f0000000070008000000000000001",
        world.token(&session, &token).await,
        (method.kind, method.channel.clone()),
        money,
        request.country,
        method.usage,
        back,
    );
    let cx = world.context(&create.reference);
    let charging = world.provider.charging().expect("a provider that charges");
    world.wire.order(&[Fault::LostAfter]);
    let lost: Result<ProviderCharge> = charging.charge(&cx, create.clone()).await;
    assert_eq!(lost.expect_err("a lost answer").retry(), Retry::OutcomeUnknown);
    for _ in 0..2 {
        // It is answered again, or refused because it is there; it is not made again.
        let _ = charging.charge(&cx, create.clone()).await;
    }
    let books = driver(&world).books().await;
    assert_eq!(books.len(), 1, "one call, one charge: {books:?}");
}

/// The gateway makes the charge and tells of it, and its answer is lost: the webhook's word has to be enough.
async fn early(world: World) {
    let started = lost(&world, Fault::LostAfter).await;
    let ended = finished_by_webhook(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded, "its webhooks say how it ended: {ended:?}");
}

/// The gateway captures a part, or nothing, and nobody is told: it is asked, and only what never arrived is captured
/// again.
async fn lost_capture(world: World) {
    let method = saved(&world).await;
    if !abilities(&world).manual_capture.contains(&method.kind) {
        return;
    }
    let mut request = by_customer(driver(&world).money());
    request.capture = CaptureMode::Manual;
    let held = charge_as(&world, &method, request).await;
    let part = if abilities(&world).partial_capture { held.amount / 2 } else { held.amount };
    let (world, held) = (&world, &held);
    let capture = |fault| async move {
        world.wire.order(&[fault]);
        let captured = world.billfold.capture_charge(&world.tenant, held.id, Some(part)).await;
        world.wire.order(&[]);
        let captured = captured.unwrap_or_else(|error| panic!("{fault:?} is no refusal: {error:?}"));
        assert_eq!(captured.status, ChargeStatus::Authorized, "nobody knows how it ended");
        let again = world.billfold.capture_charge(&world.tenant, held.id, Some(part)).await;
        assert_eq!(again.expect_err("it may have been captured").kind(), ErrorKind::Conflict);
    };
    let told = at_gateway(world, held).await.is_none();
    if !told {
        capture(Fault::LostBefore).await;
        world.sweep_after(LONG).await;
    }
    capture(Fault::LostAfter).await;
    if told {
        world.deliver_all().await;
    }
    world.driver.webhooks().await;
    world.sweep_after(LONG).await;
    let ended = now(world, held).await;
    assert_eq!((ended.status, ended.captured_amount), (ChargeStatus::Succeeded, part), "{ended:?}");
    assert_eq!(booked(world, held).await.expect("booked").taken, part);
}

/// A part, where the gateway gives back parts: whoever asks twice gives back more than a part.
fn part(world: &World, charge: &ChargeView) -> i64 {
    if abilities(world).partial_refunds { charge.amount / 4 } else { charge.amount }
}

async fn lost_refund(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
    let back = part(&world, &paid);
    let request = |amount| StartRefund { amount: Some(amount), ..StartRefund::default() };
    world.wire.order(&[Fault::LostAfter]);
    let asked = world.billfold.refund_charge(&world.tenant, paid.id, request(back)).await;
    world.wire.order(&[]);
    let asked = asked.expect("the refund is kept");
    assert_eq!(asked.refunds[0].status, RefundStatus::Unknown, "nobody knows how it ended");
    let again = world.billfold.refund_charge(&world.tenant, paid.id, request(paid.amount)).await;
    let kind = again.expect_err("it may have been given back").kind();
    assert!(matches!(kind, ErrorKind::Conflict | ErrorKind::InvalidRequest), "{kind:?}");
    driver(&world).finish_refunds().await;
    world.deliver_all().await;
    world.sweep_after(SHORT).await;
    world.sweep_after(LONG).await;
    let ended = now(&world, &paid).await;
    assert_eq!(ended.refunds[0].status, RefundStatus::Succeeded, "{ended:?}");
    let left = booked(&world, &paid).await.expect("booked").taken;
    assert_eq!(left, paid.amount - back, "the gateway gave something else back");
}

/// A refund of a charge that succeeded, as the provider is asked for it.
async fn refund_of(world: &World, paid: &ChargeView) -> CreateRefund {
    let charge: ChargeRef = named(world, paid.id).await;
    let money = Money { amount: part(world, paid), currency: paid.currency };
    CreateRefund::new(
        charge,
        "rfd_018f0000000070008000000000000001",
        money,
        RefundReason::RequestedByCustomer,
    )
}

async fn refund_trouble(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
    let create = refund_of(&world, &paid).await;
    let cx = world.context(&create.reference);
    let charging = world.provider.charging().expect("a provider that charges");
    let made: Result<ProviderRefund> = charging.refund_charge(&cx, create.clone()).await;
    let made = made.expect("the money goes back");
    let mut refund = RefundRef::new(create.charge, create.reference, create.money);
    for reference in [None, Some(made.reference)] {
        refund.reference = reference;
        for fault in NO_ANSWERS {
            world.wire.order(&[fault]);
            let asked = charging.fetch_refund(&cx, refund.clone()).await;
            let denied = match &asked {
                Ok(Lookup::Missing) => true,
                Ok(Lookup::Found(found)) => !found.status.is_open(),
                Ok(Lookup::CannotTell) | Err(_) => false,
            };
            assert!(!denied, "{fault:?} is taken for an answer: {asked:?}");
        }
        world.wire.order(&[]);
        match charging.fetch_refund(&cx, refund.clone()).await {
            Ok(Lookup::Found(found)) => assert_ne!(found.status, RefundStatus::Failed, "{found:?}"),
            Ok(Lookup::CannotTell) => {}
            other => panic!("a refund that was made is answered with {other:?}"),
        }
    }
}

async fn repeated_refund(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
    let create = refund_of(&world, &paid).await;
    let cx = world.context(&create.reference);
    let charging = world.provider.charging().expect("a provider that charges");
    world.wire.order(&[Fault::LostAfter]);
    let lost = charging.refund_charge(&cx, create.clone()).await;
    assert_eq!(lost.expect_err("a lost answer").retry(), Retry::OutcomeUnknown);
    for _ in 0..2 {
        let _ = charging.refund_charge(&cx, create.clone()).await;
    }
    driver(&world).finish_refunds().await;
    let left = booked(&world, &paid).await.expect("booked").taken;
    assert_eq!(left, paid.amount - create.money.amount, "one call, one refund");
}
