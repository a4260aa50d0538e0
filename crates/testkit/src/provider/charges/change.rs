//! Capturing, canceling and giving back: as declared, and of the amount that was said.

use billfold_core::charge::{CaptureMode, ChargeStatus, RefundStatus};
use billfold_core::provider::ProviderChargeStatus;
use billfold_core::view::ChargeView;
use billfold_core::{ErrorKind, StartRefund};

use super::super::Trial;
use super::super::charge_driver::ChargePlay;
use super::super::driver::Card;
use super::super::world::World;
use super::{
    SHORT, abilities, at_gateway, booked, by_customer, cannot, charge_as, driver, finished, named, now, paid,
    saved, taken,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("capturing is as declared", |world| Box::pin(capturing(world))).unless(cannot),
        Trial::new("canceling a charge is as declared", |world| Box::pin(canceling(world))).unless(cannot),
        Trial::new("a charge that is over is not canceled", |world| Box::pin(too_late(world)))
            .unless(cannot_cancel),
        Trial::new("giving back is as declared", |world| Box::pin(refunding(world))).unless(cannot),
    ]
}

fn cannot_cancel(world: &World) -> Option<&'static str> {
    cannot(world)
        .or_else(|| (!abilities(world).cancel).then_some("the gateway ends no charge that has begun"))
}

async fn capturing(world: World) {
    let method = saved(&world).await;
    let mut request = by_customer(driver(&world).money());
    request.capture = CaptureMode::Manual;
    if !abilities(&world).manual_capture.contains(&method.kind) {
        let refused = world.billfold.charge_method(&world.tenant, method.id, request).await;
        assert_eq!(refused.expect_err("it is not declared").fields()[0].pointer, "/capture");
        return;
    }
    let started = charge_as(&world, &method, request.clone()).await;
    assert_eq!(started.status, ChargeStatus::Authorized, "{started:?}");
    assert_eq!(taken(&world).await, 0, "taken before it was captured");
    let captured =
        world.billfold.capture_charge(&world.tenant, started.id, None).await.expect("it is captured");
    let captured = finished(&world, &captured).await;
    assert_eq!((captured.status, captured.captured_amount), (ChargeStatus::Succeeded, captured.amount));
    assert_eq!(booked(&world, &started).await.expect("booked").taken, captured.amount);
    let again = world.billfold.capture_charge(&world.tenant, started.id, None).await;
    assert_eq!(again.expect_err("it was captured").kind(), ErrorKind::Conflict);

    let other = charge_as(&world, &method, request).await;
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
    let method = saved(&world).await;
    let declared = abilities(&world);
    let mut request = by_customer(driver(&world).money());
    if declared.manual_capture.contains(&method.kind) {
        request.capture = CaptureMode::Manual;
    } else {
        driver(&world).play(Card::One, ChargePlay::Slow).await;
    }
    let started = charge_as(&world, &method, request).await;
    let outcome = world.billfold.cancel_charge(&world.tenant, started.id).await;
    if !declared.cancel {
        assert!(outcome.is_err(), "canceling is not declared: {outcome:?}");
        return;
    }
    outcome.expect("it is canceled");
    world.deliver_all().await;
    world.sweep_after(SHORT).await;
    assert_eq!(now(&world, &started).await.status, ChargeStatus::Canceled);
    let truth = at_gateway(&world, &started).await.unwrap_or(ProviderChargeStatus::Canceled);
    assert_eq!(truth, ProviderChargeStatus::Canceled, "it still holds the money");
    assert_eq!(taken(&world).await, 0);
    let again = world.billfold.cancel_charge(&world.tenant, started.id).await;
    assert_eq!(again.expect("canceling twice is no error").status, ChargeStatus::Canceled);
}

/// The news that a charge had succeeded comes after somebody canceled it: the answer is how it stands.
async fn too_late(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
    let charging = world.provider.charging().expect("a provider that charges");
    let canceled = charging.cancel_charge(&world.context("cancel"), named(&world, paid.id).await).await;
    let canceled = canceled.expect("it is answered as it is");
    assert_ne!(canceled.status, ProviderChargeStatus::Canceled, "{canceled:?}");
    assert_eq!(taken(&world).await, paid.amount, "a charge that had succeeded was undone");
    let refused = world.billfold.cancel_charge(&world.tenant, paid.id).await;
    assert_eq!(refused.expect_err("it succeeded").kind(), ErrorKind::Conflict);
}

async fn refunding(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
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
        let ended = refunds_finished(&world, &paid).await;
        assert_eq!(ended.refunds[0].status, RefundStatus::Succeeded, "{ended:?}");
        let left = booked(&world, &paid).await.expect("booked").taken;
        assert_eq!(left, paid.amount - paid.amount / 4, "the gateway gave something else back");
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
    world.sweep_after(SHORT).await;
    now(world, charge).await
}
