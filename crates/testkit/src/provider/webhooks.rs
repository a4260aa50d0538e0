//! Webhooks: whom to believe, and what to do with what cannot be read.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::session::SessionStatus;
use billfold_core::store::DeliveryState;
use http::HeaderValue;

use super::Trial;
use super::driver::{Card, SentWebhook, Signer};
use super::world::{Started, World};

pub(super) fn trials() -> Vec<Trial> {
    let no_header = |world: &World| {
        world.driver.proof_header().is_none().then_some("its webhooks carry no proof in a header")
    };
    let no_time = |world: &World| world.driver.tolerance().is_none().then_some("its webhooks sign no time");
    vec![
        Trial::new("a webhook by a wrong secret is refused", |world| Box::pin(wrong_secrets(world))),
        Trial::new("a webhook proves itself by one header", |world| Box::pin(headers(world)))
            .unless(no_header),
        Trial::new("secrets are changed without a gap", |world| Box::pin(rotation(world))).unless(|world| {
            world.driver.rotation().is_none().then_some("it knows one webhook secret at a time")
        }),
        Trial::new("an altered webhook changes nothing", |world| Box::pin(altered(world))),
        Trial::new("an old webhook is refused", |world| Box::pin(old(world))).unless(no_time),
        Trial::new("a webhook from the future is refused", |world| Box::pin(future(world))).unless(no_time),
        Trial::new("clocks may differ a little", |world| Box::pin(clocks(world))).unless(no_time),
        Trial::new("a replayed webhook brings nothing back", |world| Box::pin(replayed(world))),
        Trial::new("one forged item spoils the delivery", |world| Box::pin(batch(world))).unless(|world| {
            world.driver.forged_batch(&[]).is_none().then_some("its deliveries carry one event each")
        }),
        Trial::new("unknown events are acknowledged and ignored", |world| Box::pin(unknown(world))),
        Trial::new("what cannot be read is refused without a panic", |world| Box::pin(unreadable(world))),
    ]
}

/// A completed session whose webhooks are on their way.
async fn completed(world: &World) -> (Started, Vec<SentWebhook>) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    let sent = world.driver.webhooks().await;
    assert!(!sent.is_empty(), "a completion sends no webhook");
    (session, sent)
}

async fn refuse(world: &World, webhook: &SentWebhook, what: &str) {
    let outcome = world.deliver(webhook).await;
    refused(world, outcome, what).await;
}

async fn refused<T>(world: &World, outcome: billfold_core::Result<T>, what: &str) {
    let error = outcome.err().unwrap_or_else(|| panic!("{what} is accepted"));
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{what}: {error:?}");
    assert_eq!(world.deliveries().await.len(), 0, "{what} is stored");
}

async fn wrong_secrets(world: World) {
    let (session, sent) = completed(&world).await;
    for signer in [Signer::Stranger, Signer::Empty, Signer::Next] {
        for webhook in &sent {
            let forged = world.driver.sign(&webhook.body, signer, world.driver.now());
            refuse(&world, &forged, &format!("a webhook by {signer:?}")).await;
        }
    }
    world.work().await;
    assert_eq!(world.status(&session).await, SessionStatus::Active);
    let again = world.driver.sign(&sent[0].body, Signer::Current, world.driver.now());
    world.accept(&again).await;
}

async fn headers(world: World) {
    let (_, sent) = completed(&world).await;
    let header = world.driver.proof_header().expect("a header");
    for webhook in &sent {
        let right = webhook.headers.get(&header).expect("a proof").clone();
        let mut without = webhook.clone();
        without.headers.remove(&header);
        refuse(&world, &without, "a webhook without proof").await;
        let mut empty = webhook.clone();
        empty.headers.insert(header.clone(), HeaderValue::from_static(""));
        refuse(&world, &empty, "a webhook with an empty proof").await;
        let mut shorter = webhook.clone();
        let bytes = right.as_bytes();
        let cut = HeaderValue::from_bytes(&bytes[..bytes.len() - 1]).expect("a header");
        shorter.headers.insert(header.clone(), cut);
        refuse(&world, &shorter, "a webhook with a cut proof").await;
        let mut strange = webhook.clone();
        strange.headers.insert(header.clone(), HeaderValue::from_bytes(b"\xff\xfe,=;").expect("a header"));
        refuse(&world, &strange, "a webhook with bytes for a proof").await;
        let mut doubled = webhook.clone();
        doubled.headers.insert(header.clone(), HeaderValue::from_static("wrong"));
        doubled.headers.append(header.clone(), right);
        refuse(&world, &doubled, "a webhook with a wrong proof beside the right one").await;
    }
}

async fn rotation(world: World) {
    let rotation = world.driver.rotation().expect("settings for a change");
    let (session, sent) = completed(&world).await;
    let by = |signer| world.driver.sign(&sent[0].body, signer, world.driver.now());
    let during = world.restarted(Some(rotation.during));
    refuse(&during, &by(Signer::Stranger), "a stranger's webhook during the change").await;
    refuse(&during, &by(Signer::Empty), "an unproven webhook during the change").await;
    during.accept(&by(Signer::Current)).await;
    during.accept(&by(Signer::Next)).await;
    during.work().await;
    assert_eq!(during.status(&session).await, SessionStatus::Completed);
    let after = world.restarted(Some(rotation.after));
    let outcome = after.deliver(&by(Signer::Current)).await;
    assert!(outcome.is_err(), "the old secret still works after the change");
    after.accept(&by(Signer::Next)).await;
}

/// Where a signature covers the body an altered one is refused; where none does it is only a hint.
async fn altered(world: World) {
    let (session, sent) = completed(&world).await;
    let stranger = world.start("c-2").await;
    for webhook in &sent {
        let text = String::from_utf8(webhook.body.to_vec()).expect("text");
        let pairs = [
            (session.theirs.clone(), stranger.theirs.clone()),
            (session.id.to_string(), stranger.id.to_string()),
        ];
        for (from, to) in pairs {
            let changed = SentWebhook { body: text.replace(&from, &to).into(), ..webhook.clone() };
            if changed.body == webhook.body {
                continue;
            }
            let outcome = world.deliver(&changed).await;
            if world.provider.capabilities().webhook_trust == billfold_core::capability::Trust::Signed {
                refused(&world, outcome, "an altered webhook").await;
            }
        }
    }
    world.work().await;
    assert_eq!(world.status(&stranger).await, SessionStatus::Active, "the gateway never said so");
    assert_eq!(world.methods(&stranger).await.len(), 0);
}

async fn old(world: World) {
    let (_, sent) = completed(&world).await;
    let tolerance = world.driver.tolerance().expect("a tolerance");
    for late in [tolerance + Duration::from_mins(1), Duration::from_hours(24 * 365)] {
        let now = world.driver.now().plus(late);
        refused(&world, world.deliver_at(&sent[0], now).await, "an old webhook").await;
    }
}

async fn future(world: World) {
    let (_, sent) = completed(&world).await;
    let tolerance = world.driver.tolerance().expect("a tolerance");
    for early in [tolerance + Duration::from_mins(1), Duration::from_hours(24 * 365)] {
        let now = world.driver.now().minus(early);
        refused(&world, world.deliver_at(&sent[0], now).await, "a webhook from the future").await;
    }
}

async fn clocks(world: World) {
    let (_, sent) = completed(&world).await;
    let near = world.driver.tolerance().expect("a tolerance") / 2;
    for now in [world.driver.now().plus(near), world.driver.now().minus(near)] {
        let outcome = world.deliver_at(&sent[0], now).await;
        assert!(outcome.is_ok(), "clocks that differ by {near:?} are refused: {outcome:?}");
    }
}

async fn replayed(world: World) {
    let (session, sent) = completed(&world).await;
    for webhook in &sent {
        world.accept(webhook).await;
    }
    world.work().await;
    let methods = world.methods(&session).await;
    let outcome = world.billfold.delete_method(&world.tenant, methods[0].id).await;
    assert_eq!(outcome.expect("deleted").status, PaymentMethodStatus::Deleted);
    world.work().await;
    for webhook in &sent {
        world.accept(webhook).await;
        world.accept(&world.driver.again(webhook)).await;
    }
    world.work().await;
    assert_eq!(world.methods(&session).await.len(), 0, "a deleted method is back");
    let known = world.deliveries().await.len();
    assert_eq!(known, sent.len(), "a replay counts as something new");
}

async fn batch(world: World) {
    let (session, sent) = completed(&world).await;
    let forged = world.driver.forged_batch(&sent).expect("a batch");
    refuse(&world, &forged, "a delivery with a forged item").await;
    let first_forged = world.driver.forged_batch(&sent[..1]).expect("a batch of one");
    refuse(&world, &first_forged, "a forged delivery").await;
    world.work().await;
    assert_eq!(world.status(&session).await, SessionStatus::Active);
}

async fn unknown(world: World) {
    let session = world.start("c-1").await;
    let body = world.driver.unknown_event().to_string();
    let webhook = world.driver.sign(body.as_bytes(), Signer::Current, world.driver.now());
    world.accept(&webhook).await;
    world.work().await;
    let states: Vec<_> = world.deliveries().await.into_iter().map(|delivery| delivery.state).collect();
    assert_eq!(states, [DeliveryState::Ignored], "an event that nobody acts on");
    assert_eq!(world.status(&session).await, SessionStatus::Active);
}

async fn unreadable(world: World) {
    let genuine = world.driver.unknown_event().to_string();
    let mut bodies: Vec<Vec<u8>> = [
        "",
        "{",
        "[]",
        "7",
        "null",
        "\"text\"",
        "{}",
        "\u{0}",
        "[[[[[[",
        "{\"events\":7}",
        "{\"data\":[]}",
        "a=b&c=d",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    bodies.push(vec![0xff, 0xfe, 0x00]);
    bodies.extend((1..genuine.len()).step_by(3).map(|end| genuine.as_bytes()[..end].to_vec()));
    bodies.push(format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes());
    for body in bodies {
        let webhook = world.driver.sign(&body, Signer::Current, world.driver.now());
        let delivery = billfold_core::provider::WebhookDelivery::new(
            webhook.body.clone(),
            webhook.headers.clone(),
            "",
            world.driver.now(),
        );
        // Directly, for the use case would turn a panic into a refusal.
        let read = world.provider.read_webhook(&delivery);
        assert!(read.is_err(), "{:?} is taken for a webhook", String::from_utf8_lossy(&body));
        let error = world.deliver(&webhook).await.expect_err("it cannot be read");
        let in_header = world.driver.proof_header().is_some();
        let wanted = if in_header { ErrorKind::InvalidRequest } else { ErrorKind::Unauthenticated };
        assert_eq!(error.kind(), wanted, "{:?}: {error:?}", String::from_utf8_lossy(&body));
    }
}
