//! A method is saved, by whichever way the news arrives.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{Echo, ProviderMethodStatus, ProviderSessionStatus};
use billfold_core::session::{SessionStatus, Via};
use billfold_testkit::reference::{Instrument, Trouble};

use crate::support::{World, link, request};

#[tokio::test]
async fn a_webhook_saves_the_method() {
    let world = World::new();
    let session = world.start("c-1").await;
    assert_eq!(session.status, SessionStatus::Active);
    assert_eq!(link(&session), "https://pay.example/ref-0001");

    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    world.work().await;

    let settled = world.session(session.id).await;
    assert_eq!(settled.status, SessionStatus::Completed);
    assert_eq!(settled.settled_via, Some(Via::Webhook));
    assert!(settled.next.is_none(), "the link is destroyed with the session's end");
    let methods = world.methods(&session).await;
    assert_eq!(methods.len(), 1);
    assert_eq!(settled.payment_methods, [methods[0].id]);
    assert_eq!(methods[0].status, PaymentMethodStatus::Active);
    assert!(methods[0].is_default, "the first method is the default");
    assert_eq!(methods[0].display.last4.as_deref(), Some("1091"));
    assert_eq!(world.event_names().await, ["payment_method.saved", "session.completed"]);
}

#[tokio::test]
async fn without_a_webhook_the_sweeper_saves_it() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.sweep().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Active, "not due yet");
    world.clock.advance(Duration::from_secs(61));
    world.sweep().await;
    let settled = world.session(session.id).await;
    assert_eq!((settled.status, settled.settled_via), (SessionStatus::Completed, Some(Via::Sweep)));
    assert_eq!(world.methods(&session).await.len(), 1);
}

#[tokio::test]
async fn a_webhook_before_the_create_call_returned_is_not_lost() {
    let world = World::new();
    world.gateway.complete_on_create(Instrument::card("tok-1", "fp-1"));
    // The webhook names our reference before the gateway's id is stored.
    world.gateway.order("create_session", Trouble::LostAfter);
    let error = world.billfold.start_session(&world.tenant, request("c-1")).await.unwrap_err();
    assert_eq!(error.retry(), Retry::OutcomeUnknown);
    let id = error.context().iter().find(|(key, _)| *key == "session").unwrap().1.clone();
    let body = serde_json::json!({"event": "session.completed", "session": "ref-0001", "reference": id});
    world.deliver(body).await.unwrap();
    world.work().await;
    let settled = world.session(id.parse().unwrap()).await;
    assert_eq!(settled.status, SessionStatus::Completed);
    assert_eq!(world.methods(&settled).await.len(), 1);
}

#[tokio::test]
async fn a_session_that_the_gateway_refused_has_failed() {
    let world = World::new();
    world.gateway.order("create_session", Trouble::Refuse);
    let error = world.billfold.start_session(&world.tenant, request("c-1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GatewayRejected);
    let id = error.context()[0].1.parse().unwrap();
    assert_eq!(world.session(id).await.status, SessionStatus::Failed);
}

#[tokio::test]
async fn a_session_whose_creation_was_lost_ends_by_the_clock() {
    let world = World::new();
    for trouble in [Trouble::LostBefore, Trouble::LostAfter, Trouble::Panic] {
        world.gateway.order("create_session", trouble);
        let error = world.billfold.start_session(&world.tenant, request("c-1")).await.unwrap_err();
        assert_eq!(error.retry(), Retry::OutcomeUnknown, "{trouble:?}");
        let id = error.context().iter().find(|(key, _)| *key == "session").unwrap().1.parse().unwrap();
        assert_eq!(world.session(id).await.status, SessionStatus::Creating);
        for _ in 0..8 {
            world.clock.advance(Duration::from_mins(20));
            world.sweep().await;
        }
        assert_eq!(world.session(id).await.status, SessionStatus::Expired);
    }
}

#[tokio::test]
async fn a_late_completion_is_real() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.set_session("ref-0001", ProviderSessionStatus::Expired);
    world.clock.advance(Duration::from_mins(40));
    world.sweep().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Expired);
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    world.work().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
    assert_eq!(world.methods(&session).await.len(), 1);
}

#[tokio::test]
async fn an_answer_about_something_else_changes_nothing() {
    let world = World::new();
    for echo in [
        Echo { reference: Some("ses_other".into()), ..Echo::default() },
        Echo { currency: Some("USD".into()), ..Echo::default() },
        Echo { country: Some("PH".into()), ..Echo::default() },
    ] {
        let session = world.start("c-1").await;
        let gateway_session = world.gateway.sessions().pop().unwrap();
        world.gateway.complete(&gateway_session, Instrument::card("tok-1", "fp-1"));
        world.gateway.set_echo(&gateway_session, echo.clone());
        world.completed(&gateway_session).await;
        world.work().await;
        assert_eq!(world.session(session.id).await.status, SessionStatus::Active, "{echo:?}");
        assert_eq!(world.methods(&session).await.len(), 0);
    }
}

#[tokio::test]
async fn unknown_statuses_are_neither_final_nor_saved() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.set_session("ref-0001", ProviderSessionStatus::Unknown);
    world.completed("ref-0001").await;
    world.work().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Active);
}

#[tokio::test]
async fn a_pending_token_is_a_pending_method_until_the_gateway_activates_it() {
    let world = World::new();
    let session = world.start("c-1").await;
    let pending = Instrument { status: ProviderMethodStatus::Pending, ..Instrument::card("tok-1", "fp-1") };
    world.gateway.complete("ref-0001", pending);
    world.completed("ref-0001").await;
    world.work().await;
    assert_eq!(world.methods(&session).await[0].status, PaymentMethodStatus::Pending);
    world.gateway.set_token("tok-1", ProviderMethodStatus::Active);
    world.clock.advance(Duration::from_mins(2));
    world.sweep().await;
    assert_eq!(world.methods(&session).await[0].status, PaymentMethodStatus::Active);
}

#[tokio::test]
async fn canceling_ends_an_open_session_and_conflicts_with_a_finished_one() {
    let world = World::new();
    let session = world.start("c-1").await;
    let canceled = world.billfold.cancel_session(&world.tenant, session.id).await.unwrap();
    assert_eq!(canceled.status, SessionStatus::Canceled);
    let again = world.billfold.cancel_session(&world.tenant, session.id).await.unwrap();
    assert_eq!(again.status, SessionStatus::Canceled);

    let session = world.start("c-1").await;
    world.gateway.complete("ref-0002", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0002").await;
    world.work().await;
    let error = world.billfold.cancel_session(&world.tenant, session.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

/// The customer finished while the merchant was canceling: the gateway says `completed`, and the
/// answer to the cancellation is a conflict, not a lost method.
#[tokio::test]
async fn a_completion_beats_a_cancellation() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    let outcome = world.billfold.cancel_session(&world.tenant, session.id).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
    world.completed("ref-0001").await;
    world.work().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
}
