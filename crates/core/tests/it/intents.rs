//! A request that is tried again goes on with what the first attempt had stored.

use std::time::Duration;

use billfold_core::audit::Actor;
use billfold_core::idempotency::Intent;
use billfold_core::scope::Scopes;
use billfold_core::secret::ExposeSecret as _;
use billfold_core::session::SessionStatus;
use billfold_core::store::Page;
use billfold_core::vault::PutOutcome;
use billfold_core::{ErrorKind, Principal, StartSession};
use billfold_testkit::reference::{Instrument, Trouble};

use crate::support::{World, link, request};
use crate::vault::{put, text};

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

#[tokio::test]
async fn a_value_of_one_intent_is_stored_once() {
    let world = World::new();
    let store = async |name: &str, duplicates: bool| {
        let mut put = put("o-1", "note", text("x"));
        put.allow_duplicates = duplicates;
        put.intent = Some(Intent::new(world.billfold.clock().now(), name));
        world.billfold.put_vault_record(&world.tenant, put).await
    };
    for (name, duplicates) in [("one", false), ("two", true)] {
        let first = store(name, duplicates).await.unwrap();
        let again = store(name, duplicates).await.unwrap();
        assert_eq!((again.outcome, again.record.id), (PutOutcome::Created, first.record.id), "{name}");
    }
    assert_eq!(store("three", false).await.unwrap_err().kind(), ErrorKind::Conflict, "another intent");
    let stored = world.billfold.vault().list(&world.tenant, "o-1", None, Page::first(10)).await.unwrap();
    assert_eq!(stored.len(), 2);
    for record in stored {
        world.billfold.vault().reveal(&world.tenant, record.id, &Actor::new("tester")).await.unwrap();
    }
}

#[tokio::test]
async fn an_api_key_of_one_intent_is_one_key_and_the_last_answer_opens() {
    let world = World::new();
    let by = Principal::operator(world.tenant.clone(), "tester");
    let intent = Intent::new(world.billfold.clock().now(), "one");
    let issue = async || {
        world.billfold.issue_api_key_for(&by, "backend", Scopes::default(), Some(&intent)).await.unwrap()
    };
    let (first, second) = (issue().await, issue().await);
    assert_eq!(first.key.id, second.key.id);
    assert_eq!(world.billfold.list_api_keys(&world.tenant).await.unwrap().len(), 1);
    world.billfold.authenticate(second.secret.expose_secret()).await.unwrap();
    world.billfold.authenticate(first.secret.expose_secret()).await.unwrap_err();
}
