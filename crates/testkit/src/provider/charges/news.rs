//! How the end of a charge is learnt: webhooks, the customer's browser, and statuses that nobody knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use billfold_core::ErrorKind;
use billfold_core::charge::{ChargeStatus, DeclineClass};
use billfold_core::provider::ReturnRequest;
use billfold_core::secret::ExposeSecret;
use billfold_core::view::{ChargeView, Next};
use serde_json::Value;
use url::Url;

use super::super::Trial;
use super::super::charge_driver::ChargePlay;
use super::super::driver::{Card, SentWebhook};
use super::super::world::{World, at_once, way_back};
use super::{
    LONG, SHORT, booked, cannot, cannot_step_up, cannot_wait, charge, driver, finished, now, paid, saved,
    taken,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("a charge's webhooks come twice and late", |world| Box::pin(webhooks(world)))
            .unless(cannot_wait),
        Trial::new("a charge that is under way is refused later", |world| Box::pin(refused_later(world)))
            .unless(cannot_wait),
        Trial::new("another amount than was asked for is no success", |world| {
            Box::pin(another_amount(world))
        })
        .unless(cannot),
        Trial::new("an unknown status of a charge changes nothing", |world| Box::pin(unknown_status(world)))
            .unless(cannot),
        Trial::new("the customer is asked, and the charge goes on", |world| Box::pin(step_up(world, true)))
            .unless(cannot_step_up),
        Trial::new("the customer is asked, and fails", |world| Box::pin(step_up(world, false)))
            .unless(cannot_step_up),
        Trial::new("what the browser says of a charge is not believed", |world| {
            Box::pin(forged_return(world))
        })
        .unless(|world| cannot_step_up(world).or_else(|| driver(world).lacks_return_url())),
        Trial::new("a bank takes back what had succeeded", |world| Box::pin(returned(world)))
            .unless(|world| cannot(world).or_else(|| driver(world).lacks_returns())),
    ]
}

/// A charge that is under way.
async fn slow(world: &World) -> ChargeView {
    let method = saved(world).await;
    driver(world).play(Card::One, ChargePlay::Slow).await;
    let started = charge(world, &method).await;
    assert_eq!(started.status, ChargeStatus::Processing, "{started:?}");
    started
}

async fn webhooks(world: World) {
    let started = slow(&world).await;
    assert!(driver(&world).finish(&started.id.to_string(), true).await, "it ends well");
    let sent = world.driver.webhooks().await;
    assert!(!sent.is_empty(), "the gateway tells of it");
    let twice: Vec<&SentWebhook> = sent.iter().rev().chain(sent.iter()).collect();
    at_once(twice.into_iter().map(|webhook| world.accept(webhook))).await;
    world.work().await;
    let ended = now(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded);
    assert_eq!(world.events_named("charge.succeeded").await, 1, "the merchant is told once");
    for webhook in &sent {
        world.accept(&world.driver.again(webhook)).await;
    }
    world.work().await;
    assert_eq!(now(&world, &started).await.timeline, ended.timeline, "old news changed something");
}

async fn refused_later(world: World) {
    let started = slow(&world).await;
    assert!(driver(&world).finish(&started.id.to_string(), false).await, "it is refused");
    world.deliver_all().await;
    let ended = now(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Declined, "{ended:?}");
    assert!(ended.decline.expect("a reason").code.is_some(), "the gateway's own code is lost");
    assert_eq!(taken(&world).await, 0);
}

/// Changes what these pointers lead to, in every answer from now on; says whether any answer had it.
fn rewritten(world: &World, pointers: Vec<&'static str>, to: fn(&Value) -> Value) -> Arc<AtomicBool> {
    let met = Arc::new(AtomicBool::new(false));
    let seen = met.clone();
    let change = move |mut answer: Value| {
        for pointer in &pointers {
            let Some(found) = answer.pointer_mut(pointer) else { continue };
            *found = to(found);
            seen.store(true, Ordering::SeqCst);
        }
        answer
    };
    world.wire.rewrite(Some(Arc::new(change)));
    met
}

async fn another_amount(world: World) {
    let method = saved(&world).await;
    let met = rewritten(&world, driver(&world).amounts(), |amount| match amount {
        Value::String(text) => format!("1{text}").into(),
        Value::Number(number) => number.as_i64().map_or(Value::Null, |number| (number + 1).into()),
        other => other.clone(),
    });
    let started = charge(&world, &method).await;
    assert!(met.load(Ordering::SeqCst), "the gateway's answers tell no amount");
    assert!(!started.status.is_final(), "another amount is taken for ours: {started:?}");
    assert!(started.incident.is_some(), "nobody is told: {started:?}");
    assert_eq!(world.events_named("charge.needs_attention").await, 1);
    world.wire.rewrite(None);
    let ended = finished(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded, "once the answer is right: {ended:?}");
}

async fn unknown_status(world: World) {
    let method = saved(&world).await;
    let met = rewritten(&world, driver(&world).statuses(), |_| "SOMETHING_NEW".into());
    let started = charge(&world, &method).await;
    assert!(met.load(Ordering::SeqCst), "the gateway's answers tell no status");
    world.sweep_after(SHORT).await;
    let after = now(&world, &started).await;
    assert_eq!((after.status, after.incident), (ChargeStatus::Processing, None), "nobody can tell");
    world.wire.rewrite(None);
    world.sweep_after(LONG).await;
    let ended = finished(&world, &started).await;
    assert_eq!(ended.status, ChargeStatus::Succeeded, "once it is understood: {ended:?}");
    assert!(booked(&world, &ended).await.is_some());
}

/// A charge that waits for its customer.
async fn waiting(world: &World) -> ChargeView {
    let method = saved(world).await;
    driver(world).play(Card::One, ChargePlay::StepUp).await;
    let started = charge(world, &method).await;
    assert_eq!(started.status, ChargeStatus::RequiresAction, "{started:?}");
    assert_eq!(taken(world).await, 0, "taken before the customer agreed");
    started
}

async fn step_up(world: World, passes: bool) {
    let started = waiting(&world).await;
    match &started.next {
        Some(Next::Redirect { url }) => assert!(url.expose_secret().starts_with("http")),
        Some(Next::ClientSecret { secret }) => assert!(!secret.expose_secret().is_empty()),
        None => panic!("nobody knows what the customer has to do"),
    }
    assert!(driver(&world).pass_step_up(&started.id.to_string(), passes).await, "the customer acts");
    if let Some(address) = driver(&world).way_back(&started.id.to_string()).await {
        let sent = come_back(&world, &started, &address, "").await.expect("the customer is let in");
        assert!(sent.as_str().contains("charge_id="), "the merchant is not told which charge");
    }
    world.driver.webhooks().await;
    world.sweep_after(SHORT).await;
    let ended = now(&world, &started).await;
    let expected = if passes { ChargeStatus::Succeeded } else { ChargeStatus::Declined };
    assert_eq!(ended.status, expected, "{ended:?}");
    assert!(ended.next.is_none(), "the link is of no use any more");
    if !passes {
        assert_eq!(ended.decline.expect("a reason").class, DeclineClass::AuthenticationRequired);
    }
}

/// The customer's browser comes back by an address of ours, with something more in its query; where it is sent.
async fn come_back(
    world: &World,
    charge: &ChargeView,
    address: &Url,
    query: &str,
) -> billfold_core::Result<Url> {
    let (nonce, query) = way_back(address, &charge.id.to_string(), query);
    world.billfold.on_charge_return(charge.id, &nonce, ReturnRequest::new(query)).await
}

async fn forged_return(world: World) {
    let started = waiting(&world).await;
    let address = driver(&world).return_url(&started.id.to_string()).await.expect("a return address");
    let back = |query| come_back(&world, &started, &address, query);
    let theirs =
        "status=succeeded&redirect_status=succeeded&payment_status=SUCCEEDED&result=ok&resultCode=Authorised";
    let sent = back(theirs).await.expect("the customer is let in");
    assert!(sent.query().unwrap_or_default().contains("status=requires_action"), "sent to {sent}");
    assert_eq!(now(&world, &started).await.status, ChargeStatus::RequiresAction);
    let guessed = world.billfold.on_charge_return(started.id, "guessed", ReturnRequest::new("")).await;
    assert_eq!(guessed.expect_err("a guessed nonce").kind(), ErrorKind::NotFound);

    assert!(driver(&world).pass_step_up(&started.id.to_string(), true).await, "the customer acts");
    world.driver.webhooks().await;
    let address = driver(&world).way_back(&started.id.to_string()).await.unwrap_or_else(|| address.clone());
    let back = |query| come_back(&world, &started, &address, query);
    let sent = back("").await.expect("the customer is let in");
    let query = sent.query().unwrap_or_default();
    assert!(query.contains("status=succeeded") && query.contains("charge_id="), "sent to {sent}");
    assert_eq!(now(&world, &started).await.status, ChargeStatus::Succeeded);
    assert_eq!(back("").await.expect_err("it leads in once").kind(), ErrorKind::Gone);
}

async fn returned(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
    assert!(driver(&world).take_back(&paid.id.to_string()).await, "the bank takes it back");
    world.deliver_all().await;
    let ended = now(&world, &paid).await;
    assert_eq!(ended.status, ChargeStatus::Declined, "{ended:?}");
    assert_eq!(ended.captured_amount, 0);
    assert_eq!(world.events_named("charge.declined").await, 1, "the merchant is told");
}
