//! Everything at once: one effect.

use std::time::Duration;

use billfold_core::session::SessionStatus;
use billfold_testkit::reference::Instrument;
use futures::future::join_all;

use crate::support::{World, request};

/// Webhook, return, sweep and cancellation of one session, many times each, at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_ways_at_once_save_one_method() {
    for round in 0..20 {
        let world = World::new();
        let session = world.start("c-1").await;
        world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
        let nonce = world.gateway.return_address("ref-0001").unwrap();
        let nonce = nonce.path_segments().unwrap().next_back().unwrap().to_owned();
        world.completed("ref-0001").await;
        world.clock.advance(Duration::from_secs(61));
        let body = serde_json::json!({"event": "token.activated", "token": "tok-1", "reference": session.id});
        world.deliver(body).await.unwrap();

        let works = join_all((0..4).map(|_| world.billfold.process(10)));
        let sweeps = join_all((0..4).map(|_| world.billfold.reconcile(10)));
        let returns = join_all((0..4).map(|_| world.come_back(&session, &nonce)));
        let (works, sweeps, returns) = futures::join!(works, sweeps, returns);
        assert!(works.iter().all(Result::is_ok) && sweeps.iter().all(Result::is_ok));
        assert_eq!(
            returns.iter().filter(|outcome| outcome.is_ok()).count(),
            1,
            "round {round}: the nonce is used once"
        );
        world.work().await;

        assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
        assert_eq!(world.methods(&session).await.len(), 1, "round {round}");
        let names = world.event_names().await;
        assert_eq!(names.iter().filter(|name| *name == "session.completed").count(), 1);
        assert_eq!(names.iter().filter(|name| *name == "payment_method.saved").count(), 1);
    }
}

/// Two sessions of one customer end at the same moment: two methods, one default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sessions_at_once_leave_one_default() {
    for _ in 0..20 {
        let world = World::new();
        let (one, _two) = (world.start("c-1").await, world.start("c-1").await);
        world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
        world.gateway.complete("ref-0002", Instrument::card("tok-2", "fp-2"));
        world.completed("ref-0001").await;
        world.completed("ref-0002").await;
        let outcomes = join_all((0..2).map(|_| world.billfold.process(1))).await;
        assert!(outcomes.iter().all(Result::is_ok));
        world.clock.advance(Duration::from_mins(2));
        world.work().await;
        let methods = world.methods(&one).await;
        assert_eq!(methods.len(), 2);
        assert_eq!(methods.iter().filter(|method| method.is_default).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_webhook_sixty_four_times_at_once_is_one_delivery() {
    let world = World::new();
    world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    let body = serde_json::json!({"event": "session.completed", "session": "ref-0001"});
    let outcomes = join_all((0..64).map(|_| world.deliver(body.clone()))).await;
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(stored > 0);
    world.work().await;
    assert_eq!(world.event_names().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_customer_started_many_times_at_once_is_one_customer() {
    let world = World::new();
    let starts = join_all((0..10).map(|_| world.billfold.start_session(&world.tenant, request("c-1")))).await;
    let ids: std::collections::BTreeSet<_> =
        starts.into_iter().map(|start| start.unwrap().customer_id).collect();
    assert_eq!(ids.len(), 1);
}
