//! A method is saved, by whichever way the news arrives.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::provider::{Echo, ProviderMethodStatus, ProviderSessionStatus};
use billfold_core::session::{SessionStatus, Via};
use billfold_core::view::SessionView;
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

/// A gateway that makes its customers itself, in its sessions: the first completed one's is used ever after.
#[tokio::test]
async fn a_customer_that_the_gateway_made_is_used_again() {
    let world = World::new();
    let made = |session: &str, customer: &str, ours: &SessionView| {
        let echo =
            Echo { reference: Some(ours.id.to_string()), customer: Some(customer.into()), ..Echo::default() };
        world.gateway.set_echo(session, echo);
    };
    // Two sessions are open when none is completed: neither has a customer.
    let (first, second) = (world.start("c-1").await, world.start("c-1").await);
    made("ref-0001", "their-1", &first);
    made("ref-0002", "their-2", &second);
    world.gateway.complete("ref-0002", Instrument::card("tok-2", "fp-2"));
    world.completed("ref-0002").await;
    world.work().await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    world.work().await;
    for session in [&first, &second] {
        assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
    }
    assert_eq!(world.gateway.session_customer("ref-0001"), None);
    // The third is for the customer of the one that was completed first, and nobody else's answer is believed.
    let third = world.start("c-1").await;
    assert_eq!(world.gateway.session_customer("ref-0003").as_deref(), Some("their-2"));
    made("ref-0003", "their-3", &third);
    world.gateway.complete("ref-0003", Instrument::card("tok-3", "fp-3"));
    world.completed("ref-0003").await;
    world.work().await;
    assert_eq!(world.session(third.id).await.status, SessionStatus::Active);
    assert_eq!(world.methods(&third).await.len(), 2);
    // Another customer has nothing to do with it.
    world.start("c-2").await;
    assert_eq!(world.gateway.session_customer("ref-0004"), None);
}

/// Sessions of one customer that are completed at the same moment, each with a customer of its own there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_the_customers_that_a_gateway_made_is_kept() {
    let world = World::new();
    for number in 1..=4 {
        let session = world.start("c-1").await;
        let (theirs, customer) = (format!("ref-{number:04}"), format!("their-{number}"));
        let reference = Some(session.id.to_string());
        world.gateway.set_echo(&theirs, Echo { reference, customer: Some(customer), ..Echo::default() });
        world.gateway.complete(&theirs, Instrument::card(&format!("tok-{number}"), &format!("fp-{number}")));
        world.completed(&theirs).await;
    }
    let worked = futures::future::join_all((0..4).map(|_| world.billfold.process(1))).await;
    assert!(worked.iter().all(Result::is_ok), "{worked:?}");
    world.work().await;
    let fifth = world.start("c-1").await;
    assert_eq!(world.methods(&fifth).await.len(), 4);
    assert!(
        world.gateway.session_customer("ref-0005").is_some_and(|customer| customer.starts_with("their-"))
    );
}
