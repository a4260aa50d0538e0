//! Webhooks: what is sent, by what it proves itself, and how often it is tried.

use std::time::Duration;

use billfold_sandbox::{CompleteSession, Delivery, DeliveryState, SandboxConfig};
use serde_json::{Value, json};

use crate::receiver::{Receiver, everything_due_was_sent};
use crate::support::{BUSINESS, CALLBACK_TOKEN, World, config, eventually, id};

/// After the first attempt: 15 minutes, 1, 3, 6, 12 and 24 hours. In seconds, from one to the next.
const GAPS: [u32; 6] = [15 * 60, 45 * 60, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600];

fn last(world: &World) -> Delivery {
    world.control().deliveries().into_iter().rfind(|delivery| delivery.event != "barrier").unwrap()
}

/// Waits until the last webhook was tried that often.
async fn tried(world: &World, times: usize) -> Delivery {
    eventually(&format!("{times} attempts"), || last(world).attempts.len() >= times).await;
    let delivery = last(world);
    assert_eq!(delivery.attempts.len(), times);
    delivery
}

fn statuses(delivery: &Delivery) -> Vec<Option<u16>> {
    delivery.attempts.iter().map(|attempt| attempt.status).collect()
}

#[tokio::test]
async fn a_completed_session_is_told_with_its_token() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    let (session, token) = world.completed(&CompleteSession::default()).await;
    let mut received = receiver.count(2).await;
    received.sort_by_key(|received| received.body["event"].to_string());
    for received in &received {
        assert_eq!(received.headers["x-callback-token"], CALLBACK_TOKEN);
        assert_eq!(received.headers["content-type"], "application/json");
        // A shared token is all; nothing is signed and no id is given.
        assert!(!received.headers.contains_key("webhook-id"));
        let mut fields: Vec<_> = received.body.as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["business_id", "created", "data", "event"]);
        assert_eq!(received.body["business_id"], BUSINESS);
        assert!(received.body["created"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
    let found = world.get(&format!("/sessions/{}", id(&session))).await.ok(200);
    assert_eq!(received[0].body["event"], "payment_session.completed");
    assert_eq!(received[0].body["data"], found);
    assert_eq!(received[0].body["data"]["payment_token_id"], json!(token));
    assert_eq!(received[1].body["event"], "payment_token.activation");
    assert_eq!(received[1].body["data"], world.token(&token).await.ok(200));
}

#[tokio::test]
async fn an_expired_session_is_told_without_token_and_business() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    let session = world.create(&json!({})).await;
    world.control().advance(31 * 60);
    let received = receiver.count(1).await.remove(0);
    assert_eq!(received.body["event"], "payment_session.expired");
    assert_eq!(received.body["business_id"], BUSINESS);
    let mut expected = world.get(&format!("/sessions/{}", id(&session))).await.ok(200);
    assert_eq!(expected["status"], "EXPIRED");
    expected.as_object_mut().unwrap().remove("business_id");
    assert_eq!(received.body["data"], expected);
}

#[tokio::test]
async fn tokens_tell_of_their_changes() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    let pending = CompleteSession { token_status: Some("PENDING".to_owned()), ..CompleteSession::default() };
    let (_, token) = world.completed(&pending).await;
    receiver.count(1).await;
    for (count, status, event) in [
        (2, "ACTIVE", "payment_token.activation"),
        (3, "FAILED", "payment_token.failure"),
        (4, "EXPIRED", "payment_token.expiry"),
    ] {
        assert!(world.control().set_token_status(&token, status, None));
        let received = receiver.count(count).await.pop().unwrap();
        assert_eq!(received.body["event"], event);
        let data = &received.body["data"];
        assert_eq!((&data["status"], &data["payment_token_id"]), (&json!(status), &json!(token)));
        assert_eq!(world.token(&token).await.ok(200)["status"], status);
    }
    // The gateway documents no event for these.
    for status in ["CANCELED", "INACTIVE", "PENDING"] {
        assert!(world.control().set_token_status(&token, status, None));
    }
    world.control().set_token_status(&token, "ACTIVE", None);
    world.cancel_token(&token).await.ok(200);
    everything_due_was_sent(&world).await;
    receiver.count(5).await;
    assert!(!world.control().set_token_status("pt-1", "ACTIVE", None));
}

#[tokio::test]
async fn a_webhook_is_tried_seven_times_in_a_day() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[500, 404, 301, 503, 400, 302, 500]).await;
    world.control().send_test_webhook(false);
    let mut attempts = 1;
    tried(&world, attempts).await;
    for gap in GAPS {
        world.control().advance(gap - 60);
        everything_due_was_sent(&world).await;
        let delivery = tried(&world, attempts).await;
        assert_eq!(delivery.state, DeliveryState::Pending, "a minute before {gap} seconds");
        world.control().advance(60);
        attempts += 1;
        tried(&world, attempts).await;
    }
    let delivery = last(&world);
    assert_eq!(delivery.state, DeliveryState::Failed);
    world.control().advance(7 * 24 * 3600);
    everything_due_was_sent(&world).await;
    tried(&world, 7).await;
    // The time in the envelope is that of the attempt; what is told stays the same.
    let received = receiver.count(7).await;
    let times: std::collections::BTreeSet<_> =
        received.iter().map(|received| received.body["created"].to_string()).collect();
    assert_eq!(times.len(), 7);
    assert!(received.iter().all(|other| other.body["data"] == received[0].body["data"]));
}

#[tokio::test]
async fn any_2xx_ends_it() {
    for accepted in [200, 201, 202, 204, 299] {
        let world = World::start().await;
        let receiver = Receiver::of(&world, &[500, accepted]).await;
        world.control().send_test_webhook(false);
        tried(&world, 1).await;
        world.control().advance(GAPS[0]);
        let delivery = tried(&world, 2).await;
        assert_eq!(delivery.state, DeliveryState::Delivered, "{accepted}");
        assert_eq!(statuses(&delivery), [Some(500), Some(accepted)]);
        world.control().advance(2 * 24 * 3600);
        everything_due_was_sent(&world).await;
        receiver.count(2).await;
    }
}

/// Hanging is worse than failing: a receiver that answers late is not tried again by itself, one that is gone
/// is.
#[tokio::test]
async fn a_receiver_that_is_silent_is_given_up_and_one_that_is_gone_is_tried_again() {
    let world = World::with(SandboxConfig { webhook_timeout: Duration::from_secs(3), ..config() }).await;
    let receiver = Receiver::of(&world, &[0]).await;
    world.control().send_test_webhook(false);
    let delivery = tried(&world, 1).await;
    assert_eq!((statuses(&delivery), delivery.state), (vec![None], DeliveryState::Timeout));
    world.control().advance(2 * 24 * 3600);
    everything_due_was_sent(&world).await;
    assert_eq!(last(&world).attempts.len(), 1);

    world.control().set_webhook(Some("http://127.0.0.1:1/".parse().unwrap()), None);
    assert!(world.control().resend(last(&world).id));
    let delivery = tried(&world, 2).await;
    assert_eq!((statuses(&delivery), delivery.state), (vec![None, None], DeliveryState::Pending));
    world.control().set_webhook(Some(receiver.url.clone()), None);
    world.control().advance(GAPS[1]);
    assert_eq!(tried(&world, 3).await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn the_schedule_can_be_hastened() {
    let world = World::with(SandboxConfig { retry_scale: 60_000, ..config() }).await;
    let receiver = Receiver::of(&world, &[500; 7]).await;
    world.control().send_test_webhook(true);
    eventually("the last attempt", || last(&world).state == DeliveryState::Failed).await;
    receiver.count(7).await;
}

#[tokio::test]
async fn without_an_address_nothing_is_sent_until_one_is_set() {
    let world = World::start().await;
    world.control().send_test_webhook(false);
    assert_eq!(tried(&world, 1).await.state, DeliveryState::UrlNotSet);
    let receiver = Receiver::of(&world, &[]).await;
    assert!(world.control().resend(last(&world).id));
    receiver.count(1).await;
    assert!(!world.control().resend(99));
}

#[tokio::test]
async fn the_token_can_be_changed() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    world.control().set_webhook(Some(receiver.url.clone()), Some("CANARY-new-token"));
    world.control().send_test_webhook(false);
    assert_eq!(receiver.count(1).await[0].headers["x-callback-token"], "CANARY-new-token");
    // The dashboard can send it once more.
    assert!(world.control().resend(1));
    receiver.count(2).await;
}

/// The dashboard's "Test & Save", in both of its spellings.
#[tokio::test]
async fn test_calls_are_about_a_session_that_nobody_knows() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    for (count, other_form, field, absent) in
        [(1, false, "id", "payment_session_id"), (2, true, "payment_session_id", "id")]
    {
        world.control().send_test_webhook(other_form);
        let body = receiver.count(count).await.pop().unwrap().body;
        assert_eq!(body["event"], "payment_session.completed");
        assert_eq!(body["business_id"], "5781d19b2e2385880609791c");
        let data = &body["data"];
        assert_eq!((&data[field], data.get(absent)), (&json!("ps-579c8d61f23fa4ca35e52da4"), None));
        for (field, value) in [
            ("reference_id", json!("test_session")),
            ("amount", json!(100_000)),
            ("status", json!("COMPLETED")),
            ("session_type", json!("SAVE")),
            ("allowed_payment_channels", json!(["CARD", "OVO", "DANA"])),
        ] {
            assert_eq!(data[field], value);
        }
    }
    assert_eq!(world.get("/sessions/ps-579c8d61f23fa4ca35e52da4").await.status, 404);
}

#[tokio::test]
async fn any_webhook_can_be_sent() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    let data = json!({"payment_id": "py-1", "status": "SUCCEEDED"});
    world.control().send_webhook("payment.capture", &data);
    let body: Value = receiver.count(1).await.remove(0).body;
    assert_eq!((&body["event"], &body["data"]), (&json!("payment.capture"), &data));
}
