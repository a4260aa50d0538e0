//! The control API over HTTP: everything that the Rust methods do.

use billfold_sandbox::DeliveryState;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::support::{Answer, World, id, send};

/// Calls the control API, which wants no key.
async fn control(world: &World, method: &str, path: &str, body: &Value) -> Answer {
    let request = world.bare(method, &format!("/_sandbox/{path}"));
    send(if body.is_null() { request } else { request.json(body) }).await
}

async fn done(world: &World, method: &str, path: &str, body: Value) {
    let answer = control(world, method, path, &body).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{method} {path} {body}");
}

#[tokio::test]
async fn a_customer_is_played() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    let path = format!("sessions/{}", id(&session));
    done(&world, "POST", &format!("{path}/fail"), json!({"failure_code": "CARD_DECLINED"})).await;
    assert_eq!(world.status(&session).await, "ACTIVE");
    let chosen = json!({"channel_code": "OVO", "card_number": null, "token_status": "PENDING"});
    let completed = control(&world, "POST", &format!("{path}/complete"), &chosen).await.ok(200);
    let token = completed["payment_token_id"].as_str().unwrap();
    assert_eq!(world.status(&session).await, "COMPLETED");
    let found = world.token(token).await.ok(200);
    assert_eq!((&found["channel_code"], &found["status"]), (&json!("OVO"), &json!("PENDING")));
    done(&world, "POST", &format!("tokens/{token}/status"), json!({"status": "ACTIVE"})).await;
    let failed = json!({"status": "FAILED", "failure_code": "ISSUER_UNAVAILABLE"});
    done(&world, "POST", &format!("tokens/{token}/status"), failed).await;
    assert_eq!(world.token(token).await.ok(200)["failure_code"], "ISSUER_UNAVAILABLE");
    assert_eq!(control(&world, "GET", "sessions", &Value::Null).await.ok(200)[0]["status"], "COMPLETED");
    assert_eq!(control(&world, "GET", "tokens", &Value::Null).await.ok(200).as_array().unwrap().len(), 2);

    let late = world.create(&json!({})).await;
    done(&world, "POST", &format!("sessions/{}/expire", id(&late)), Value::Null).await;
    assert_eq!(world.status(&late).await, "EXPIRED");
    let later = world.create(&json!({})).await;
    done(&world, "POST", "clock/advance", json!({"seconds": 1801})).await;
    assert_eq!(world.status(&later).await, "EXPIRED");
}

#[tokio::test]
async fn webhooks_are_directed_and_shown() {
    let world = World::start().await;
    let receiver = Receiver::start(&[]).await;
    done(&world, "PUT", "webhook", json!({"url": receiver.url, "callback_token": "CANARY-new"})).await;
    done(&world, "POST", "webhook/test", Value::Null).await;
    let received = receiver.count(2).await;
    assert!(received.iter().all(|received| received.headers["x-callback-token"] == "CANARY-new"));
    done(&world, "POST", "deliveries/1/resend", Value::Null).await;
    receiver.count(3).await;
    done(&world, "PUT", "channel", json!({"drop": 1, "hold": true})).await;
    done(&world, "POST", "webhook/test", Value::Null).await;
    let states: Vec<_> = world.control().deliveries().iter().map(|delivery| delivery.state).collect();
    assert_eq!(states[2..], [DeliveryState::Dropped, DeliveryState::Held]);
    done(&world, "POST", "channel/release", Value::Null).await;
    receiver.count(4).await;
    let answer = control(&world, "GET", "deliveries", &Value::Null).await;
    assert!(!answer.text.contains("CANARY"), "{}", answer.text);
    let deliveries = answer.ok(200);
    assert_eq!((&deliveries[0]["id"], &deliveries[2]["state"]), (&json!(1), &json!("dropped")));
    assert_eq!(deliveries[0]["event"], "payment_session.completed");
    done(&world, "PUT", "webhook", json!({"url": null})).await;
}

#[tokio::test]
async fn faults_and_behaviour_are_ordered() {
    let world = World::start().await;
    for fault in [
        json!("timeout_before"),
        json!("timeout_after"),
        json!({"status": 500}),
        json!({"html": 502}),
        json!("rate_limited"),
        json!("redirect"),
        json!("truncated_json"),
        json!({"delay": 1500}),
        json!("reset"),
        json!("oversize"),
    ] {
        done(&world, "POST", "faults", json!({"method": "POST", "path_prefix": "/sessions", "fault": fault}))
            .await;
    }
    done(&world, "DELETE", "faults", Value::Null).await;
    done(&world, "POST", "faults", json!({"fault": {"status": 503}})).await;
    assert_eq!(world.get("/sessions/ps-1").await.status, 503);
    done(&world, "PUT", "behaviour", json!({"complete_on_create": true})).await;
    let session = world.create(&json!({})).await;
    assert_eq!(world.status(&session).await, "COMPLETED");
    let requests = control(&world, "GET", "requests", &Value::Null).await.ok(200);
    assert_eq!(requests.as_array().unwrap().len(), 3);
    done(&world, "DELETE", "requests", Value::Null).await;
    assert!(world.control().requests().is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::start().await;
    let session = id(&world.create(&json!({})).await);
    for (path, body) in [
        ("sessions/ps-1/complete", json!({})),
        ("sessions/ps-1/fail", json!({"failure_code": "X"})),
        ("sessions/ps-1/expire", Value::Null),
        ("tokens/pt-1/status", json!({"status": "ACTIVE"})),
        ("deliveries/1/resend", Value::Null),
        (&*format!("sessions/{session}/complete"), json!({"channel_code": "GCASH"})),
        (&*format!("sessions/{session}/complete"), json!({"card_number": "4111111111111111"})),
    ] {
        assert_eq!(control(&world, "POST", path, &body).await.status, 404, "{path} {body}");
    }
}

#[tokio::test]
async fn orders_that_are_misspelt_are_refused() {
    let world = World::start().await;
    let session = id(&world.create(&json!({})).await);
    for (method, path, body) in [
        ("POST", format!("sessions/{session}/complete"), json!({"channel": "OVO"})),
        ("POST", format!("sessions/{session}/fail"), json!({})),
        ("PUT", "channel".to_owned(), json!({"drops": 1})),
        ("PUT", "webhook".to_owned(), json!({"url": "nonsense"})),
        ("PUT", "behaviour".to_owned(), json!({"complete": true})),
        ("POST", "faults".to_owned(), json!({"fault": "no such fault"})),
        ("POST", "faults".to_owned(), json!({"fault": "reset", "path": "/sessions"})),
        ("POST", "clock/advance".to_owned(), json!({"minutes": 1})),
    ] {
        let answer = control(&world, method, &path, &body).await;
        assert_eq!(answer.status, 422, "{method} {path} {body}: {answer:?}");
    }
}
