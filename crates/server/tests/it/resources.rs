//! What goes well: statuses, addresses and shapes of the answers that clients build on.

use serde_json::{Value, json};

use crate::support::{GATEWAY, SECRET, TestApp, id, rows, session_body, with};

#[tokio::test]
async fn a_session_is_started_shown_and_canceled() {
    let app = TestApp::new().await;
    let answer = app.post("/v1/sessions", &session_body()).await;
    let started = answer.ok(201);
    assert_eq!(answer.header("location"), format!("/v1/sessions/{}", id(&started)));
    assert_eq!(started["status"], "active");
    assert_eq!(started["next"], json!({"type": "redirect", "url": "https://pay.example/ref-0001"}));
    assert_eq!(app.get(answer.header("location")).await.ok(200), started);
    // The link lets its bearer act as the customer: it is shown where it was asked for alone.
    let listed = app.get("/v1/sessions").await.ok(200);
    assert_eq!(rows(&listed)[0]["id"], started["id"]);
    assert!(rows(&listed)[0].get("next").is_none());

    let cancel = format!("/v1/sessions/{}/cancel", id(&started));
    let canceled = app.call("POST", &cancel).key(&app.key).send().await.ok(200);
    assert_eq!((&canceled["status"], canceled.get("next")), (&json!("canceled"), None));
    assert_eq!(app.call("POST", &cancel).key(&app.key).send().await.ok(200)["status"], "canceled");
}

#[tokio::test]
async fn a_finished_session_cannot_be_canceled() {
    let app = TestApp::new().await;
    let session = app.save_card("c-1", "one").await;
    let cancel = format!("/v1/sessions/{}/cancel", id(&session));
    app.call("POST", &cancel).key(&app.key).send().await.problem(409, "conflict");
}

#[tokio::test]
async fn a_customer_is_made_once_and_then_updated() {
    let app = TestApp::new().await;
    let body = json!({"reference": "c-1", "given_names": "Lorem", "email": "one@example.com"});
    let answer = app.post("/v1/customers", &body).await;
    let made = answer.ok(201);
    assert_eq!(answer.header("location"), format!("/v1/customers/{}", id(&made)));
    assert_eq!(made["profile"], json!({"given_names": "Lorem", "email": "one@example.com"}));
    assert_eq!(app.get(answer.header("location")).await.ok(200), made);
    // Nothing is made by saying the same again, nor by saying something else.
    let again = app.post("/v1/customers", &body).await;
    assert_eq!((again.ok(200), again.header("location")), (made.clone(), ""));
    let changed = app.post("/v1/customers", &with(&body, "/email", json!("two@example.com"))).await.ok(200);
    assert_eq!((&changed["id"], &changed["profile"]["email"]), (&made["id"], &json!("two@example.com")));
    assert_eq!(rows(&app.get("/v1/customers?reference=c-1").await.ok(200)), &vec![changed]);
    assert_eq!(app.get("/v1/customers?reference=c-2").await.ok(200), json!({"data": [], "has_more": false}));
}

#[tokio::test]
async fn a_method_is_shown_chosen_and_deleted() {
    let app = TestApp::new().await;
    let session = app.save_card("c-1", "one").await;
    let second = app.save_card("c-1", "two").await;
    let list = format!("/v1/customers/{}/payment-methods", session["customer_id"].as_str().unwrap());
    let defaults = async || {
        let methods = app.get(&list).await.ok(200);
        let default = |method: &&Value| method["is_default"] == true;
        rows(&methods).iter().filter(default).map(|method| method["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, vec![session["payment_methods"][0].clone()]);

    let path = format!("/v1/payment-methods/{}", second["payment_methods"][0].as_str().unwrap());
    let choose = app.call("PATCH", &path).key(&app.key).json(&json!({"is_default": true}));
    assert_eq!(choose.send().await.ok(200)["is_default"], true);
    assert_eq!(defaults().await, vec![second["payment_methods"][0].clone()]);

    let shown = app.get(&path).await.ok(200);
    assert_eq!((&shown["object"], &shown["display"]["last4"]), (&json!("payment_method"), &json!("1091")));
    assert!(!shown.to_string().contains("tok-"), "a token is shown");
    assert_eq!(app.call("DELETE", &path).key(&app.key).send().await.ok(200)["status"], "deleted");
    app.get(&path).await.problem(404, "not_found");
    let choose = app.call("PATCH", &path).key(&app.key).json(&json!({"is_default": true}));
    choose.send().await.problem(404, "not_found");
    assert_eq!(app.call("DELETE", &path).key(&app.key).send().await.ok(200)["status"], "deleted");
    assert_eq!(rows(&app.get(&list).await.ok(200)).len(), 1);
}

#[tokio::test]
async fn a_keys_secret_is_shown_once() {
    let app = TestApp::new().await;
    let answer = app.post("/v1/api-keys", &json!({"name": "backend"})).await;
    let issued = answer.ok(201);
    // There is no address at which one key is shown, so none is given.
    assert_eq!(answer.header("location"), "");
    let secret = issued["secret"].as_str().unwrap();
    app.call("GET", "/v1/sessions").key(secret).send().await.ok(200);
    let listed = app.get("/v1/api-keys").await;
    assert!(!listed.text().contains(secret) && !listed.text().contains("secret"), "{listed:?}");
    let mut names: Vec<_> = rows(&listed.json()).iter().map(|key| key["name"].to_string()).collect();
    names.sort_unstable();
    assert_eq!(names, [r#""backend""#, r#""test""#]);
}

#[tokio::test]
async fn gateways_and_providers_are_described() {
    let app = TestApp::new().await;
    let gateways = app.get("/v1/gateways").await.ok(200);
    let gateway = &rows(&gateways)[0];
    assert_eq!(gateway["webhook_url"], format!("https://pay.merchant.example/webhooks/{GATEWAY}"));
    assert_eq!((&gateway["mode"], &gateway["webhook_trust"]), (&json!("test"), &json!("hint")));
    assert_eq!(gateway["channels"][0]["code"], "CARD");
    let providers = app.get("/v1/providers").await.ok(200);
    assert_eq!(rows(&providers).len(), 1);
    assert_eq!(rows(&providers)[0]["provider"], "reference");

    let check = app.call("POST", &format!("/v1/gateways/{GATEWAY}/check")).key(&app.key).send().await.ok(200);
    assert_eq!(check, json!({"object": "gateway_check", "gateway": GATEWAY, "ok": true, "problem": null}));
}

#[tokio::test]
async fn deliveries_are_listed_by_state() {
    let app = TestApp::new().await;
    app.webhook(GATEWAY, &[SECRET], json!({"event": "settlement.paid"}).to_string()).await.expect(200);
    app.work().await;
    app.webhook(GATEWAY, &[SECRET], json!({"event": "session.completed", "session": "ref-9"}).to_string())
        .await
        .expect(200);
    for (state, expected) in [("ignored", "settlement.paid"), ("received", "session.completed")] {
        let found = app.get(&format!("/v1/deliveries?state={state}")).await.ok(200);
        assert_eq!(rows(&found).len(), 1, "{state}");
        assert_eq!(rows(&found)[0]["summary"], expected);
    }
    assert!(rows(&app.get("/v1/deliveries?state=dead").await.ok(200)).is_empty());
}

#[tokio::test]
async fn a_server_that_lives_and_is_ready_says_so() {
    let app = TestApp::new().await;
    assert_eq!(app.call("GET", "/healthz").send().await.ok(200), json!({"status": "ok"}));
    assert_eq!(app.call("GET", "/readyz").send().await.ok(200), json!({"status": "ready"}));
}
