//! What was saved is charged once, as far as the customer agreed, whatever happens on the way.

use std::time::Duration;

use billfold_core::charge::{CaptureMode, ChargeReason, ChargeStatus, DeclineClass, Initiator, RefundStatus};
use billfold_core::idempotency::Intent;
use billfold_core::money::Money;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{ProviderChargeStatus, RecurringTerms};
use billfold_core::store::{ChargeFilter, Page};
use billfold_core::view::{ChargeView, PaymentMethodView};
use billfold_core::{ErrorKind, StartCharge, StartRefund, StartSession};
use billfold_testkit::reference::{ChargeOutcome, Instrument, Trouble};
use serde_json::json;

use crate::support::{World, at_once, request};

const DAY: Duration = Duration::from_hours(24);

fn rupiah(amount: i64) -> Money {
    Money { amount, currency: "IDR".parse().unwrap() }
}

fn by_customer(amount: i64) -> StartCharge {
    StartCharge::new(rupiah(amount), Initiator::Customer, None)
}

fn by_merchant(amount: i64, reason: ChargeReason) -> StartCharge {
    StartCharge::new(rupiah(amount), Initiator::Merchant, reason)
}

async fn saved(world: &World) -> PaymentMethodView {
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.methods(&session).await.pop().unwrap()
}

/// A method that the merchant may charge once in 30 days until the end of 2026.
async fn subscribed(world: &World) -> PaymentMethodView {
    let mut request: StartSession = request("c-1");
    request.usage = billfold_core::capability::Usage::Recurring;
    request.recurring = Some(RecurringTerms { frequency_days: 30, ends_on: "2026-12-31".to_owned() });
    let session = world.save_with(request, Instrument::card("tok-1", "fp-1")).await;
    world.methods(&session).await.pop().unwrap()
}

impl World {
    async fn charge(&self, method: &PaymentMethodView, request: StartCharge) -> ChargeView {
        self.billfold.charge_method(&self.tenant, method.id, request).await.unwrap()
    }

    async fn refused(&self, method: &PaymentMethodView, request: StartCharge) -> billfold_core::Error {
        self.billfold.charge_method(&self.tenant, method.id, request).await.unwrap_err()
    }

    async fn charge_now(&self, charge: &ChargeView) -> ChargeView {
        self.billfold.get_charge(&self.tenant, charge.id).await.unwrap()
    }

    async fn charges(&self) -> Vec<ChargeView> {
        self.billfold.list_charges(&self.tenant, ChargeFilter::default(), Page::first(100)).await.unwrap()
    }

    async fn sweep_charges(&self, after: Duration) {
        self.clock.advance(after);
        while self.billfold.reconcile_charges(10).await.unwrap() > 0 {}
    }

    fn booked(&self) -> i64 {
        self.gateway.ledger().iter().map(|charge| charge.captured).sum()
    }
}

#[tokio::test]
async fn a_charge_is_stored_before_the_gateway_is_asked() {
    let world = World::new();
    let method = saved(&world).await;
    let charge = world.charge(&method, by_customer(500_000)).await;
    assert_eq!((charge.status, charge.captured_amount), (ChargeStatus::Succeeded, 500_000));
    let ledger = world.gateway.ledger();
    assert_eq!((ledger.len(), ledger[0].reference.clone()), (1, charge.id.to_string()));
    assert_eq!(world.event_names().await.last().map(String::as_str), Some("charge.succeeded"));
    let steps: Vec<&str> = charge.timeline.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(steps, ["processing", "succeeded"]);
    // A crash right after the intent: the gateway was never asked, and never is.
    world.gateway.order("charge", Trouble::Panic);
    let died = world.charge(&method, by_customer(1)).await;
    assert_eq!(died.status, ChargeStatus::Unknown, "a provider that panicked may have charged");
    world.sweep_charges(Duration::from_mins(11)).await;
    world.sweep_charges(Duration::from_mins(30)).await;
    let ended = world.charge_now(&died).await;
    assert_eq!(ended.decline.unwrap().class, DeclineClass::TryAgainLater);
    assert_eq!(world.gateway.ledger().len(), 1, "nothing was charged later");
}

#[tokio::test]
async fn what_was_not_agreed_to_is_refused_before_anything_is_stored() {
    let world = World::new();
    let method = saved(&world).await;
    let asked = world.gateway.calls().len();
    for (request, pointer) in [
        (by_merchant(1, ChargeReason::Recurring), "/initiator"),
        (by_merchant(1, ChargeReason::Unscheduled), "/initiator"),
        (by_customer(0), "/amount"),
        (by_customer(-5), "/amount"),
        (StartCharge { fallback: true, ..by_customer(1) }, "/fallback"),
        (StartCharge { reference: Some(String::new()), ..by_customer(1) }, "/reference"),
        (StartCharge { description: Some("\u{7}".to_owned()), ..by_customer(1) }, "/description"),
        (StartCharge { metadata: [("k".repeat(99), String::new())].into(), ..by_customer(1) }, "/metadata/"),
        (
            StartCharge { return_url: Some("http://shop.example".parse().unwrap()), ..by_customer(1) },
            "/return_url",
        ),
        (
            StartCharge::new(
                Money { amount: 1, currency: "PHP".parse().unwrap() },
                Initiator::Customer,
                None,
            ),
            "/currency",
        ),
    ] {
        let error = world.refused(&method, request).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.fields()[0].pointer.starts_with(pointer), "{pointer}: {:?}", error.fields());
    }
    let rival = "rival".parse().unwrap();
    let error = world.billfold.charge_method(&rival, method.id, by_customer(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "another tenant's method");
    assert_eq!(world.gateway.calls().len(), asked, "the gateway was asked");
    assert!(world.charges().await.is_empty(), "something was stored");
}

#[tokio::test]
async fn the_terms_of_a_subscription_are_kept() {
    let world = World::new();
    let method = subscribed(&world).await;
    assert_eq!(
        world.refused(&method, by_merchant(1, ChargeReason::Unscheduled)).await.fields()[0].pointer,
        "/reason"
    );
    world.charge(&method, by_merchant(100, ChargeReason::Recurring)).await;
    assert!(!world.gateway.ledger()[0].asked.first || world.gateway.ledger().len() == 1);
    let early = world.refused(&method, by_merchant(100, ChargeReason::Recurring)).await;
    assert_eq!(early.kind(), ErrorKind::Conflict, "{early}");
    assert!(early.message().contains("30 days"), "{early}");
    // The customer may pay in between, and that does not count.
    world.charge(&method, by_customer(7)).await;
    world.clock.advance(30 * DAY);
    // A decline does not use up the month.
    world.gateway.next_charge(ChargeOutcome::Declined(DeclineClass::InsufficientFunds));
    let declined = world.charge(&method, by_merchant(100, ChargeReason::Recurring)).await;
    assert_eq!(declined.status, ChargeStatus::Declined);
    let paid = world.charge(&method, by_merchant(100, ChargeReason::Recurring)).await;
    assert_eq!(paid.status, ChargeStatus::Succeeded);
    assert!(!world.gateway.ledger().last().unwrap().asked.first, "not the first any more");
    world.clock.advance(400 * DAY);
    let over = world.refused(&method, by_merchant(100, ChargeReason::Recurring)).await;
    assert!(over.message().contains("2026-12-31"), "{over}");
}

#[tokio::test]
async fn terms_hold_when_two_start_at_the_same_moment() {
    for _ in 0..20 {
        let world = World::new();
        let method = subscribed(&world).await;
        let both = (0..8).map(|_| {
            let (billfold, tenant, id) = (world.billfold.clone(), world.tenant.clone(), method.id);
            async move {
                billfold.charge_method(&tenant, id, by_merchant(100, ChargeReason::Recurring)).await.is_ok()
            }
        });
        let begun = at_once(both).await.into_iter().filter(|begun| *begun).count();
        assert_eq!((begun, world.gateway.ledger().len()), (1, 1));
    }
}

#[tokio::test]
async fn one_intent_is_one_charge() {
    let world = World::new();
    let method = saved(&world).await;
    let intent = Intent::new(world.billfold.clock().now(), "order-7");
    let request = StartCharge { intent: Some(intent), ..by_customer(100) };
    // The first attempt dies at the gateway, and its answer with it.
    world.gateway.order("charge", Trouble::LostAfter);
    let first = world.charge(&method, request.clone()).await;
    assert_eq!(first.status, ChargeStatus::Unknown);
    let second = world.charge(&method, request.clone()).await;
    assert_eq!(
        (second.id, second.status),
        (first.id, ChargeStatus::Unknown),
        "it is asked about, not made again"
    );
    world.sweep_charges(Duration::from_mins(2)).await;
    let third = world.charge(&method, request.clone()).await;
    assert_eq!((third.id, third.status), (first.id, ChargeStatus::Succeeded));
    let many = (0..16).map(|_| {
        let (billfold, tenant, id) = (world.billfold.clone(), world.tenant.clone(), method.id);
        let intent = Intent::new(billfold_core::clock::Timestamp::from_millis(5), "order-8");
        let request = StartCharge { intent: Some(intent), ..by_customer(100) };
        async move { billfold.charge_method(&tenant, id, request).await.map(|charge| charge.id) }
    });
    let ids: std::collections::BTreeSet<_> = at_once(many).await.into_iter().flatten().collect();
    assert_eq!(ids.len(), 1, "sixteen attempts at one charge");
    assert_eq!((world.gateway.ledger().len(), world.booked()), (2, 200));
}

#[tokio::test]
async fn a_lost_answer_is_asked_about_and_a_late_webhook_finds_nothing_to_do() {
    let world = World::new();
    let method = saved(&world).await;
    world.gateway.order("charge", Trouble::LostAfter);
    let lost = world.charge(&method, by_customer(100)).await;
    assert_eq!(lost.status, ChargeStatus::Unknown);
    world.sweep_charges(Duration::from_secs(61)).await;
    let found = world.charge_now(&lost).await;
    assert_eq!(found.status, ChargeStatus::Succeeded);
    world
        .deliver(json!({"event": "charge.succeeded", "charge": "ch-0001", "reference": lost.id.to_string()}))
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.charge_now(&lost).await.timeline, found.timeline);
    let told = world.event_names().await;
    assert_eq!(told.iter().filter(|name| *name == "charge.succeeded").count(), 1);
    assert_eq!(told.iter().filter(|name| *name == "charge.unknown").count(), 1);
}

#[tokio::test]
async fn what_certainly_did_not_happen_is_declined_and_said() {
    let world = World::new();
    let method = saved(&world).await;
    world.gateway.order("charge", Trouble::Refuse);
    let error = world.refused(&method, by_customer(100)).await;
    assert_eq!(error.kind(), ErrorKind::GatewayRejected);
    let charge = world.charges().await.pop().unwrap();
    assert_eq!(charge.status, ChargeStatus::Declined);
    assert_eq!(charge.decline.unwrap().class, DeclineClass::DoNotRetry);
    assert_eq!(charge.captured_amount, 0);
}

#[tokio::test]
async fn a_decline_that_ends_the_method_ends_it() {
    for (class, status, event) in [
        (DeclineClass::Expired, PaymentMethodStatus::Expired, "payment_method.expired"),
        (DeclineClass::Revoked, PaymentMethodStatus::Revoked, "payment_method.revoked"),
    ] {
        let world = World::new();
        let method = saved(&world).await;
        world.gateway.next_charge(ChargeOutcome::Declined(class));
        let charge = world.charge(&method, by_customer(100)).await;
        assert_eq!(charge.status, ChargeStatus::Declined);
        let after = world.billfold.get_method(&world.tenant, method.id).await.unwrap();
        assert_eq!(after.status, status);
        assert!(world.event_names().await.contains(&event.to_owned()));
        assert_eq!(world.refused(&method, by_customer(100)).await.kind(), ErrorKind::Conflict);
        // Another is collected in its place, and becomes the default.
        let session = world.billfold.collect_anew(&world.tenant, charge.id, None, None).await.unwrap();
        assert_eq!(session.customer_id, method.customer_id);
        assert!(session.make_default && session.usage == method.usage);
        let theirs = world.gateway.sessions().pop().unwrap();
        world.gateway.complete(&theirs, Instrument::card("tok-2", "fp-2"));
        world.completed(&theirs).await;
        world.work().await;
        let (paid, _) = world
            .billfold
            .charge_customer(&world.tenant, method.customer_id, by_customer(100))
            .await
            .unwrap();
        assert_eq!(paid.status, ChargeStatus::Succeeded);
    }
    let world = World::new();
    let method = saved(&world).await;
    let paid = world.charge(&method, by_customer(1)).await;
    let error = world.billfold.collect_anew(&world.tenant, paid.id, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn other_methods_are_tried_only_when_asked_for_and_allowed() {
    let world = World::new();
    let method = saved(&world).await;
    world.save("c-1", Instrument::card("tok-2", "fp-2")).await;
    let customer = method.customer_id;
    let with = |fallback| StartCharge { fallback, ..by_customer(100) };
    let charge = |request| world.billfold.charge_customer(&world.tenant, customer, request);
    for class in DeclineClass::ALL {
        if matches!(class, DeclineClass::Expired | DeclineClass::Revoked) {
            continue;
        }
        world.gateway.next_charge(ChargeOutcome::Declined(class));
        let (declined, attempts) = charge(with(false)).await.unwrap();
        assert_eq!(
            (declined.status, attempts.len()),
            (ChargeStatus::Declined, 1),
            "{class:?}: not asked for"
        );
        world.gateway.next_charge(ChargeOutcome::Declined(class));
        let (last, attempts) = charge(with(true)).await.unwrap();
        let expected = if class.allows_fallback() { 2 } else { 1 };
        assert_eq!(attempts.len(), expected, "{class:?}");
        if expected == 2 {
            assert_eq!(last.status, ChargeStatus::Succeeded);
            assert_eq!(last.fallback_of, Some(attempts[0].charge_id));
            assert_ne!(attempts[0].payment_method_id, attempts[1].payment_method_id);
        }
    }
    world.gateway.order("charge", Trouble::LostBefore);
    let (unknown, attempts) = charge(with(true)).await.unwrap();
    assert_eq!(
        (unknown.status, attempts.len()),
        (ChargeStatus::Unknown, 1),
        "nobody knows: no other is charged"
    );
}

#[tokio::test]
async fn an_answer_about_something_else_is_an_incident() {
    let world = World::new();
    let method = saved(&world).await;
    world.gateway.next_charge(ChargeOutcome::Processing);
    let charge = world.charge(&method, by_customer(100)).await;
    world.gateway.change_charge("ch-0001", |charge| {
        charge.money.amount = 101;
        charge.captured = 101;
        charge.status = ProviderChargeStatus::Succeeded;
    });
    world.sweep_charges(Duration::from_mins(2)).await;
    let seen = world.charge_now(&charge).await;
    assert_eq!(seen.status, ChargeStatus::Processing, "another amount is no success");
    assert!(seen.incident.is_some());
    world.sweep_charges(Duration::from_mins(20)).await;
    let told = world.event_names().await;
    assert_eq!(told.iter().filter(|name| *name == "charge.needs_attention").count(), 1, "told once");
    world.gateway.change_charge("ch-0001", |charge| {
        charge.money.amount = 100;
        charge.captured = 100;
    });
    world.sweep_charges(DAY).await;
    assert_eq!(world.charge_now(&charge).await.status, ChargeStatus::Succeeded, "once the answer is right");
}

#[tokio::test]
async fn the_first_payment_is_remembered_for_the_next() {
    let world = World::new();
    let method = saved(&world).await;
    world.gateway.remember("network_transaction_id", "CANARY-ntid");
    world.charge(&method, by_customer(100)).await;
    world.charge(&method, by_customer(100)).await;
    let ledger = world.gateway.ledger();
    assert!(ledger[0].asked.token.extra.is_empty());
    assert_eq!(
        ledger[1].asked.token.extra.get("network_transaction_id").map(String::as_str),
        Some("CANARY-ntid")
    );
    assert_eq!((ledger[0].asked.first, ledger[1].asked.first), (true, false));
    let charges = world.store.snapshot();
    assert!(!format!("{charges:?}").contains("CANARY-ntid"), "it is sealed with the token");
}

#[tokio::test]
async fn the_customer_acts_and_the_charge_goes_on() {
    let world = World::new();
    let method = saved(&world).await;
    world.gateway.next_charge(ChargeOutcome::RequiresAction);
    let charge = world.charge(&method, by_customer(100)).await;
    assert_eq!(charge.status, ChargeStatus::RequiresAction);
    assert!(charge.next.is_some());
    assert!(world.charges().await[0].next.is_none(), "no links in lists");
    let back = world.gateway.ledger()[0].asked.return_url.clone();
    let nonce = back.path_segments().unwrap().next_back().unwrap().to_owned();
    let come_back = |nonce: String| {
        let request = billfold_core::provider::ReturnRequest::new("status=succeeded");
        let billfold = world.billfold.clone();
        async move { billfold.on_charge_return(charge.id, &nonce, request).await }
    };
    // The customer has not done anything yet: what the browser says is not believed.
    let early = come_back(nonce.clone()).await.unwrap();
    assert!(early.query().unwrap().contains("status=requires_action"), "{early}");
    world.gateway.set_charge("ch-0001", ProviderChargeStatus::Succeeded);
    let address = come_back(nonce.clone()).await.unwrap();
    assert!(address.as_str().starts_with("https://shop.example/done?cart=7&charge_id="), "{address}");
    assert!(address.query().unwrap().ends_with("status=succeeded"));
    let settled = world.charge_now(&charge).await;
    assert_eq!((settled.status, settled.next.is_none()), (ChargeStatus::Succeeded, true));
    assert_eq!(come_back(nonce).await.unwrap_err().kind(), ErrorKind::Gone, "used up");
    assert_eq!(come_back("guessed".to_owned()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_part_is_captured_and_nothing_twice() {
    let world = World::new();
    let method = saved(&world).await;
    let request = StartCharge { capture: CaptureMode::Manual, ..by_customer(100) };
    let charge = world.charge(&method, request.clone()).await;
    assert_eq!((charge.status, world.booked()), (ChargeStatus::Authorized, 0));
    let capture = |id, amount| world.billfold.capture_charge(&world.tenant, id, amount);
    for wrong in [0, -1, 101] {
        assert_eq!(capture(charge.id, Some(wrong)).await.unwrap_err().fields()[0].pointer, "/amount");
    }
    let captured = capture(charge.id, Some(60)).await.unwrap();
    assert_eq!((captured.status, captured.captured_amount), (ChargeStatus::Succeeded, 60));
    assert_eq!(capture(charge.id, None).await.unwrap_err().kind(), ErrorKind::Conflict);

    // The answer of a capture is lost: it is asked about, and not asked for again.
    let other = world.charge(&method, request.clone()).await;
    world.gateway.order("capture_charge", Trouble::LostAfter);
    let unsure = capture(other.id, None).await.unwrap();
    assert_eq!(unsure.status, ChargeStatus::Authorized);
    assert_eq!(capture(other.id, None).await.unwrap_err().kind(), ErrorKind::Conflict);
    world.sweep_charges(Duration::from_mins(2)).await;
    assert_eq!(world.charge_now(&other).await.status, ChargeStatus::Succeeded);

    // And one that never arrived may be asked for again, when it must be over.
    let third = world.charge(&method, request).await;
    world.gateway.order("capture_charge", Trouble::LostBefore);
    capture(third.id, None).await.unwrap();
    world.sweep_charges(Duration::from_mins(11)).await;
    assert_eq!(capture(third.id, None).await.unwrap().status, ChargeStatus::Succeeded);
    assert_eq!(world.booked(), 60 + 100 + 100);
}

#[tokio::test]
async fn a_capture_days_later_is_asked_about_soon() {
    let world = World::new();
    let method = saved(&world).await;
    let request = StartCharge { capture: CaptureMode::Manual, ..by_customer(100) };
    let charge = world.charge(&method, request).await;
    world.sweep_charges(5 * DAY).await;
    world.gateway.order("capture_charge", Trouble::LostAfter);
    let unsure = world.billfold.capture_charge(&world.tenant, charge.id, Some(60)).await.unwrap();
    assert_eq!(unsure.status, ChargeStatus::Authorized);
    // The first question comes too early to hear of it, and a day is too long to wait for the second.
    world.gateway.order("fetch_charge", Trouble::LostBefore);
    world.sweep_charges(Duration::from_mins(2)).await;
    world.sweep_charges(Duration::from_mins(6)).await;
    let captured = world.charge_now(&charge).await;
    assert_eq!((captured.status, captured.captured_amount), (ChargeStatus::Succeeded, 60));
}

#[tokio::test]
async fn another_capture_is_not_taken_for_the_one_that_failed() {
    let world = World::new();
    let method = saved(&world).await;
    let request = StartCharge { capture: CaptureMode::Manual, ..by_customer(100) };
    let charge = world.charge(&method, request).await;
    world.gateway.order("capture_charge", Trouble::Refuse);
    let refused = world.billfold.capture_charge(&world.tenant, charge.id, None).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::GatewayRejected);
    world.billfold.capture_charge(&world.tenant, charge.id, Some(60)).await.unwrap();
    let keys = world.gateway.idempotency_keys();
    assert!(keys.iter().all(|key| key.starts_with(&charge.id.to_string())), "{keys:?}");
    let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!((keys.len(), distinct.len()), (3, 3), "a charge and two captures: {keys:?}");
}

#[tokio::test]
async fn no_more_is_given_back_than_was_taken() {
    let world = World::new();
    let method = saved(&world).await;
    let charge = world.charge(&method, by_customer(100)).await;
    let refund = |amount| {
        let request = StartRefund { amount, ..StartRefund::default() };
        world.billfold.refund_charge(&world.tenant, charge.id, request)
    };
    for wrong in [0, -1, 101] {
        assert_eq!(refund(Some(wrong)).await.unwrap_err().fields()[0].pointer, "/amount");
    }
    let part = refund(Some(30)).await.unwrap();
    assert_eq!((part.refunded_amount, part.refunds[0].status), (30, RefundStatus::Succeeded));
    // Nobody knows whether this one was made: it counts until somebody does.
    world.gateway.order("refund_charge", Trouble::LostBefore);
    let unsure = refund(Some(50)).await.unwrap();
    assert_eq!((unsure.refunded_amount, unsure.refunds[1].status), (80, RefundStatus::Unknown));
    assert_eq!(refund(Some(21)).await.unwrap_err().fields()[0].pointer, "/amount");
    let attempts = (0..8).map(|_| {
        let (billfold, tenant, id) = (world.billfold.clone(), world.tenant.clone(), charge.id);
        async move { billfold.refund_charge(&tenant, id, StartRefund::default()).await.is_ok() }
    });
    let made = at_once(attempts).await.into_iter().filter(|made| *made).count();
    assert_eq!(made, 1, "the last 20 are given back once");
    world.sweep_charges(Duration::from_mins(11)).await;
    let ended = world.charge_now(&charge).await;
    assert_eq!(
        (ended.refunded_amount, ended.refunds[1].status),
        (50, RefundStatus::Failed),
        "it never arrived"
    );
    refund(None).await.unwrap();
    assert_eq!(world.charge_now(&charge).await.refunded_amount, 100);
    let names = world.event_names().await;
    assert!(
        names.contains(&"charge.refund_succeeded".to_owned())
            && names.contains(&"charge.refund_failed".to_owned())
    );
}

#[tokio::test]
async fn a_bank_may_take_back_what_had_succeeded() {
    let world = World::new();
    let method = saved(&world).await;
    let charge = world.charge(&method, by_customer(100)).await;
    world.gateway.set_charge("ch-0001", ProviderChargeStatus::Returned);
    world.deliver(json!({"event": "charge.returned", "charge": "ch-0001"})).await.unwrap();
    world.work().await;
    let returned = world.charge_now(&charge).await;
    assert_eq!((returned.status, returned.captured_amount), (ChargeStatus::Declined, 0));
}

#[tokio::test]
async fn a_method_deleted_meanwhile_is_not_charged() {
    let world = World::new();
    let method = saved(&world).await;
    world.billfold.delete_method(&world.tenant, method.id).await.unwrap();
    assert_eq!(world.refused(&method, by_customer(1)).await.kind(), ErrorKind::NotFound);
    assert!(world.gateway.ledger().is_empty());
}

#[tokio::test]
async fn an_erased_customers_charges_are_gone() {
    let world = World::new();
    let method = saved(&world).await;
    let charge = world.charge(&method, by_customer(100)).await;
    let by = billfold_core::audit::Actor::new("cli:tester");
    world.billfold.erase_customer(&world.tenant, method.customer_id, &by).await.unwrap();
    let gone = |error: billfold_core::Error| assert_eq!(error.kind(), ErrorKind::NotFound);
    gone(world.billfold.get_charge(&world.tenant, charge.id).await.unwrap_err());
    gone(world.refused(&method, by_customer(1)).await);
    world.work().await;
    assert!(world.charges().await.is_empty());
    // What the gateway tells of it later changes nothing and hurts nobody.
    world.deliver(json!({"event": "charge.succeeded", "charge": "ch-0001"})).await.unwrap();
    world.work().await;
}

#[tokio::test]
async fn nobody_is_told_more_than_a_charges_own_webhook_may_say() {
    let world = World::new();
    let method = saved(&world).await;
    world.gateway.next_charge(ChargeOutcome::Processing);
    let charge = world.charge(&method, by_customer(100)).await;
    for event in ["charge.succeeded", "charge.declined", "refund.succeeded"] {
        let body =
            json!({"event": event, "charge": "ch-0001", "reference": charge.id.to_string(), "n": event});
        world.deliver(body).await.unwrap();
        world.work().await;
        assert_eq!(world.charge_now(&charge).await.status, ChargeStatus::Processing, "{event} was believed");
    }
}

#[tokio::test]
async fn payments_that_were_not_made_here_are_none_of_our_business() {
    let world = World::new();
    saved(&world).await;
    let deliveries = || world.billfold.list_deliveries(&world.tenant, None, Page::first(10));
    for (reference, state) in [
        (json!("invoice-77"), billfold_core::store::DeliveryState::Ignored),
        // One of our form may come before its row is seen.
        (json!(format!("chg_{:032x}", 7)), billfold_core::store::DeliveryState::Parked),
        (json!(null), billfold_core::store::DeliveryState::Parked),
    ] {
        // Ids sort by time.
        world.clock.advance(Duration::from_millis(1));
        world
            .deliver(json!({"event": "charge.succeeded", "charge": "ch-0099", "reference": reference}))
            .await
            .unwrap();
        world.work().await;
        assert_eq!(deliveries().await.unwrap()[0].state, state, "{reference}");
    }
}
