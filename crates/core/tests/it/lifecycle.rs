//! What happens to saved methods: saved again, made default, deleted, taken back.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::capability::Usage;
use billfold_core::clock::Timestamp;
use billfold_core::id::PaymentMethodId;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{ProviderMethodStatus, RecurringTerms};
use billfold_core::store::Store;
use billfold_testkit::reference::{Instrument, Trouble};

use crate::support::{World, request};

#[tokio::test]
async fn the_same_card_twice_is_one_method_with_the_newer_token() {
    let world = World::new();
    let first = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let second = world.save("c-1", Instrument::card("tok-2", "fp-1")).await;
    assert_eq!(first.payment_methods, second.payment_methods);
    assert_eq!(world.methods(&first).await.len(), 1);
    // The older token is of no use any more and is taken back at the gateway.
    assert_eq!(world.gateway.token_status("tok-1"), Some(ProviderMethodStatus::Revoked));
    assert_eq!(world.gateway.token_status("tok-2"), Some(ProviderMethodStatus::Active));
}

#[tokio::test]
async fn another_customer_or_another_use_is_another_method() {
    let world = World::new();
    let mine = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let yours = world.save("c-2", Instrument::card("tok-2", "fp-1")).await;
    assert_ne!(mine.payment_methods, yours.payment_methods);
    let mut recurring = request("c-1");
    recurring.usage = Usage::Recurring;
    recurring.recurring = Some(RecurringTerms { frequency_days: 30, ends_on: "2030-12-31".into() });
    let subscription = world.save_with(recurring, Instrument::card("tok-3", "fp-1")).await;
    assert_ne!(mine.payment_methods, subscription.payment_methods);
    assert_eq!(world.methods(&mine).await.len(), 2);
    assert_eq!(world.methods(&yours).await.len(), 1);
}

#[tokio::test]
async fn a_token_of_one_customer_never_reaches_another() {
    let world = World::new();
    world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let other = world.save("c-2", Instrument::card("tok-1", "fp-1")).await;
    assert!(other.payment_methods.is_empty());
    assert!(world.methods(&other).await.is_empty());
}

#[tokio::test]
async fn one_default_per_customer() {
    let world = World::new();
    let first = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let second = world.save("c-1", Instrument::card("tok-2", "fp-2")).await;
    let defaults = |methods: &[billfold_core::view::PaymentMethodView]| {
        methods.iter().filter(|method| method.is_default).map(|method| method.id).collect::<Vec<_>>()
    };
    assert_eq!(defaults(&world.methods(&first).await), first.payment_methods);
    world.billfold.set_default(&world.tenant, second.payment_methods[0]).await.unwrap();
    assert_eq!(defaults(&world.methods(&first).await), second.payment_methods);

    let mut wanted = request("c-1");
    wanted.make_default = true;
    let third = world.save_with(wanted, Instrument::card("tok-3", "fp-3")).await;
    assert_eq!(defaults(&world.methods(&first).await), third.payment_methods);
    let told = ["payment_method.saved", "payment_method.default_changed", "session.completed"];
    let names = world.event_names().await;
    let of_third = names.iter().rev().take(3).map(String::as_str).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(of_third, told.into(), "the other one is told to be it no more by who is");
}

#[tokio::test]
async fn a_usable_method_saved_again_does_not_become_pending() {
    let world = World::new();
    let first = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    for status in [ProviderMethodStatus::Pending, ProviderMethodStatus::Unknown] {
        let again = Instrument { status, ..Instrument::card("tok-1", "fp-1") };
        let again = world.save("c-1", again).await;
        assert_eq!(again.payment_methods, first.payment_methods);
        assert_eq!(world.methods(&first).await[0].status, PaymentMethodStatus::Active, "{status:?}");
    }
    // Another token is another matter: it may not work yet.
    let pending = Instrument { status: ProviderMethodStatus::Pending, ..Instrument::card("tok-2", "fp-1") };
    let again = world.save("c-1", pending).await;
    assert_eq!(again.payment_methods, first.payment_methods);
    assert_eq!(world.methods(&first).await[0].status, PaymentMethodStatus::Pending);
}

#[tokio::test]
async fn deleting_reaches_the_gateway_even_if_it_is_down_at_first() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let id = session.payment_methods[0];
    let token = world.store.method(&world.tenant, id).await.unwrap().unwrap().token.unwrap();
    world.gateway.order("delete_method", Trouble::LostBefore);
    let deleted = world.billfold.delete_method(&world.tenant, id).await.unwrap();
    assert_eq!(deleted.status, PaymentMethodStatus::Deleted);
    assert!(world.methods(&session).await.is_empty());
    world.work().await;
    assert_eq!(
        world.gateway.token_status("tok-1"),
        Some(ProviderMethodStatus::Active),
        "the first try was lost"
    );
    assert!(world.store.vault_record(&world.tenant, token).await.unwrap().is_some());
    world.clock.advance(Duration::from_mins(1));
    world.work().await;
    assert_eq!(world.gateway.token_status("tok-1"), Some(ProviderMethodStatus::Revoked));
    assert!(
        world.store.vault_record(&world.tenant, token).await.unwrap().is_none(),
        "the sealed token is destroyed"
    );

    let again = world.billfold.delete_method(&world.tenant, id).await.unwrap();
    assert_eq!(again.status, PaymentMethodStatus::Deleted);
    world.work().await;
    let deletions = world.gateway.calls().iter().filter(|call| *call == "delete_method").count();
    assert_eq!(deletions, 2, "deleting twice asks the gateway no more");
    assert_eq!(world.billfold.get_method(&world.tenant, id).await.unwrap_err().kind(), ErrorKind::NotFound);
    let refused = world.billfold.set_default(&world.tenant, id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn late_webhooks_do_not_bring_a_deleted_method_back() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.billfold.delete_method(&world.tenant, session.payment_methods[0]).await.unwrap();
    world.work().await;
    let body = serde_json::json!({"event": "token.activated", "token": "tok-1", "reference": session.id});
    world.deliver(body).await.unwrap();
    world.work().await;
    assert!(world.methods(&session).await.is_empty());
}

/// Deleted, and saved again before the gateway heard of the deletion, with the same token: the
/// deletion that is still under way must not kill the method that the customer just saved.
#[tokio::test]
async fn a_token_saved_anew_survives_its_old_deletion() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.gateway.order("delete_method", Trouble::LostBefore);
    world.billfold.delete_method(&world.tenant, session.payment_methods[0]).await.unwrap();
    world.work().await;
    let again = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.clock.advance(Duration::from_mins(10));
    world.work().await;
    assert_eq!(world.gateway.token_status("tok-1"), Some(ProviderMethodStatus::Active));
    assert_eq!(world.methods(&again).await[0].status, PaymentMethodStatus::Active);
}

#[tokio::test]
async fn the_gateway_may_take_a_method_back() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.gateway.set_token("tok-1", ProviderMethodStatus::Expired);
    world.deliver(serde_json::json!({"event": "token.expired", "token": "tok-1"})).await.unwrap();
    world.work().await;
    let method = &world.methods(&session).await[0];
    assert_eq!(method.status, PaymentMethodStatus::Expired);
    let refused = world.billfold.set_default(&world.tenant, method.id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "an expired method cannot be chosen");
    assert!(world.event_names().await.contains(&"payment_method.expired".to_owned()));
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What the merchant was told of a method since the event `after`, and the last event's number.
async fn told(world: &World, id: PaymentMethodId, after: &mut i64) -> Vec<String> {
    let events = world.billfold.list_events(&world.tenant, *after, 100).await.unwrap();
    *after = events.last().map_or(*after, |event| event.sequence);
    let about = events.into_iter().filter(|event| event.data["id"] == id.to_string());
    about.map(|event| event.name).collect()
}

/// The gateway goes on calling the card active, and need not even answer.
#[tokio::test]
async fn a_card_that_ends_is_announced_and_then_expires_by_the_clock() {
    let world = World::new();
    world.clock.set(at("2026-06-15T00:00:00Z"));
    let card = Instrument { expiry: Some((8, 2026)), ..Instrument::card("tok-1", "fp-1") };
    let session = world.save("c-1", card).await;
    let (id, mut after) = (session.payment_methods[0], 0);
    assert_eq!(told(&world, id, &mut after).await, ["payment_method.saved"]);

    for (now, outage, events, expiring) in [
        ("2026-08-02T11:59:59Z", false, vec![], false),
        ("2026-08-02T12:00:00Z", true, vec!["payment_method.expiring"], true),
        ("2026-08-20T00:00:00Z", false, vec![], true),
    ] {
        world.clock.set(at(now));
        if outage {
            world.gateway.order("fetch_method", Trouble::LostBefore);
        }
        world.sweep().await;
        let view = world.billfold.get_method(&world.tenant, id).await.unwrap();
        assert_eq!(
            (view.status, view.expiring_since.is_some()),
            (PaymentMethodStatus::Active, expiring),
            "{now}"
        );
        assert_eq!(told(&world, id, &mut after).await, events, "{now}");
    }
    world.clock.set(at("2026-09-01T12:00:00Z"));
    world.gateway.order("fetch_method", Trouble::LostBefore);
    world.sweep().await;
    let view = world.billfold.get_method(&world.tenant, id).await.unwrap();
    assert_eq!((view.status, view.expiring_since), (PaymentMethodStatus::Expired, None));
    assert_eq!(told(&world, id, &mut after).await, ["payment_method.expired"]);
    // The gateway's next word about it does not bring it back; a renewed card does.
    let news = serde_json::json!({"event": "token.activated", "token": "tok-1"});
    world.deliver(news.clone()).await.unwrap();
    world.work().await;
    assert!(told(&world, id, &mut after).await.is_empty());
    world.gateway.renew("tok-1", 8, 2030);
    let renewed = serde_json::json!({"event": "token.renewed", "token": "tok-1"});
    world.deliver(renewed).await.unwrap();
    world.work().await;
    let view = world.billfold.get_method(&world.tenant, id).await.unwrap();
    assert_eq!((view.status, view.display.expiry_year), (PaymentMethodStatus::Active, Some(2030)));
    assert_eq!(told(&world, id, &mut after).await, ["payment_method.updated"]);
}

#[tokio::test]
async fn a_card_that_is_renewed_in_time_does_not_expire() {
    let world = World::new();
    world.clock.set(at("2026-08-10T00:00:00Z"));
    let card = Instrument { expiry: Some((8, 2026)), ..Instrument::card("tok-1", "fp-1") };
    let session = world.save("c-1", card).await;
    let (id, mut after) = (session.payment_methods[0], 0);
    let first = told(&world, id, &mut after).await;
    assert_eq!(first, ["payment_method.saved", "payment_method.expiring"]);
    world.gateway.renew("tok-1", 8, 2029);
    world.clock.set(at("2026-09-02T00:00:00Z"));
    world.sweep().await;
    let view = world.billfold.get_method(&world.tenant, id).await.unwrap();
    assert_eq!((view.status, view.expiring_since), (PaymentMethodStatus::Active, None));
    assert_eq!(told(&world, id, &mut after).await, ["payment_method.updated"]);
}

/// Nobody tells, so Billfold asks now and then.
#[tokio::test]
async fn a_method_that_was_taken_back_without_a_word_is_found_out() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let (id, mut after) = (session.payment_methods[0], 0);
    told(&world, id, &mut after).await;
    world.gateway.set_token("tok-1", ProviderMethodStatus::Revoked);
    world.clock.advance(Duration::from_hours(7 * 24 - 1));
    world.sweep().await;
    assert!(told(&world, id, &mut after).await.is_empty());
    world.clock.advance(Duration::from_hours(2));
    world.sweep().await;
    assert_eq!(told(&world, id, &mut after).await, ["payment_method.revoked"]);
}

#[tokio::test]
async fn an_activation_that_fails_needs_attention() {
    let world = World::new();
    let pending = Instrument { status: ProviderMethodStatus::Pending, ..Instrument::card("tok-1", "fp-1") };
    let session = world.save("c-1", pending).await;
    let (id, mut after) = (session.payment_methods[0], 0);
    told(&world, id, &mut after).await;
    world.gateway.set_token("tok-1", ProviderMethodStatus::Failed);
    world.clock.advance(Duration::from_hours(1));
    world.sweep().await;
    assert_eq!(told(&world, id, &mut after).await, ["payment_method.needs_attention"]);
}
