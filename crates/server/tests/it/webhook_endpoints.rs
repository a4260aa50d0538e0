//! Webhook endpoints over the API: what they may be, and that their secrets are shown once. That they are served is
//! shown over real HTTP by the whole program, and step by step in core.

use billfold_core::scope::Scope;
use billfold_testkit::process::free_port;
use serde_json::{Value, json};

use crate::support::{TestApp, id, issue_with, rows, tenant};

const PATH: &str = "/v1/webhook-endpoints";

async fn make(app: &TestApp) -> Value {
    app.post(PATH, &json!({"url": "https://shop.example/hooks"})).await.ok(201)
}

#[tokio::test]
async fn an_endpoint_is_made_shown_changed_and_deleted() {
    let app = TestApp::new().await;
    let body =
        json!({"url": "https://shop.example/hooks?a=b", "events": ["session.*"], "description": "the shop"});
    let answer = app.post(PATH, &body).await;
    let mut made = answer.ok(201);
    let path = format!("{PATH}/{}", id(&made));
    assert_eq!(answer.header("location"), path);
    let secret = made.as_object_mut().unwrap().remove("secret").unwrap();
    assert!(
        secret.as_str().unwrap().starts_with("whsec_") && secret.as_str().unwrap().len() == 50,
        "{secret}"
    );
    assert_eq!(app.get(&path).await.ok(200), made);
    for (member, expected) in [
        ("object", json!("webhook_endpoint")),
        ("url", body["url"].clone()),
        ("events", body["events"].clone()),
        ("state", json!("enabled")),
        ("disabled_reason", Value::Null),
        ("failing_since", Value::Null),
        ("previous_secret_until", Value::Null),
    ] {
        assert_eq!(made[member], expected, "{member}");
    }
    let change = async |body: Value| app.call("PATCH", &path).key(&app.key).json(&body).send().await.ok(200);
    let changed = change(json!({"state": "disabled", "description": ""})).await;
    assert_eq!((&changed["state"], &changed["disabled_reason"]), (&json!("disabled"), &json!("requested")));
    assert_eq!(
        (&changed["description"], &changed["url"]),
        (&Value::Null, &body["url"]),
        "what is left out stays"
    );
    assert_eq!(change(json!({})).await, changed, "nothing is changed by nothing");
    assert_eq!(change(json!({"state": "enabled"})).await["disabled_reason"], Value::Null);
    app.call("DELETE", &path).key(&app.key).send().await.ok(200);
    app.get(&path).await.problem(404, "not_found");
    assert!(rows(&app.get(PATH).await.ok(200)).is_empty());
}

#[tokio::test]
async fn urls_that_must_not_be_called_are_refused_when_made_and_when_changed() {
    let app = TestApp::new().await;
    let made = make(&app).await;
    let path = format!("{PATH}/{}", id(&made));
    for url in [
        "",
        "shop.example",
        "http://shop.example/",
        "ftp://shop.example/",
        "https://user:word@shop.example/",
        "https://shop.example/#x",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.100.100.200/",
        "https://[fd00::1]/",
        "http://127.0.0.1:8080/",
    ] {
        assert_eq!(app.post(PATH, &json!({"url": url})).await.pointers(), ["/url"], "{url}");
        let change = app.call("PATCH", &path).key(&app.key).json(&json!({"url": url})).send().await;
        assert_eq!(change.pointers(), ["/url"], "{url}");
    }
    for (events, pointer) in [
        (json!([]), "/events"),
        (json!(["nonsense"]), "/events/0"),
        (json!(["*", "sesssion.*"]), "/events/1"),
        (json!([7]), "/events/0"),
        (json!("*"), "/events"),
    ] {
        let body = json!({"url": "https://shop.example/", "events": events});
        assert_eq!(app.post(PATH, &body).await.pointers(), [pointer], "{events}");
    }
    let body = json!({"url": "https://shop.example/", "description": "a\nb"});
    assert_eq!(app.post(PATH, &body).await.pointers(), ["/description"]);
    let body = json!({"state": "gone"});
    let answer = app.call("PATCH", &path).key(&app.key).json(&body).send().await;
    assert_eq!(answer.pointers(), ["/state"]);
    assert_eq!(rows(&app.get(PATH).await.ok(200)).len(), 1);
}

#[tokio::test]
async fn secrets_are_shown_once_and_stand_in_no_trail() {
    let app = TestApp::new().await;
    let made = make(&app).await;
    let path = format!("{PATH}/{}", id(&made));
    let rotate = json!({"overlap_seconds": 3600});
    let rotated = app.post(&format!("{path}/rotate-secret"), &rotate).await.ok(200);
    let secrets = [made["secret"].as_str().unwrap(), rotated["secret"].as_str().unwrap()];
    assert_ne!(secrets[0], secrets[1]);
    assert!(rotated["previous_secret_until"].is_string());
    app.call("DELETE", &path).key(&app.key).send().await.ok(200);
    let audit = app.get("/v1/audit?limit=100").await;
    let actions: Vec<String> =
        rows(&audit.ok(200)).iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    for action in ["create", "rotate_secret", "delete"] {
        assert!(actions.contains(&format!("webhook_endpoint.{action}")), "{actions:?}");
    }
    for list in ["/v1/audit?limit=100", "/v1/events", PATH] {
        let text = app.get(list).await.text().to_owned();
        assert!(secrets.iter().all(|secret| !text.contains(&secret[6..])), "{list} shows a secret");
    }
    assert_eq!(app.post("/v1/audit/verify", &json!({})).await.ok(200)["broken_at"], Value::Null);
}

#[tokio::test]
async fn a_tenant_has_fifty_endpoints_at_most() {
    let app = TestApp::new().await;
    for _ in 0..50 {
        make(&app).await;
    }
    let one_more = app.post(PATH, &json!({"url": "https://shop.example/hooks"})).await;
    assert!(one_more.problem(409, "conflict")["detail"].as_str().unwrap().contains("at most 50"));
    app.call("POST", PATH)
        .key(&app.rival_key)
        .json(&json!({"url": "https://rival.example/"}))
        .send()
        .await
        .ok(201);
}

#[tokio::test]
async fn payment_keys_cannot_redirect_events() {
    let app = TestApp::new().await;
    let key = issue_with(&app.app, &tenant(), [Scope::Payments].into_iter().collect()).await;
    let body = json!({"url": "https://shop.example/hooks"});
    app.call("POST", PATH).key(&key).json(&body).send().await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_replay_says_since_when() {
    let app = TestApp::new().await;
    let replay = format!("{PATH}/{}/replay", id(&make(&app).await));
    assert_eq!(app.post(&replay, &json!({})).await.pointers(), [""]);
    assert_eq!(app.post(&replay, &json!({"since": "yesterday"})).await.pointers(), ["/since"]);
    let done = app.post(&replay, &json!({"since": "2026-03-01T00:00:00Z"})).await.ok(200);
    assert_eq!((&done["object"], &done["replayed"]), (&json!("webhook_replay"), &json!(0)));
}

#[tokio::test]
async fn one_delivery_shows_each_of_its_attempts() {
    let keys = ["server.development", "webhooks.allow_private_networks"];
    let app = TestApp::with(Vec::new(), keys.map(|key| (key.to_owned(), json!(true))).into()).await;
    // Nobody listens there.
    let url = format!("http://127.0.0.1:{}/", free_port());
    let endpoint = app.post(PATH, &json!({"url": url, "events": ["payment_method.saved"]})).await.ok(201);
    app.save_card("c-1", "one").await;
    let billfold = app.app.billfold();
    billfold.fan_out_events(100).await.unwrap();
    let endpoint_id = id(&endpoint).parse().unwrap();
    assert_eq!(billfold.send_webhooks(&tenant(), endpoint_id, 10).await.unwrap(), 1);
    let list = format!("{PATH}/{}/deliveries", id(&endpoint));
    let listed = rows(&app.get(&list).await.ok(200))[0].clone();
    assert_eq!((listed["last_error"].clone(), listed.get("history")), (json!("connect"), None));
    let path = format!("{list}/{}", id(&listed));
    let mut shown = app.get(&path).await.ok(200);
    let history = shown.as_object_mut().unwrap().remove("history").unwrap();
    assert_eq!(shown, listed, "the same delivery");
    let mut attempt = history[0].clone();
    let members = attempt.as_object_mut().unwrap();
    assert!(members.remove("at").unwrap().is_string() && members.remove("duration_ms").unwrap().is_u64());
    assert_eq!(attempt, json!({"number": 1, "status": null, "error": "connect"}));
    let replayed = app.post(&format!("{path}/replay"), &json!({})).await;
    assert_eq!(replayed.ok(200)["history"], history);
    app.get(&format!("{list}/dlv_{:032x}", 7)).await.problem(404, "not_found");
}
