//! What happens to saved methods: saved again, made default, deleted, taken back.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::capability::Usage;
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
