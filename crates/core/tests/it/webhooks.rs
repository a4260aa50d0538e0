//! Webhooks: refused, stored, repeated, parked, given up; and never believed.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::ProviderMethodStatus;
use billfold_core::session::SessionStatus;
use billfold_core::store::{DeliveryState, Page};
use billfold_testkit::reference::{Instrument, Trouble};
use futures::future::join_all;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{SECRET, World};

async fn states(world: &World) -> Vec<DeliveryState> {
    let page = Page::first(100);
    let deliveries = world.billfold.list_deliveries(&world.tenant, None, page).await.unwrap();
    deliveries.into_iter().map(|delivery| delivery.state).collect()
}

#[tokio::test]
async fn without_the_one_right_secret_nothing_is_stored() {
    let world = World::new();
    let body = json!({"event": "session.completed", "session": "ref-0001"}).to_string().into_bytes();
    let wrong: [&[&str]; 6] =
        [&[], &[""], &["wrong"], &[SECRET, SECRET], &[SECRET, "wrong"], &["canary-webhook-secret"]];
    for secrets in wrong {
        let error = world.deliver_raw(body.clone(), secrets).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{secrets:?}");
    }
    assert!(states(&world).await.is_empty());
}

#[tokio::test]
async fn an_unreadable_body_is_kept_as_evidence() {
    let world = World::new();
    let error = world.deliver_raw(b"{not json".to_vec(), &[SECRET]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(states(&world).await, [DeliveryState::Unreadable]);
    world.work().await;
    assert_eq!(states(&world).await, [DeliveryState::Unreadable]);
}

#[tokio::test]
async fn a_forged_webhook_with_the_right_secret_changes_nothing() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.completed("ref-0001").await;
    let body = json!({"event": "token.activated", "token": "tok-stolen", "reference": session.id});
    world.deliver(body).await.unwrap();
    world.work().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Active);
    assert!(world.methods(&session).await.is_empty());
}

#[tokio::test]
async fn a_repeated_webhook_is_counted_and_has_no_second_effect() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    for _ in 0..5 {
        world.completed("ref-0001").await;
        world.work().await;
    }
    let deliveries = world.billfold.list_deliveries(&world.tenant, None, Page::first(10)).await.unwrap();
    assert_eq!(deliveries.len(), 1);
    assert_eq!((deliveries[0].received_count, deliveries[0].attempts), (5, 1));
    assert_eq!(world.methods(&session).await.len(), 1);
    assert_eq!(world.event_names().await.len(), 2);
}

#[tokio::test]
async fn the_same_event_id_with_another_content_is_kept_beside_the_first() {
    let world = World::new();
    let session = world.start("c-1").await;
    let other = world.start("c-2").await;
    let told = |reference: &dyn std::fmt::Display| json!({"event": "session.completed", "session": "ref-0001", "reference": reference.to_string()});
    for _ in 0..3 {
        world.deliver(told(&session.id)).await.unwrap();
        world.deliver(told(&other.id)).await.unwrap();
    }
    let deliveries = world.billfold.list_deliveries(&world.tenant, None, Page::first(10)).await.unwrap();
    assert_eq!(deliveries.len(), 2);
    let first = deliveries.iter().find(|delivery| delivery.conflicts_with.is_none()).unwrap();
    let second = deliveries.iter().find(|delivery| delivery.conflicts_with.is_some()).unwrap();
    assert_eq!(second.conflicts_with, Some(first.id));
    assert_eq!((first.received_count, second.received_count), (3, 3));
    // Both are worked on: each is a reason to ask the gateway, and no more.
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.work().await;
    assert_eq!(states(&world).await, [DeliveryState::Done, DeliveryState::Done]);
    assert_eq!(world.methods(&session).await.len(), 1);
    assert!(world.methods(&other).await.is_empty());
}

#[tokio::test]
async fn a_token_that_the_gateway_names_twice_is_one_method() {
    let world = World::new();
    let session = world.start("c-1").await;
    for _ in 0..2 {
        world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    }
    world.completed("ref-0001").await;
    world.work().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
    assert_eq!(world.methods(&session).await.len(), 1);
}

#[tokio::test]
async fn copies_at_the_same_moment_are_all_acknowledged_and_counted() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    join_all((0..64).map(|_| world.completed("ref-0001"))).await;
    world.work().await;
    let deliveries = world.billfold.list_deliveries(&world.tenant, None, Page::first(10)).await.unwrap();
    assert_eq!(deliveries.iter().map(|delivery| delivery.received_count).collect::<Vec<_>>(), [64]);
    assert_eq!(world.methods(&session).await.len(), 1);
}

#[tokio::test]
async fn what_matches_nothing_is_parked_then_dead_and_stays_visible() {
    let world = World::new();
    world.completed("ref-of-nobody").await;
    world.work().await;
    assert_eq!(states(&world).await, [DeliveryState::Parked]);
    for _ in 0..8 {
        world.clock.advance(Duration::from_hours(25));
        world.work().await;
    }
    assert_eq!(states(&world).await, [DeliveryState::Dead]);
    // Sent again by hand, it is tried again.
    world.completed("ref-of-nobody").await;
    assert_eq!(states(&world).await, [DeliveryState::Received]);
}

#[tokio::test]
async fn a_webhook_of_no_concern_is_stored_and_ignored() {
    let world = World::new();
    world.deliver(json!({"event": "settlement.paid"})).await.unwrap();
    world.work().await;
    assert_eq!(states(&world).await, [DeliveryState::Ignored]);
}

#[tokio::test]
async fn a_token_event_that_comes_first_settles_its_session() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    let body = json!({"event": "token.activated", "token": "tok-1", "reference": session.id});
    world.deliver(body).await.unwrap();
    world.work().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
    assert_eq!(world.methods(&session).await[0].status, PaymentMethodStatus::Active);
}

#[tokio::test]
async fn a_gateway_that_is_down_or_a_provider_that_panics_only_delays() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    for trouble in [Trouble::LostBefore, Trouble::Panic, Trouble::Refuse] {
        world.gateway.order("fetch_session", trouble);
    }
    world.completed("ref-0001").await;
    for _ in 0..4 {
        world.work().await;
        world.clock.advance(Duration::from_mins(5));
    }
    assert_eq!(states(&world).await, [DeliveryState::Done]);
    assert_eq!(world.methods(&session).await.len(), 1);
}

/// Some gateways tell of everything that happened to an object in one delivery.
#[tokio::test]
async fn of_each_object_in_a_delivery_its_gateway_is_asked_once() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let other = world.save("c-2", Instrument::card("tok-2", "fp-2")).await;
    let before = world.gateway.calls().len();
    for token in ["tok-1", "tok-2"] {
        world.gateway.set_token(token, ProviderMethodStatus::Expired);
    }
    let event = |name: &str, token: &str| json!({"event": name, "token": token});
    let events = [
        event("token.created", "tok-1"),
        event("token.expired", "tok-2"),
        event("token.expired", "tok-1"),
        json!({"event": "account.painted"}),
        event("token.created", "tok-1"),
    ];
    world.deliver(json!({"events": events})).await.unwrap();
    world.work().await;
    assert_eq!(world.gateway.calls()[before..], ["fetch_method", "fetch_method"]);
    for session in [&session, &other] {
        assert_eq!(world.methods(session).await[0].status, PaymentMethodStatus::Expired);
    }
    world.deliver(json!({"events": []})).await.unwrap();
    world.work().await;
    let mut states = states(&world).await;
    states.sort_by_key(|state| state.as_str());
    assert_eq!(states[..3], [DeliveryState::Done; 3]);
    assert_eq!(states[3], DeliveryState::Ignored, "an empty delivery");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a webhook with the right secret says, only the gateway's own state counts.
    #[test]
    fn no_body_brings_a_session_where_its_gateway_is_not(
        event in "[a-z.]{0,20}",
        session in prop_oneof![Just("ref-0001".to_owned()), Just("ref-0002".to_owned()), "[ -~]{0,12}"],
        token in proptest::option::of("[ -~]{0,12}"),
        own_reference in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let open = world.start("c-1").await;
            let body = json!({
                "event": event, "session": session, "token": token,
                "reference": own_reference.then(|| open.id.to_string()),
            });
            world.deliver(body).await.unwrap();
            world.work().await;
            assert_eq!(world.session(open.id).await.status, SessionStatus::Active);
            assert!(world.methods(&open).await.is_empty());
        });
    }
}
