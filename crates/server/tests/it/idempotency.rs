//! `Idempotency-Key` at the door: a request that is sent again is answered again and done once.

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use billfold_core::scope::Scope;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::hostile::Act;
use crate::support::{Answer, TestApp, id, issue_with, rows, session_body, tenant, with};

const KEY: &str = "order-42/attempt 1";

async fn send(app: &TestApp, path: &str, body: &Value, key: &str) -> Answer {
    app.call("POST", path).key(&app.key).json(body).header("idempotency-key", key).send().await
}

async fn start(app: &TestApp, key: &str) -> Answer {
    send(app, "/v1/sessions", &session_body(), key).await
}

async fn sessions(app: &TestApp) -> usize {
    rows(&app.get("/v1/sessions?limit=100").await.ok(200)).len()
}

fn is_replayed(answer: &Answer) -> bool {
    let replayed = answer.header("idempotency-replayed");
    assert!(replayed.is_empty() || replayed == "true", "{answer:?}");
    !replayed.is_empty()
}

#[tokio::test]
async fn a_session_is_started_once_and_answered_twice() {
    let app = TestApp::new().await;
    let first = start(&app, KEY).await;
    let session = first.ok(201);
    assert!(!is_replayed(&first));
    let calls = app.gateway.calls();
    for _ in 0..2 {
        let again = start(&app, KEY).await;
        assert_eq!(again.ok(201), session, "the link with it");
        assert!(is_replayed(&again));
        for name in ["location", "content-type"] {
            assert_eq!(again.header(name), first.header(name));
        }
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!((sessions(&app).await, app.gateway.calls()), (1, calls));
    assert_ne!(start(&app, "another").await.ok(201)["id"], session["id"]);
    assert_ne!(app.post("/v1/sessions", &session_body()).await.ok(201)["id"], session["id"], "without a key");
}

#[tokio::test]
async fn a_key_with_another_request_is_refused() {
    let app = TestApp::new().await;
    start(&app, KEY).await.ok(201);
    let other = with(&session_body(), "/currency", json!("PHP"));
    let refused = send(&app, "/v1/sessions", &other, KEY).await;
    assert!(
        refused.problem(422, "idempotency_key_reused")["detail"]
            .as_str()
            .unwrap()
            .contains("Idempotency-Key")
    );
    // Not even by a blank: what was signed, logged or stored elsewhere were these bytes.
    let spaced = format!(" {}", session_body());
    let call = app.call("POST", "/v1/sessions").key(&app.key).body("application/json", spaced);
    call.header("idempotency-key", KEY).send().await.problem(422, "idempotency_key_reused");
    assert_eq!(sessions(&app).await, 1);
    // Another route and another tenant have keys of their own.
    send(&app, "/v1/api-keys", &json!({"name": "x"}), KEY).await.ok(201);
    let body = json!({"url": "https://rival.example/hooks"});
    let mine = send(&app, "/v1/webhook-endpoints", &body, KEY).await.ok(201);
    let rival = app.call("POST", "/v1/webhook-endpoints").key(&app.rival_key).json(&body);
    let rival = rival.header("idempotency-key", KEY).send().await;
    assert_ne!(rival.ok(201)["id"], mine["id"]);
    assert!(!is_replayed(&rival));
}

#[tokio::test]
async fn thirty_two_at_once_start_one_session() {
    let app = TestApp::new().await;
    let answers = join_all((0..32).map(|_| start(&app, KEY))).await;
    let (good, busy): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(!good.is_empty());
    for answer in busy {
        answer.problem(409, "idempotency_key_in_use");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let session = start(&app, KEY).await.ok(201);
    assert!(good.iter().all(|answer| answer.ok(201)["id"] == session["id"]));
    assert_eq!(sessions(&app).await, 1);
    assert_eq!(app.gateway.sessions().len(), 1);
}

#[tokio::test]
async fn while_the_first_is_running_the_second_waits_even_if_the_client_has_gone() {
    let app = TestApp::new().await;
    app.provider.order("create_session", Act::Hang);
    let asked = async {
        while app.provider.hung() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = start(&app, KEY) => panic!("the gateway never answers: {answer:?}"),
        () = asked => {}
    }
    assert_eq!(start(&app, KEY).await.problem(409, "idempotency_key_in_use")["retry_after"], 1);
    app.provider.behave();
    start(&app, KEY).await.problem(409, "idempotency_key_in_use");
    start(&app, "another").await.ok(201);
    assert_eq!(sessions(&app).await, 2, "the one that hangs, and another");
}

/// A client that goes away while it is served finds the answer when it comes back.
#[tokio::test]
async fn what_a_lost_client_began_is_finished_and_kept() {
    let app = TestApp::new().await;
    for number in 0..20 {
        let key = format!("key-{number}");
        let moment = std::time::Duration::from_micros(number * 40);
        let _lost = tokio::time::timeout(moment, start(&app, &key)).await;
        let mut again = start(&app, &key).await;
        while again.status == 409 {
            tokio::task::yield_now().await;
            again = start(&app, &key).await;
        }
        again.ok(201);
    }
    assert_eq!(sessions(&app).await, 20);
}

#[tokio::test]
async fn trouble_is_not_kept() {
    let app = TestApp::new().await;
    for (act, status) in [
        (Act::Fail(ErrorKind::GatewayRejected, Retry::Never), 502),
        (Act::Fail(ErrorKind::GatewayUnavailable, Retry::OutcomeUnknown), 504),
        (Act::Fail(ErrorKind::Conflict, Retry::Never), 409),
        (Act::Panic, 500),
    ] {
        app.provider.order("create_session", act);
        let answer = start(&app, KEY).await;
        assert!(answer.expect(status).header("idempotency-replayed").is_empty(), "{answer:?}");
    }
    app.provider.order("validate", Act::Panic);
    start(&app, KEY).await.problem(500, "internal");
    app.provider.behave();
    assert!(!is_replayed(&start(&app, KEY).await));
    let again = start(&app, KEY).await;
    again.ok(201);
    assert!(is_replayed(&again));
}

#[tokio::test]
async fn a_refusal_is_an_answer_too() {
    let app = TestApp::new().await;
    let body = with(&session_body(), "/currency", json!("nonsense"));
    let first = send(&app, "/v1/sessions", &body, KEY).await;
    let again = send(&app, "/v1/sessions", &body, KEY).await;
    assert_eq!(again.problem(400, "invalid_request"), first.problem(400, "invalid_request"));
    assert_eq!(again.pointers(), ["/currency"]);
    assert!(is_replayed(&again) && !is_replayed(&first));
    // Who is not let in takes no key.
    let call = |key: &str| {
        app.call("POST", "/v1/sessions").key(key).json(&session_body()).header("idempotency-key", "k")
    };
    call("bf_nonsense").send().await.problem(401, "unauthenticated");
    call(&app.key).send().await.ok(201);
}

#[tokio::test]
async fn a_secret_is_given_again_to_whoever_may_have_it_and_to_nobody_else() {
    let app = TestApp::new().await;
    let body = json!({"name": "backend", "scopes": ["payments"]});
    let made = send(&app, "/v1/api-keys", &body, KEY).await.ok(201);
    assert_eq!(send(&app, "/v1/api-keys", &body, KEY).await.ok(201), made, "its secret with it");
    assert_eq!(rows(&app.get("/v1/api-keys").await.ok(200)).len(), 2);
    let lesser = issue_with(&app.app, &tenant(), [Scope::Admin].into_iter().collect()).await;
    let call = app.call("POST", "/v1/api-keys").key(&lesser).json(&body).header("idempotency-key", KEY);
    let refused = call.send().await;
    refused.problem(422, "idempotency_key_reused");
    assert!(!refused.text().contains(made["secret"].as_str().unwrap()));

    let endpoint = json!({"url": "https://shop.example/hooks"});
    let endpoint = send(&app, "/v1/webhook-endpoints", &endpoint, KEY).await.ok(201);
    let rotate = format!("/v1/webhook-endpoints/{}/rotate-secret", id(&endpoint));
    let secret = send(&app, &rotate, &json!({}), KEY).await.ok(200)["secret"].clone();
    assert_eq!(send(&app, &rotate, &json!({}), KEY).await.ok(200)["secret"], secret);
    let record = json!({"owner": "o", "kind": "k", "value": "CANARY-value", "allow_duplicates": true});
    let record = async || send(&app, "/v1/vault/records", &record, KEY).await.ok(201)["id"].clone();
    assert_eq!(record().await, record().await);
}

#[tokio::test]
async fn a_key_is_printable_and_comes_once() {
    let app = TestApp::new().await;
    let long = "k".repeat(255);
    for good in ["k", "\"quoted\"", "a b", "~!@#$%^&*()", "CANARY-key", &long] {
        start(&app, good).await.ok(201);
    }
    let before = sessions(&app).await;
    let call = || app.call("POST", "/v1/sessions").key(&app.key).json(&session_body());
    let longer = "k".repeat(256);
    for bad in [b"".as_slice(), b"a\tb", b"\xc3\xa4", b"\xff", longer.as_bytes()] {
        let answer = call().raw_header("idempotency-key", bad).send().await;
        assert_eq!(answer.pointers(), [""], "{bad:?}");
        assert!(answer.text().contains("Idempotency-Key: expected 1 to 255"), "{answer:?}");
    }
    let twice = call().header("idempotency-key", "a").header("idempotency-key", "a").send().await;
    assert_eq!(twice.pointers(), [""]);
    assert_eq!(sessions(&app).await, before);
}

#[tokio::test]
async fn where_a_repeat_is_harmless_no_key_is_looked_at() {
    let app = TestApp::new().await;
    let customer = async |email: &str| {
        let body = json!({"reference": "c-1", "email": email});
        send(&app, "/v1/customers", &body, KEY).await
    };
    customer("one@example.com").await.ok(201);
    let second = customer("two@example.com").await;
    assert_eq!(second.ok(200)["profile"]["email"], "two@example.com");
    assert!(!is_replayed(&second));
    let get = app.call("GET", "/v1/sessions").key(&app.key).header("idempotency-key", "").send().await;
    get.ok(200);
}

#[tokio::test]
async fn an_erased_customer_is_in_no_kept_answer() {
    let app = TestApp::new().await;
    let session = start(&app, KEY).await.ok(201);
    let customer = format!("/v1/customers/{}", session["customer_id"].as_str().unwrap());
    app.call("DELETE", &customer).key(&app.key).send().await.ok(200);
    let again = start(&app, KEY).await;
    again.problem(410, "gone");
    assert!(!again.text().contains(id(&session)));
    assert_eq!(sessions(&app).await, 0, "and no session is started for somebody who was erased");
}
