//! A method is saved, by whichever way the news comes, and once only.

use std::collections::BTreeSet;
use std::time::Duration;

use billfold_core::error::Retry;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{CustomerProfile, EnsureCustomer};
use billfold_core::secret::ExposeSecret;
use billfold_core::session::{SessionStatus, Via};
use billfold_core::store::Page;
use billfold_core::view::Next;

use super::Trial;
use super::driver::{Ability, Card};
use super::wire::Fault;
use super::world::{Started, World, at_once};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("the customer is told where to go", |world| Box::pin(next(world))),
        Trial::new("a webhook saves the method", |world| Box::pin(by_webhook(world))),
        Trial::new("a return saves the method", |world| Box::pin(by_return(world)))
            .unless(|world| world.driver.lacks(Ability::Return)),
        Trial::new("a poll after a restart saves the method", |world| Box::pin(by_poll(world))),
        Trial::new("any one webhook of a completion is enough", |world| Box::pin(any_webhook(world))),
        Trial::new("a webhook before the answer is not lost", |world| Box::pin(early(world))),
        Trial::new("a completion after the end is real", |world| Box::pin(late(world))),
        Trial::new("repeated webhooks are one", |world| Box::pin(repeated(world))),
        Trial::new("webhooks may come in any order", |world| Box::pin(reordered(world))),
        Trial::new("completions at the same time are kept apart", |world| Box::pin(together(world))),
        Trial::new("a card saved twice is one method", |world| Box::pin(twice(world))),
        Trial::new("a customer is made once", |world| Box::pin(customers(world))).unless(|world| {
            world.provider.customers().is_none().then_some("this gateway keeps no customers")
        }),
    ]
}

async fn saved_one(world: &World, session: &Started, via: Via) {
    let view = world.view(session).await;
    assert_eq!((view.status, view.settled_via), (SessionStatus::Completed, Some(via)));
    assert!(view.next.is_none(), "there is nothing left to do");
    let methods = world.methods(session).await;
    assert_eq!(methods.len(), 1, "one method is saved");
    assert_eq!(methods[0].status, PaymentMethodStatus::Active);
    assert!(methods[0].display.brand.is_some() && methods[0].display.last4.is_some(), "nobody recognises it");
}

async fn next(world: World) {
    let session = world.start("c-1").await;
    match session.view.next.expect("something to do") {
        Next::Redirect { url } => {
            let url: url::Url = url.expose_secret().parse().expect("a URL");
            let local = url.host_str().is_some_and(billfold_core::transport::is_loopback);
            assert!(url.scheme() == "https" || local, "the customer is sent to {}", url.scheme());
        }
        Next::ClientSecret { secret } => assert!(!secret.expose_secret().is_empty(), "an empty secret"),
    }
}

async fn by_webhook(world: World) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    assert_eq!(world.status(&session).await, SessionStatus::Active, "nobody told yet");
    world.deliver_all().await;
    saved_one(&world, &session, Via::Webhook).await;
}

async fn by_return(world: World) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    let address = world.come_back(&session, true, "").await.expect("the customer is let in");
    assert!(address.query().unwrap_or_default().contains("status=completed"), "sent to {address}");
    saved_one(&world, &session, Via::Return).await;
    world.deliver_all().await;
    saved_one(&world, &session, Via::Return).await;
}

async fn by_poll(world: World) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    let world = world.restarted(None);
    world.sweep_after(Duration::from_mins(2)).await;
    saved_one(&world, &session, Via::Sweep).await;
}

async fn any_webhook(world: World) {
    let first = world.start("c-0").await;
    world.complete(&first, Card::One).await;
    let count = world.driver.webhooks().await.len();
    for wanted in 0..count {
        let session = world.start(&format!("c-{}", wanted + 1)).await;
        world.complete(&session, Card::One).await;
        let sent = world.driver.webhooks().await;
        world.accept(&sent[wanted]).await;
        world.work().await;
        let status = world.status(&session).await;
        assert_eq!(status, SessionStatus::Completed, "webhook {} of {count} tells nothing", wanted + 1);
    }
}

/// The answer to the creating call is lost; the gateway's webhook carries our reference.
async fn early(world: World) {
    world.start("c-1").await;
    let before: BTreeSet<String> = world.driver.sessions().await.into_iter().collect();
    world.wire.order(&[Fault::LostAfter]);
    let request = world.driver.request("c-1");
    let error = world.billfold.start_session(&world.tenant, request).await.expect_err("a lost answer");
    assert_eq!(error.retry(), Retry::OutcomeUnknown, "a lost answer: {error:?}");
    let id = error.context().iter().find(|(key, _)| *key == "session").expect("the session's id").1.clone();
    let view = world.billfold.get_session(&world.tenant, id.parse().expect("an id")).await.expect("stored");
    assert_eq!(view.status, SessionStatus::Creating, "nobody knows yet");
    let made = world.driver.sessions().await.into_iter().find(|session| !before.contains(session));
    let theirs = made.expect("the gateway acted");
    let session = Started { id: view.id, theirs, view };
    world.complete(&session, Card::One).await;
    world.deliver_all().await;
    saved_one(&world, &session, Via::Webhook).await;
}

/// The session is over here, by the clock, when the customer finishes it at the gateway.
async fn late(world: World) {
    let session = world.start("c-1").await;
    let life = world.provider.capabilities().session_lifetime;
    for _ in 0..8 {
        world.sweep_after(life.max / 4).await;
    }
    assert_eq!(world.status(&session).await, SessionStatus::Expired, "it ends by the clock");
    world.complete(&session, Card::One).await;
    world.deliver_all().await;
    saved_one(&world, &session, Via::Webhook).await;
}

async fn repeated(world: World) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    let sent = world.driver.webhooks().await;
    for webhook in &sent {
        world.accept(webhook).await;
        world.accept(webhook).await;
        world.accept(&world.driver.again(webhook)).await;
    }
    world.work().await;
    let deliveries = world.deliveries().await;
    assert_eq!(deliveries.len(), sent.len(), "attempts at one event have different keys");
    assert!(deliveries.iter().all(|delivery| delivery.received_count == 3), "{deliveries:?}");
    saved_one(&world, &session, Via::Webhook).await;
    let events = world.billfold.list_events(&world.tenant, 0, 100).await.expect("events");
    assert_eq!(events.len(), 2, "the merchant is told of one method and of the session's end");
}

async fn reordered(world: World) {
    let sessions = [world.start("c-1").await, world.start("c-2").await];
    for session in &sessions {
        world.complete(session, Card::One).await;
    }
    let mut sent = world.driver.webhooks().await;
    sent.reverse();
    for webhook in &sent {
        world.accept(webhook).await;
        world.work().await;
    }
    for session in &sessions {
        saved_one(&world, session, Via::Webhook).await;
    }
    let deliveries = world.deliveries().await;
    assert_eq!(deliveries.len(), sent.len(), "different events have one key");
    let apart = deliveries.iter().all(|delivery| delivery.conflicts_with.is_none());
    assert!(apart, "different events have one key: {deliveries:?}");
}

/// Returns, webhooks and sweeps of several customers, all at once.
async fn together(world: World) {
    let mut sessions = Vec::new();
    for number in 0..4 {
        sessions.push(world.start(&format!("c-{number}")).await);
    }
    for session in &sessions {
        world.complete(session, Card::One).await;
    }
    let sent = world.driver.webhooks().await;
    at_once(sent.iter().map(|webhook| world.accept(webhook))).await;
    let come_back = sessions.iter().filter(|_| world.driver.lacks(Ability::Return).is_none());
    let returns = at_once(come_back.map(|session| world.come_back(session, true, "")));
    let workers = at_once((0..4).map(|_| world.billfold.process(3)));
    let (returned, worked) = futures::future::join(returns, workers).await;
    for address in returned {
        let address = address.expect("the customer is let in");
        assert!(address.query().unwrap_or_default().contains("status=completed"), "sent to {address}");
    }
    assert!(worked.iter().all(Result::is_ok), "{worked:?}");
    world.sweep_after(Duration::from_mins(2)).await;
    world.work().await;
    let mut methods = BTreeSet::new();
    for session in &sessions {
        assert_eq!(world.status(session).await, SessionStatus::Completed);
        let saved = world.methods(session).await;
        assert_eq!(saved.len(), 1, "one method for each customer");
        assert_eq!(saved[0].session_id, session.id, "a method of another session");
        methods.insert(saved[0].id);
    }
    assert_eq!(methods.len(), sessions.len());
    let states = world.deliveries().await;
    assert!(states.iter().all(|delivery| delivery.note.is_none()), "webhooks are left over: {states:?}");
}

async fn twice(world: World) {
    let (first, _) = world.save("c-1", Card::One).await;
    let (again, _) = world.save("c-1", Card::One).await;
    assert_eq!(world.methods(&again).await.len(), 1, "one card, one method");
    assert_eq!(world.view(&first).await.payment_methods, world.view(&again).await.payment_methods);
    world.save("c-1", Card::Other).await;
    assert_eq!(world.methods(&first).await.len(), 2, "another card is another method");
    let (stranger, _) = world.save("c-2", Card::One).await;
    assert_eq!(world.methods(&stranger).await.len(), 1, "a card of two customers is two methods");
}

async fn customers(world: World) {
    let directory = world.provider.customers().expect("a directory");
    let profile = CustomerProfile { given_names: Some("Lorem".to_owned()), ..CustomerProfile::default() };
    let ensure = |key: &str| {
        let cx = world.context(key);
        let asked = EnsureCustomer::new("cus_018f0000000070008000000000000002", profile.clone());
        async move { directory.ensure(&cx, asked).await }
    };
    world.wire.order(&[Fault::LostAfter]);
    let lost = ensure("cus_018f0000000070008000000000000002").await.expect_err("a lost answer");
    assert_ne!(lost.retry(), Retry::Never, "a lost answer is not the end: {lost:?}");
    let made = ensure("cus_018f0000000070008000000000000002").await.expect("a customer");
    let found = ensure("cus_018f0000000070008000000000000002").await.expect("the customer again");
    assert_eq!(made, found, "a second customer was made");
    let other = EnsureCustomer::new("cus_018f0000000070008000000000000003", profile.clone());
    let other = directory.ensure(&world.context("cus_018f0000000070008000000000000003"), other).await;
    assert_ne!(other.expect("another customer"), made, "two customers are one");
    world.start("c-1").await;
    world.wire.take_seen();
    let second = world.start("c-1").await;
    assert_eq!(world.wire.take_seen().len(), 1, "a known customer is not looked up again");
    let listed =
        world.billfold.list_sessions(&world.tenant, Some(second.view.customer_id), Page::first(9)).await;
    assert_eq!(listed.expect("sessions").len(), 2);
}
