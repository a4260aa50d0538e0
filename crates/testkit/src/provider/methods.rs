//! Saved methods: deleted here, taken back there.

use std::time::Duration;

use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{Deletion, ProviderMethodStatus};
use billfold_core::secret::ExposeSecret;

use super::Trial;
use super::driver::{Ability, Card};
use super::wire::Fault;
use super::world::World;

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
