//! A request that is tried again goes on with what the first attempt had stored.

use std::time::Duration;

use billfold_core::StartSession;
use billfold_core::idempotency::Intent;
use billfold_core::session::SessionStatus;
use billfold_core::store::Page;
use billfold_testkit::reference::{Instrument, Trouble};

use crate::support::{World, link, request};

fn intended(world: &World, name: &str) -> StartSession {
    StartSession { intent: Some(Intent::new(world.billfold.clock().now(), name)), ..request("c-1") }
}

async fn sessions(world: &World) -> Vec<SessionStatus> {
    let sessions = world.billfold.list_sessions(&world.tenant, None, Page::first(10)).await.unwrap();
    sessions.iter().map(|session| session.status).collect()
}

#[tokio::test]
async fn the_second_attempt_finds_the_session_of_the_first() {
    let world = World::new();
    let request = intended(&world, "order-7");
    let first = world.billfold.start_session(&world.tenant, request.clone()).await.unwrap();
    // Its answer was never kept, and the time since is long.
    world.clock.advance(Duration::from_mins(5));
    let second = world.billfold.start_session(&world.tenant, request.clone()).await.unwrap();
    assert_eq!((second.id, link(&second)), (first.id, link(&first)), "the same session, with its link");
    assert_eq!(world.gateway.sessions().len(), 1, "the gateway was asked once");
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    world.work().await;
    let third = world.billfold.start_session(&world.tenant, request).await.unwrap();
    assert_eq!((third.id, third.status), (first.id, SessionStatus::Completed));
    let other = world.billfold.start_session(&world.tenant, intended(&world, "order-8")).await.unwrap();
    assert_ne!(other.id, first.id, "another intent is another session");
    assert_eq!(sessions(&world).await.len(), 2);
}

/// The first attempt died between the intent and the gateway's answer; nobody was given the link of what it opened.
#[tokio::test]
async fn the_second_attempt_goes_on_where_the_first_died() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter, Trouble::Panic] {
        let world = World::new();
        let request = intended(&world, "order-7");
        world.gateway.order("create_session", trouble);
        world.billfold.start_session(&world.tenant, request.clone()).await.unwrap_err();
        assert_eq!(sessions(&world).await, [SessionStatus::Creating], "{trouble:?}");
        let session = world.billfold.start_session(&world.tenant, request).await.unwrap();
        assert_eq!(session.status, SessionStatus::Active, "{trouble:?}");
        assert_eq!(sessions(&world).await, [SessionStatus::Active], "{trouble:?}: one session");
        let theirs = world.gateway.sessions().pop().unwrap();
        assert_eq!(link(&session), format!("https://pay.example/{theirs}"), "{trouble:?}");
        world.gateway.complete(&theirs, Instrument::card("tok-1", "fp-1"));
        // The way back is that of the second attempt.
        let address = world.gateway.return_address(&theirs).unwrap();
        let nonce = address.path_segments().unwrap().next_back().unwrap().to_owned();
        world.come_back(&session, &nonce).await.unwrap();
        assert_eq!(world.session(session.id).await.status, SessionStatus::Completed, "{trouble:?}");
        assert_eq!(world.methods(&session).await.len(), 1);
    }
}

#[tokio::test]
async fn attempts_at_the_same_moment_make_one_session() {
    let world = World::new();
    let request = intended(&world, "order-7");
    let attempts = (0..16).map(|_| {
        let (billfold, tenant, request) = (world.billfold.clone(), world.tenant.clone(), request.clone());
        async move { billfold.start_session(&tenant, request).await }
    });
    let answers = crate::support::at_once(attempts).await;
    let links: std::collections::BTreeSet<String> =
        answers.iter().flatten().filter(|session| session.next.is_some()).map(link).collect();
    assert_eq!(links.len(), 1, "one link was given out: {links:?}");
    assert_eq!(sessions(&world).await, [SessionStatus::Active]);
}
