//! Tokens that the gateway replaces by others: the method is the same, and so is its id.

use std::time::Duration;

use billfold_core::id::PaymentMethodId;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::ProviderMethodStatus;
use billfold_core::store::{DeliveryState, Page, Store};
use billfold_core::view::{PaymentMethodView, SessionView};
use billfold_testkit::reference::Instrument;
use serde_json::json;

use crate::support::World;

const WEEK: Duration = Duration::from_hours(7 * 24);

fn pending(token: &str, fingerprint: &str) -> Instrument {
    Instrument { status: ProviderMethodStatus::Pending, ..Instrument::card(token, fingerprint) }
}

async fn tell(world: &World, event: &str, token: &str) {
    world.deliver(json!({"event": event, "token": token})).await.unwrap();
    world.work().await;
}

async fn only(world: &World, session: &SessionView) -> PaymentMethodView {
    let mut methods = world.methods(session).await;
    assert_eq!(methods.len(), 1, "one method");
    methods.remove(0)
}

/// What the merchant was told of a method.
async fn told(world: &World, id: PaymentMethodId) -> Vec<String> {
    let events = world.billfold.list_events(&world.tenant, 0, 100).await.unwrap();
    let about = events.into_iter().filter(|event| event.data["id"] == id.to_string());
    about.map(|event| event.name).collect()
}

#[tokio::test]
async fn a_replaced_token_is_the_same_method() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let id = session.payment_methods[0];
    let old = world.store.method(&world.tenant, id).await.unwrap().unwrap();
    world.gateway.replace("tok-1", Instrument::card("tok-2", "fp-2"));
    tell(&world, "token.replaced", "tok-1").await;
    let method = only(&world, &session).await;
    assert_eq!((method.id, method.status, method.is_default), (id, PaymentMethodStatus::Active, true));
    assert_eq!(told(&world, id).await, ["payment_method.saved", "payment_method.updated"]);
    let new = world.store.method(&world.tenant, id).await.unwrap().unwrap();
    assert_ne!(new.token, old.token);
    let sealed = world.store.vault_record(&world.tenant, old.token.unwrap()).await.unwrap();
    assert!(sealed.is_none(), "the sealed copy of the old token is destroyed");
    assert!(
        !world.gateway.calls().contains(&"delete_method".to_owned()),
        "nothing is deleted at the gateway"
    );

    // News about the new token reach the method; once more about the old one changes nothing.
    world.gateway.set_token("tok-2", ProviderMethodStatus::Expired);
    tell(&world, "token.expired", "tok-2").await;
    assert_eq!(only(&world, &session).await.status, PaymentMethodStatus::Expired);
    let again = json!({"event": "token.revoked", "token": "tok-1", "reference": session.id});
    world.deliver(again).await.unwrap();
    world.work().await;
    let states = world.billfold.list_deliveries(&world.tenant, None, Page::first(10)).await.unwrap();
    assert!(states.iter().all(|delivery| delivery.state == DeliveryState::Done), "{states:?}");

    // What is deleted is the new one.
    world.billfold.delete_method(&world.tenant, id).await.unwrap();
    world.work().await;
    assert_eq!(world.gateway.token_status("tok-2"), Some(ProviderMethodStatus::Revoked));
}

/// The news of the new token may come before those of its replacing the old one.
#[tokio::test]
async fn news_of_a_new_token_wait_for_the_old_one() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.gateway.replace("tok-1", Instrument::card("tok-2", "fp-2"));
    tell(&world, "token.created", "tok-2").await;
    assert_eq!(
        world
            .store
            .deliveries(&world.tenant, Some(DeliveryState::Parked), Page::first(9))
            .await
            .unwrap()
            .len(),
        1
    );
    tell(&world, "token.replaced", "tok-1").await;
    world.clock.advance(Duration::from_mins(1));
    world.work().await;
    assert_eq!(
        world
            .store
            .deliveries(&world.tenant, Some(DeliveryState::Parked), Page::first(9))
            .await
            .unwrap()
            .len(),
        0
    );
    assert_eq!(only(&world, &session).await.status, PaymentMethodStatus::Active);
}

/// Nobody told; the gateway is asked now and then, and says so itself. A chain is followed link by link or at once.
#[tokio::test]
async fn a_replacement_without_a_word_is_found_out() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    for (old, new) in [("tok-1", "tok-2"), ("tok-2", "tok-3")] {
        world.gateway.replace(old, Instrument::card(new, "fp-1"));
        world.clock.advance(WEEK + Duration::from_hours(1));
        world.sweep().await;
        assert_eq!(only(&world, &session).await.status, PaymentMethodStatus::Active);
    }
    world.billfold.delete_method(&world.tenant, session.payment_methods[0]).await.unwrap();
    world.work().await;
    assert_eq!(world.gateway.token_status("tok-3"), Some(ProviderMethodStatus::Revoked));
}

/// A new token that is not usable yet makes its method pending, however old that is, and it is asked about.
#[tokio::test]
async fn a_new_token_may_be_pending() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let id = session.payment_methods[0];
    world.clock.advance(60 * 24 * Duration::from_hours(1));
    world.gateway.replace("tok-1", pending("tok-2", "fp-1"));
    tell(&world, "token.replaced", "tok-1").await;
    assert_eq!(only(&world, &session).await.status, PaymentMethodStatus::Pending);
    world.gateway.set_token("tok-2", ProviderMethodStatus::Active);
    world.clock.advance(Duration::from_hours(1));
    world.sweep().await;
    assert_eq!(only(&world, &session).await.status, PaymentMethodStatus::Active);
    let names = ["payment_method.saved", "payment_method.updated", "payment_method.updated"];
    assert_eq!(told(&world, id).await, names);
}

/// An account that is saved again after a long time, and is not usable yet, is asked about as a new one is.
#[tokio::test]
async fn an_old_method_that_is_saved_again_is_asked_about_while_it_is_pending() {
    let world = World::new();
    world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.clock.advance(60 * 24 * Duration::from_hours(1));
    let session = world.save("c-1", pending("tok-2", "fp-1")).await;
    assert_eq!(only(&world, &session).await.status, PaymentMethodStatus::Pending);
    world.gateway.set_token("tok-2", ProviderMethodStatus::Active);
    world.clock.advance(Duration::from_hours(1));
    world.sweep().await;
    assert_eq!(only(&world, &session).await.status, PaymentMethodStatus::Active);
}

/// The customer moved to another bank: saving the new account finds the method, and the old one's account is free.
#[tokio::test]
async fn a_method_is_found_by_the_account_that_it_moved_to() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.gateway.replace("tok-1", Instrument::card("tok-2", "fp-2"));
    tell(&world, "token.replaced", "tok-1").await;
    let again = world.save("c-1", Instrument::card("tok-3", "fp-2")).await;
    assert_eq!(again.payment_methods, session.payment_methods);
    assert_eq!(world.gateway.token_status("tok-2"), Some(ProviderMethodStatus::Revoked), "superseded");
    let old = world.save("c-1", Instrument::card("tok-4", "fp-1")).await;
    assert_ne!(old.payment_methods, session.payment_methods);
    assert_eq!(world.gateway.token_status("tok-3"), Some(ProviderMethodStatus::Active), "nobody touched it");
}

/// The account that it moved to was saved before: both stay, and the one that was saved is the one that is found.
#[tokio::test]
async fn an_account_that_is_a_method_already_stays_that_one() {
    let world = World::new();
    let first = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let second = world.save("c-1", Instrument::card("tok-2", "fp-2")).await;
    world.gateway.replace("tok-1", Instrument::card("tok-3", "fp-2"));
    tell(&world, "token.replaced", "tok-1").await;
    assert_eq!(world.methods(&first).await.len(), 2);
    let again = world.save("c-1", Instrument::card("tok-4", "fp-2")).await;
    assert_eq!(again.payment_methods, second.payment_methods);
}

#[tokio::test]
async fn a_token_is_one_method_s_whatever_it_replaces() {
    let world = World::new();
    let first = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    let second = world.save("c-1", Instrument::card("tok-2", "fp-2")).await;
    // Of the same customer: the one that lost its token is over.
    world.gateway.replace("tok-1", Instrument::card("tok-2", "fp-2"));
    tell(&world, "token.replaced", "tok-1").await;
    for (session, status) in [(&first, PaymentMethodStatus::Revoked), (&second, PaymentMethodStatus::Active)]
    {
        let id = session.payment_methods[0];
        assert_eq!(world.billfold.get_method(&world.tenant, id).await.unwrap().status, status);
    }
    // Deleting it leaves the other alone.
    world.billfold.delete_method(&world.tenant, first.payment_methods[0]).await.unwrap();
    world.work().await;
    assert!(!world.gateway.calls().contains(&"delete_method".to_owned()));
    assert_eq!(world.gateway.token_status("tok-2"), Some(ProviderMethodStatus::Active));
    // Of another customer: nothing is believed.
    let theirs = world.save("c-2", Instrument::card("tok-3", "fp-3")).await;
    world.gateway.replace("tok-3", Instrument::card("tok-2", "fp-2"));
    tell(&world, "token.replaced", "tok-3").await;
    assert_eq!(only(&world, &theirs).await.status, PaymentMethodStatus::Active);
    let parked =
        world.store.deliveries(&world.tenant, Some(DeliveryState::Parked), Page::first(9)).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].note.as_deref(), Some("the gateway's answer does not match what was asked"));
}

/// Without a word that it replaces ours, another token is a mistake, and none of it is believed.
#[tokio::test]
async fn an_answer_about_another_token_is_not_believed() {
    let world = World::new();
    let session = world.save("c-1", Instrument::card("tok-1", "fp-1")).await;
    world.gateway.answer_about(
        "tok-1",
        Instrument { status: ProviderMethodStatus::Revoked, ..Instrument::card("tok-2", "fp-2") },
    );
    tell(&world, "token.revoked", "tok-1").await;
    let method = only(&world, &session).await;
    assert_eq!(method.status, PaymentMethodStatus::Active);
    let stored = world.store.method(&world.tenant, method.id).await.unwrap().unwrap();
    assert_eq!(stored.version, 1);
    let refused = world
        .billfold
        .list_deliveries(&world.tenant, Some(DeliveryState::Parked), Page::first(9))
        .await
        .unwrap();
    assert_eq!(refused.len(), 1, "it is looked at again");
}
