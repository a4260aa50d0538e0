//! Saved methods: deleted here, taken back there.

use std::time::Duration;

use billfold_core::id::PaymentMethodId;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{Deletion, ProviderMethodStatus, TokenRef};
use billfold_core::secret::ExposeSecret;
use billfold_core::session::SessionStatus;
use billfold_core::view::PaymentMethodView;

use super::Trial;
use super::driver::{Ability, Card};
use super::wire::Fault;
use super::world::{Started, World};

pub(super) fn trials() -> Vec<Trial> {
    let no_deletion = |world: &World| {
        (!world.provider.capabilities().remote_deletion).then_some("tokens cannot be deleted at this gateway")
    };
    vec![
        Trial::new("a saved token can be asked about", |world| Box::pin(fetched(world))),
        Trial::new("deleting twice is no error", |world| Box::pin(deleted_twice(world))).unless(no_deletion),
        Trial::new("an unknown token is gone", |world| Box::pin(unknown(world))).unless(no_deletion),
        Trial::new("a deletion is tried until it is done", |world| Box::pin(until_done(world)))
            .unless(no_deletion),
        Trial::new("what the bank takes back is revoked here", |world| Box::pin(revoked(world)))
            .unless(|world| world.driver.lacks(Ability::Revoke)),
        Trial::new("what is usable later is pending until then", |world| Box::pin(pending(world)))
            .unless(|world| world.driver.lacks(Ability::Pending)),
        Trial::new("a replaced token is the same method", |world| Box::pin(replaced(world)))
            .unless(|world| world.driver.lacks(Ability::Replace)),
        Trial::new("a deletion reaches the token in its place", |world| Box::pin(deleted_replaced(world)))
            .unless(|world| world.driver.lacks(Ability::Replace)),
    ]
}

async fn fetched(world: World) {
    let (session, token) = world.save("c-1", Card::One).await;
    let saved = world.token(&session, &token).await;
    let method = world.provider.fetch_method(&world.context("fetch"), saved).await;
    let method = method.expect("a saved token");
    assert_eq!(method.token.token.expose_secret(), token, "another token is answered");
    assert_eq!(method.status, ProviderMethodStatus::Active);
    let known = &world.methods(&session).await[0];
    assert_eq!(method.display, known.display, "it looks different from what was saved");
    assert_eq!((method.kind, &method.channel), (known.kind, &known.channel));
}

async fn deleted_twice(world: World) {
    let (session, token) = world.save("c-1", Card::One).await;
    let saved = world.token(&session, &token).await;
    let methods = world.methods(&session).await;
    world.billfold.delete_method(&world.tenant, methods[0].id).await.expect("deleted");
    assert!(world.driver.is_usable(&token).await, "not yet: the gateway is asked by a worker");
    world.work().await;
    assert!(!world.driver.is_usable(&token).await, "the gateway still has the token");
    let again = world.provider.delete_method(&world.context("again"), saved).await;
    assert_eq!(again.expect("no error"), Deletion::AlreadyGone, "deleted a second time");
}

async fn unknown(world: World) {
    let (session, token) = world.save("c-1", Card::One).await;
    // The same form, and nobody's: digits and letters turned round.
    let turned = token.chars().map(|c| match c {
        '0'..='8' | 'a'..='e' => char::from_u32(u32::from(c) + 1).unwrap_or(c),
        _ => c,
    });
    let mut nobodys = world.token(&session, &token).await;
    nobodys.token = turned.collect::<String>().into();
    let outcome = world.provider.delete_method(&world.context("delete"), nobodys).await;
    assert_eq!(outcome.expect("no error"), Deletion::AlreadyGone, "a token that nobody has");
    assert!(world.driver.is_usable(&token).await, "another token was deleted");
}

async fn until_done(world: World) {
    let (session, token) = world.save("c-1", Card::One).await;
    let methods = world.methods(&session).await;
    world.billfold.delete_method(&world.tenant, methods[0].id).await.expect("deleted");
    for fault in [
        Fault::NotSent,
        Fault::LostBefore,
        Fault::Status(500),
        Fault::Status(429),
        Fault::Status(401),
        Fault::Page(404),
        Fault::Page(200),
        Fault::Redirect,
    ] {
        world.wire.order(&[fault]);
        world.removals().await;
        assert!(world.driver.is_usable(&token).await, "{fault:?} did delete it");
        world.clock.advance(Duration::from_hours(6));
    }
    world.wire.order(&[]);
    assert_eq!(world.removals().await, 1, "a deletion that did not happen counts as done");
    assert!(!world.driver.is_usable(&token).await, "the gateway still has the token");
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(world.removals().await, 0, "it is done once");
}

async fn revoked(world: World) {
    let (session, token) = world.save("c-1", Card::One).await;
    assert!(world.driver.revoke(&token).await, "the bank takes it back");
    world.deliver_all().await;
    let ended = [PaymentMethodStatus::Revoked, PaymentMethodStatus::Expired];
    let status = world.methods(&session).await[0].status;
    assert!(ended.contains(&status), "a token that was taken back is {status:?}");
}

async fn pending(world: World) {
    let session = world.start("c-1").await;
    let token = world.driver.complete_pending(&session.theirs, Card::One).await.expect("an open session");
    world.deliver_all().await;
    assert_eq!(world.status(&session).await, SessionStatus::Completed, "what the customer saved is saved");
    let saved = only(&world, &session).await;
    assert_eq!(saved.status, PaymentMethodStatus::Pending, "it is not usable yet");
    assert!(world.driver.activate(&token).await, "the bank lets it be used");
    world.deliver_all().await;
    let method = only(&world, &session).await;
    assert_eq!((method.id, method.status), (saved.id, PaymentMethodStatus::Active), "usable by the same id");
    assert_eq!(told(&world, saved.id).await, ["payment_method.saved", "payment_method.updated"]);
}

async fn replaced(world: World) {
    let (session, old) = world.save("c-1", Card::One).await;
    let saved = only(&world, &session).await;
    let new = world.driver.replace(&old).await.expect("the bank replaces it");
    assert_ne!(old, new, "the driver's replacement is another token");
    world.deliver_all().await;
    let method = only(&world, &session).await;
    assert_eq!(
        (method.id, method.status),
        (saved.id, PaymentMethodStatus::Active),
        "the same method goes on"
    );
    assert_ne!(method.display, saved.display, "it looks like the account before");
    assert_eq!(told(&world, saved.id).await, ["payment_method.saved", "payment_method.updated"]);
    // The method is the new token's: what becomes of that, becomes of it.
    let fetched = world.provider.fetch_method(&world.context("fetch"), TokenRef::new(new.clone())).await;
    let fetched = fetched.expect("the new token");
    assert!(
        fetched.replaces.is_none() && fetched.token.token.expose_secret() == new,
        "asked about the new one"
    );
    world.billfold.delete_method(&world.tenant, saved.id).await.expect("deleted");
    world.work().await;
    assert!(!world.driver.is_usable(&new).await, "the gateway still has the new token");
}

/// Deleted here before anybody told that the token had been replaced.
async fn deleted_replaced(world: World) {
    let (session, old) = world.save("c-1", Card::One).await;
    let new = world.driver.replace(&old).await.expect("the bank replaces it");
    let saved = only(&world, &session).await;
    world.billfold.delete_method(&world.tenant, saved.id).await.expect("deleted");
    world.work().await;
    assert!(!world.driver.is_usable(&new).await, "the token in its place can still be charged");
    let again = world.provider.delete_method(&world.context("again"), TokenRef::new(old)).await;
    assert_eq!(again.expect("no error"), Deletion::AlreadyGone, "deleted a second time");
    world.deliver_all().await;
    assert_eq!(world.methods(&session).await.len(), 0, "a deleted method is back");
}

async fn only(world: &World, session: &Started) -> PaymentMethodView {
    let mut methods = world.methods(session).await;
    assert_eq!(methods.len(), 1, "one method");
    methods.remove(0)
}

/// What the merchant was told of a method, in order.
async fn told(world: &World, method: PaymentMethodId) -> Vec<String> {
    let events = world.billfold.list_events(&world.tenant, 0, 100).await.expect("events");
    let about = events.into_iter().filter(|event| event.data["id"] == method.to_string());
    about.map(|event| event.name).collect()
}
