//! Webhooks at the door: who is let in, what is stored, and when it is acknowledged.

use axum::body::Body;
use billfold_testkit::reference::{Instrument, SECRET_HEADER};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::hostile::{Act, Mood};
use crate::support::{GATEWAY, RIVAL_SECRET, SECRET, TestApp, id};

const MAX_WEBHOOK: usize = 512 * 1024;

fn completed(session: &str) -> String {
    json!({"event": "session.completed", "session": session}).to_string()
}

async fn states(app: &TestApp) -> Vec<Value> {
    app.deliveries().await.iter().map(|delivery| delivery["state"].clone()).collect()
}

#[tokio::test]
async fn without_the_one_right_secret_nothing_is_stored() {
    let app = TestApp::new().await;
    let changed = format!("{}X", &SECRET[..SECRET.len() - 1]);
    let longer = format!("{SECRET}x");
    let lower = SECRET.to_lowercase();
    let wrong: [&[&str]; 11] = [
        &[],
        &[""],
        &["wrong"],
        &[&changed],
        &[&longer],
        &[&lower],
        &[&SECRET[1..]],
        &[RIVAL_SECRET],
        &[SECRET, SECRET],
        &[SECRET, ""],
        &["wrong", SECRET],
    ];
    let bare = app.webhook(GATEWAY, &[], completed("ref-0001")).await.problem(401, "unauthenticated");
    for secrets in wrong {
        // Readable or not: who does not prove to be the gateway learns nothing and leaves nothing.
        for body in [completed("ref-0001"), "{not json".to_owned(), String::new()] {
            let answer = app.webhook(GATEWAY, secrets, body).await;
            assert_eq!(answer.problem(401, "unauthenticated"), bare, "{secrets:?}");
        }
    }
    // An API key is not the gateway's secret, and the secret does not belong anywhere else.
    let path = format!("/webhooks/{GATEWAY}");
    app.call("POST", &path).key(&app.key).json(&json!({})).send().await.problem(401, "unauthenticated");
    app.call("POST", &format!("{path}?secret={SECRET}&{SECRET_HEADER}={SECRET}"))
        .header("authorization", &format!("Bearer {SECRET}"))
        .header("cookie", &format!("{SECRET_HEADER}={SECRET}"))
        .json(&json!({}))
        .send()
        .await
        .problem(401, "unauthenticated");
    assert!(app.deliveries().await.is_empty());
}

/// Some gateways want another status than 401; nothing else of the answer changes.
#[tokio::test]
async fn an_unproven_webhook_is_refused_as_its_gateway_wants_it() {
    for (wanted, status) in [(498, 498), (403, 403), (200, 401), (302, 401), (599, 401), (7, 401)] {
        let app = TestApp::refusing_webhooks_with(wanted).await;
        for secrets in [&[][..], &["wrong"], &[SECRET, SECRET]] {
            let answer = app.webhook(GATEWAY, secrets, completed("ref-0001")).await;
            answer.problem(status, "unauthenticated");
            let challenged = !answer.header("www-authenticate").is_empty();
            assert_eq!(challenged, status == 401, "{answer:?}");
        }
        // What a missing body, gateway or API key is answered with is not the gateway's to say.
        app.webhook("nobody", &["wrong"], completed("ref-0001")).await.problem(404, "not_found");
        app.call("GET", "/v1/deliveries").send().await.problem(401, "unauthenticated");
        assert!(app.deliveries().await.is_empty());
        app.webhook(GATEWAY, &[SECRET], completed("ref-0001")).await.expect(200);
    }
}

#[tokio::test]
async fn a_webhook_is_stored_acknowledged_and_worked_on_later() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    app.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    let calls = app.gateway.calls();
    let answer = app.webhook(GATEWAY, &[SECRET], completed("ref-0001")).await;
    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(states(&app).await, ["received"]);
    assert_eq!(app.gateway.calls(), calls, "the gateway waits for its answer and is not called meanwhile");
    let path = format!("/v1/sessions/{}", id(&session));
    assert_eq!(app.get(&path).await.ok(200)["status"], "active");
    app.work().await;
    assert_eq!(states(&app).await, ["done"]);
    let settled = app.get(&path).await.ok(200);
    assert_eq!((&settled["status"], &settled["settled_via"]), (&json!("completed"), &json!("webhook")));
}

#[tokio::test]
async fn a_repeated_webhook_is_acknowledged_and_counted() {
    let app = TestApp::new().await;
    for _ in 0..3 {
        assert_eq!(app.webhook(GATEWAY, &[SECRET], completed("ref-0001")).await.status, 200);
    }
    let deliveries = app.deliveries().await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0]["received_count"], 3);
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_as_evidence() {
    let app = TestApp::new().await;
    let bodies: [&[u8]; 6] = [b"", b"{not json", b"{}", b"[]", b"\xff\xfe\x00", b"event=session.completed"];
    for (stored, body) in bodies.iter().enumerate() {
        let answer = app.webhook(GATEWAY, &[SECRET], body.to_vec()).await;
        assert_eq!(answer.pointers(), [""]);
        assert_eq!(states(&app).await, vec!["unreadable"; stored + 1]);
    }
    app.work().await;
    assert_eq!(states(&app).await, vec!["unreadable"; bodies.len()]);
    let unreadable = app.get("/v1/deliveries?state=unreadable").await;
    assert!(!unreadable.text().contains("not json"), "a body is shown: {unreadable:?}");
}

/// An event that matched nothing is worked on again when somebody asks for it, and the audit trail says who.
#[tokio::test]
async fn a_webhook_is_worked_on_again_on_request() {
    let app = TestApp::new().await;
    app.webhook(GATEWAY, &[SECRET], completed("ref-0001")).await.expect(200);
    app.work().await;
    assert_eq!(states(&app).await, ["parked"]);
    let session = app.start("c-1").await;
    app.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    let delivery = app.get("/v1/deliveries").await.ok(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/deliveries/{delivery}/replay");
    let replayed = app.call("POST", &path).key(&app.key).send().await.ok(200);
    assert_eq!((&replayed["state"], &replayed["attempts"]), (&json!("received"), &json!(0)));
    app.work().await;
    assert_eq!(states(&app).await, ["done"]);
    let session = app.get(&format!("/v1/sessions/{}", session["id"].as_str().unwrap())).await.ok(200);
    assert_eq!(session["status"], "completed");
    // Once more does no harm.
    app.call("POST", &path).key(&app.key).send().await.expect(200);
    app.work().await;
    assert_eq!(states(&app).await, ["done"]);
    let trail = app.get("/v1/audit").await.ok(200).to_string();
    assert_eq!(trail.matches("delivery.replay").count(), 2);

    let unreadable = app.webhook(GATEWAY, &[SECRET], "not json".to_owned()).await;
    assert_eq!(unreadable.pointers(), [""]);
    let id = app.get("/v1/deliveries?state=unreadable").await.ok(200)["data"][0]["id"].clone();
    let path = format!("/v1/deliveries/{}/replay", id.as_str().unwrap());
    app.call("POST", &path).key(&app.key).send().await.problem(409, "conflict");
}

/// The gateway decides what it sends and how it calls it; only the body counts.
#[tokio::test]
async fn content_type_and_query_do_not_matter() {
    let app = TestApp::new().await;
    for (number, content_type) in ["text/plain", "application/x-www-form-urlencoded", ""].iter().enumerate() {
        let path = format!("/webhooks/{GATEWAY}?attempt={number}&nonsense");
        let call = app.call("POST", &path).body(content_type, completed(&format!("ref-{number}")));
        call.header(SECRET_HEADER, SECRET).send().await.expect(200);
    }
    let bare = app.call("POST", &format!("/webhooks/{GATEWAY}")).header(SECRET_HEADER, SECRET);
    bare.send().await.expect(400);
    let mut states = states(&app).await;
    states.sort_by_key(ToString::to_string);
    assert_eq!(states, ["received", "received", "received", "unreadable"]);
}

#[tokio::test]
async fn size_is_limited_to_512_kib() {
    let app = TestApp::new().await;
    let body = completed("ref-0001");
    let padded = |size: usize| format!("{body}{}", " ".repeat(size - body.len()));
    app.webhook(GATEWAY, &[SECRET], padded(MAX_WEBHOOK + 1)).await.problem(413, "payload_too_large");
    let chunks = (0..600).map(|_| Ok::<_, std::convert::Infallible>(Bytes::from(vec![b' '; 1024])));
    let endless = Body::from_stream(futures::stream::iter(chunks));
    app.webhook(GATEWAY, &[SECRET], endless).await.problem(413, "payload_too_large");
    let half =
        [Ok(Bytes::from(completed("ref-0001"))), Err(std::io::Error::other("CANARY: connection reset"))];
    let half = Body::from_stream(futures::stream::iter(half));
    app.webhook(GATEWAY, &[SECRET], half).await.problem(413, "payload_too_large");
    assert!(app.deliveries().await.is_empty());
    app.webhook(GATEWAY, &[SECRET], padded(MAX_WEBHOOK)).await.expect(200);
    assert_eq!(app.deliveries().await.len(), 1);
}

#[tokio::test]
async fn an_unknown_gateway_is_not_found_whatever_is_sent() {
    let app = TestApp::new().await;
    for name in ["nobodys-cards", "Shop-Cards", "shop%2Dcards%00", "shop-cards%20", "%FF", "..", "-"] {
        for secrets in [vec![], vec![SECRET], vec![SECRET, SECRET]] {
            app.webhook(name, &secrets, completed("ref-0001")).await.problem(404, "not_found");
        }
    }
    assert!(app.deliveries().await.is_empty());
}

/// Whoever is told 200 never sends it again.
#[tokio::test]
async fn what_could_not_be_stored_is_not_acknowledged() {
    let app = TestApp::new().await;
    for (mood, status, code) in [
        (Mood::Down, 503, "store_unavailable"),
        (Mood::Broken, 503, "store_unavailable"),
        (Mood::Panics, 500, "internal"),
    ] {
        for body in [completed("ref-0001"), "{not json".to_owned()] {
            app.store.feel(mood);
            app.webhook(GATEWAY, &[SECRET], body).await.problem(status, code);
            app.store.feel(Mood::Well);
            assert!(app.deliveries().await.is_empty(), "{mood:?}");
        }
    }
    app.webhook(GATEWAY, &[SECRET], completed("ref-0001")).await.expect(200);
    assert_eq!(states(&app).await, ["received"]);
}

#[tokio::test]
async fn a_provider_that_panics_over_a_body_lets_nobody_in() {
    let app = TestApp::new().await;
    app.provider.order("read_webhook", Act::Panic);
    app.webhook(GATEWAY, &[SECRET], completed("ref-0001")).await.problem(401, "unauthenticated");
    app.provider.behave();
    assert!(app.deliveries().await.is_empty());
    app.webhook(GATEWAY, &[SECRET], completed("ref-0001")).await.expect(200);
}
