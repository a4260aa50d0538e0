//! Sessions that end without a method, or do not end yet.

use billfold_core::ErrorKind;
use billfold_core::session::SessionStatus;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

use super::Trial;
use super::driver::{Ability, Card};
use super::world::World;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("a failed attempt is not the end", |world| Box::pin(failed_attempt(world)))
            .unless(|world| world.driver.lacks(Ability::Decline)),
        Trial::new("leaving the page is not the end", |world| Box::pin(leaving(world)))
            .unless(|world| world.driver.lacks(Ability::Return)),
        Trial::new("what the browser says is not believed", |world| Box::pin(forged_return(world)))
            .unless(|world| world.driver.lacks(Ability::Return)),
        Trial::new("a session that the gateway ended is over", |world| Box::pin(expired(world)))
            .unless(|world| world.driver.lacks(Ability::Expire)),
        Trial::new("a canceled session is over at the gateway", |world| Box::pin(canceled(world))),
        Trial::new("a completion beats a cancellation", |world| Box::pin(canceled_too_late(world))),
        Trial::new("an unknown status changes nothing", |world| Box::pin(unknown_status(world))).unless(
            |world| world.driver.statuses().is_empty().then_some("asking about a session tells no status"),
        ),
    ]
}

async fn failed_attempt(world: World) {
    let session = world.start("c-1").await;
    assert!(world.driver.decline(&session.theirs).await, "an attempt fails");
    world.deliver_all().await;
    world.sweep_after(Duration::from_mins(2)).await;
    assert_eq!(world.status(&session).await, SessionStatus::Active, "the customer may try again");
    assert_eq!(world.methods(&session).await.len(), 0, "nothing was saved");
    world.complete(&session, Card::One).await;
    world.deliver_all().await;
    assert_eq!(world.status(&session).await, SessionStatus::Completed);
    assert_eq!(world.methods(&session).await.len(), 1);
}

async fn leaving(world: World) {
    let session = world.start("c-1").await;
    let address = world.come_back(&session, false, "").await.expect("the customer is let in");
    assert!(address.query().unwrap_or_default().contains("status=active"), "sent to {address}");
    assert!(world.driver.is_open(&session.theirs).await, "the gateway's session was ended");
    world.complete(&session, Card::One).await;
    world.deliver_all().await;
    assert_eq!(world.status(&session).await, SessionStatus::Completed);
}

async fn forged_return(world: World) {
    let session = world.start("c-1").await;
    let (other, _) = world.save("c-2", Card::One).await;
    let theirs = &other.theirs;
    let query = format!(
        "status=COMPLETED&redirect_status=succeeded&session={theirs}&session_id={theirs}&setup_intent={theirs}&result=ok"
    );
    let address = world.come_back(&session, true, &query).await.expect("the customer is let in");
    assert!(address.query().unwrap_or_default().contains("status=active"), "sent to {address}");
    assert_eq!(world.status(&session).await, SessionStatus::Active);
    assert_eq!(world.methods(&session).await.len(), 0);
}

async fn expired(world: World) {
    let session = world.start("c-1").await;
    assert!(world.driver.expire(&session.theirs).await, "the time is up");
    world.deliver_all().await;
    world.sweep_after(Duration::from_mins(2)).await;
    assert_eq!(world.status(&session).await, SessionStatus::Expired);
    assert_eq!(world.methods(&session).await.len(), 0);
}

async fn canceled(world: World) {
    let session = world.start("c-1").await;
    let view = world.billfold.cancel_session(&world.tenant, session.id).await.expect("it can be canceled");
    assert_eq!(view.status, SessionStatus::Canceled);
    if world.driver.lacks(Ability::Cancel).is_none() {
        assert!(!world.driver.is_open(&session.theirs).await, "the gateway still lets the customer save");
    }
    // Again, at the gateway itself: nothing to do is no error.
    let reference = billfold_core::provider::SessionRef::new(session.theirs.clone());
    let again = world.provider.cancel_session(&world.context("again-cancel"), reference).await;
    assert!(again.is_ok(), "canceling twice: {again:?}");
    world.deliver_all().await;
    assert_eq!(world.status(&session).await, SessionStatus::Canceled);
}

async fn canceled_too_late(world: World) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    let outcome = world.billfold.cancel_session(&world.tenant, session.id).await;
    let error = outcome.expect_err("it is completed, not canceled");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    world.deliver_all().await;
    assert_eq!(world.status(&session).await, SessionStatus::Completed);
    assert_eq!(world.methods(&session).await.len(), 1);
}

/// The gateway uses words that are younger than the provider.
async fn unknown_status(world: World) {
    let session = world.start("c-1").await;
    let pointers = world.driver.statuses();
    let change = move |mut answer: Value| {
        for pointer in &pointers {
            if let Some(status) = answer.pointer_mut(pointer).filter(|status| status.is_string()) {
                *status = "half_done_and_new".into();
            }
        }
        answer
    };
    world.wire.rewrite(Some(Arc::new(change)));
    world.sweep_after(Duration::from_mins(2)).await;
    assert_eq!(world.status(&session).await, SessionStatus::Active, "an open session");
    world.complete(&session, Card::One).await;
    world.sweep_after(Duration::from_mins(5)).await;
    let status = world.status(&session).await;
    assert!(!status.is_final(), "an unknown status ended the session: {status:?}");
    world.wire.rewrite(None);
    world.deliver_all().await;
    assert_eq!(world.status(&session).await, SessionStatus::Completed, "once it is understood");
}
