//! What goes wrong between provider and gateway.

use std::collections::BTreeSet;
use std::time::Duration;

use billfold_core::error::Retry;
use billfold_core::id::SessionId;
use billfold_core::provider::{CreateSession, SessionRef};
use billfold_core::session::SessionStatus;
use billfold_core::{Error, ErrorKind};

use super::Trial;
use super::driver::{Ability, Card};
use super::wire::Fault;
use super::world::World;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("a creation whose end is not known is not a failure", |world| {
            Box::pin(unknown_end(world))
        }),
        Trial::new("a refused creation has failed", |world| Box::pin(refused(world))),
        Trial::new("the gateway may ask to slow down", |world| Box::pin(slow_down(world))),
        Trial::new("a gateway in trouble changes nothing", |world| Box::pin(trouble(world))),
        Trial::new("redirects are not followed", |world| Box::pin(redirects(world))),
        Trial::new("a repeated creation makes one session", |world| Box::pin(idempotent(world))).unless(
            |world| {
                (!world.driver.is_idempotent()).then_some("the gateway has no idempotency keys for sessions")
            },
        ),
    ]
}

/// Starts a session of a known customer, so that the ordered fault meets the creating call.
async fn start_with(world: &World, fault: Fault) -> (Error, SessionId) {
    world.wire.order(&[fault]);
    world.wire.take_seen();
    let outcome = world.billfold.start_session(&world.tenant, world.driver.request("c-1")).await;
    let error = outcome.err().unwrap_or_else(|| panic!("{fault:?} is taken for a success"));
    let seen = world.wire.take_seen().len();
    assert_eq!(seen, 1, "a creating call is repeated by the provider after {fault:?}");
    let id = error.context().iter().find(|(key, _)| *key == "session").expect("the session's id").1.clone();
    (error, id.parse().expect("an id"))
}

async fn status(world: &World, id: SessionId) -> SessionStatus {
    world.billfold.get_session(&world.tenant, id).await.expect("the session").status
}

async fn unknown_end(world: World) {
    world.start("c-1").await;
    for fault in [
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::Truncated,
        Fault::Oversize,
        Fault::Status(500),
        Fault::Status(503),
        Fault::Page(502),
        Fault::Page(200),
        Fault::Redirect,
    ] {
        let (error, id) = start_with(&world, fault).await;
        assert_eq!(error.retry(), Retry::OutcomeUnknown, "{fault:?}: {error:?}");
        assert_eq!(status(&world, id).await, SessionStatus::Creating, "{fault:?}: {error:?}");
    }
    let (error, id) = start_with(&world, Fault::NotSent).await;
    assert!(matches!(error.retry(), Retry::SameKey { .. }), "no connection: {error:?}");
    assert_eq!(status(&world, id).await, SessionStatus::Creating, "no connection");
}

async fn refused(world: World) {
    world.start("c-1").await;
    for (code, kind) in [
        (400, ErrorKind::GatewayRejected),
        (404, ErrorKind::GatewayRejected),
        (422, ErrorKind::GatewayRejected),
        (401, ErrorKind::GatewayAuthentication),
        (403, ErrorKind::GatewayAuthentication),
    ] {
        let (error, id) = start_with(&world, Fault::Status(code)).await;
        assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{code}: {error:?}");
        let fault = error.fault().unwrap_or_else(|| panic!("{code} says nothing of the gateway: {error:?}"));
        assert_eq!((fault.gateway.as_str(), fault.http_status), ("main", Some(code)));
        assert_eq!(status(&world, id).await, SessionStatus::Failed, "{code}");
    }
}

async fn slow_down(world: World) {
    world.start("c-1").await;
    let (error, id) = start_with(&world, Fault::Status(429)).await;
    assert_eq!(error.kind(), ErrorKind::GatewayRateLimited, "{error:?}");
    assert!(matches!(error.retry(), Retry::SameKey { .. }), "{error:?}");
    assert_eq!(status(&world, id).await, SessionStatus::Creating, "slower is not never");
}

async fn trouble(world: World) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    for fault in [
        Fault::NotSent,
        Fault::LostBefore,
        Fault::Truncated,
        Fault::Oversize,
        Fault::Status(404),
        Fault::Status(401),
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(200),
        Fault::Page(200),
        Fault::Page(502),
        Fault::Redirect,
    ] {
        world.wire.order(&[fault]);
        let cx = world.context("fetch");
        let outcome = world.provider.fetch_session(&cx, SessionRef::new(session.theirs.clone())).await;
        let error = outcome.err().unwrap_or_else(|| panic!("{fault:?} is taken for an answer"));
        assert_ne!(error.kind(), ErrorKind::Internal, "{fault:?}: {error:?}");
        if world.driver.lacks(Ability::Return).is_none() {
            world.wire.order(&[fault]);
            let address = world.come_back(&session, true, "").await.expect("the customer is let in");
            let query = address.query().unwrap_or_default();
            assert!(query.contains("status=active"), "{fault:?}: sent to {address}");
        }
        assert_eq!(world.status(&session).await, SessionStatus::Active, "{fault:?} changed the session");
    }
    world.wire.order(&[]);
    world.sweep_after(Duration::from_mins(2)).await;
    assert_eq!(world.status(&session).await, SessionStatus::Completed, "the trouble is over");
}

async fn redirects(world: World) {
    let session = world.start("c-1").await;
    let own: BTreeSet<_> =
        world.wire.take_seen().iter().map(|seen| seen.uri.host().map(str::to_owned)).collect();
    for _ in 0..2 {
        world.wire.order(&[Fault::Redirect, Fault::Redirect]);
        let cx = world.context("fetch");
        let _ = world.provider.fetch_session(&cx, SessionRef::new(session.theirs.clone())).await;
        let _ = world.provider.check(&cx).await;
        for seen in world.wire.take_seen() {
            let host = seen.uri.host().map(str::to_owned);
            assert!(own.contains(&host), "{} was sent to {host:?}", seen.method);
        }
    }
}

async fn idempotent(world: World) {
    let before = world.start("c-1").await;
    let gateway = "main".parse().expect("a name");
    let stored = world.billfold.store().gateway_customer(&world.tenant, &gateway, before.view.customer_id);
    let gateway_customer = stored.await.expect("the store").map(|customer| customer.reference);
    let back: url::Url = "https://pay.merchant.example/return/x".parse().expect("a URL");
    let asked = world.driver.request("c-1");
    let life = world.provider.capabilities().session_lifetime.default;
    let mut create = CreateSession::new(
        "ses_018f0000000070008000000000000001",
        before.view.customer_id.to_string(),
        asked.usage,
        asked.currency,
        asked.country,
        back.clone(),
        back,
        world.billfold.clock().now().plus(life),
    );
    create.customer = billfold_core::provider::CustomerProfile {
        given_names: Some("Lorem".to_owned()),
        ..billfold_core::provider::CustomerProfile::default()
    };
    create.gateway_customer = gateway_customer;
    let count = world.driver.sessions().await.len();
    world.wire.order(&[Fault::LostAfter]);
    let cx = world.context("ses_018f0000000070008000000000000001");
    world.provider.create_session(&cx, create.clone()).await.expect_err("a lost answer");
    let first = world.provider.create_session(&cx, create.clone()).await.expect("the same session");
    let second = world.provider.create_session(&cx, create).await.expect("the same session");
    assert_eq!(first.reference, second.reference, "the same call made another session");
    assert_eq!(world.driver.sessions().await.len(), count + 1, "one call, one session");
}
