//! Sessions that name no gateway: which they get, what the answer says of it, and what explains it beforehand.

use billfold_core::gateway::Gateway;
use billfold_core::settings::Mode;
use serde_json::{Value, json};

use crate::support::{GATEWAY, TestApp, another, id, rows, session_body, with, without};

/// A gateway that saves cards in Indonesia and the Philippines, and no e-wallets.
fn no_purses(name: &str, mode: Mode) -> Gateway {
    another(name, mode, |capabilities| capabilities.channels.retain(|channel| channel.code == "CARD"))
}

fn elsewhere(name: &str) -> Gateway {
    another(name, Mode::Test, |capabilities| {
        for channel in &mut capabilities.channels {
            channel.country = "DE".parse().unwrap();
            channel.currencies = vec!["EUR".parse().unwrap()];
        }
    })
}

/// Beside the usual gateway, one that comes first by name and one in another country.
async fn shop(routing: Value) -> TestApp {
    let more = vec![no_purses("a-cards", Mode::Test), elsewhere("eu-cards")];
    TestApp::with(more, vec![("routing".to_owned(), routing)]).await
}

fn unnamed() -> Value {
    without(&session_body(), "/gateway")
}

fn reasons(choice: &Value) -> Vec<(&str, &str)> {
    let each = choice["considered"].as_array().unwrap().iter();
    each.map(|it| (it["gateway"].as_str().unwrap(), it["reason"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn the_answer_says_why_and_so_does_everything_after_it() {
    let rule =
        json!([{"name": "id", "tenant": "shop", "countries": ["ID"], "gateways": [GATEWAY, "a-cards"]}]);
    let app = shop(rule).await;
    let session = app.post("/v1/sessions", &unnamed()).await.ok(201);
    assert_eq!(session["gateway"], GATEWAY);
    let choice = &session["gateway_choice"];
    assert_eq!((&choice["rule"], &choice["reason"]), (&json!("id"), &json!("first_in_rule")));
    let expected = [("a-cards", "later_in_rule"), ("eu-cards", "country"), (GATEWAY, "first_in_rule")];
    assert_eq!(reasons(choice), expected);
    assert_eq!(choice["considered"][1]["message"], "saves nothing in ID");

    let path = format!("/v1/sessions/{}", id(&session));
    assert_eq!(app.get(&path).await.ok(200)["gateway_choice"], *choice);
    assert_eq!(rows(&app.get("/v1/sessions").await.ok(200))[0]["gateway_choice"], *choice);
    app.post(&format!("{path}/cancel"), &json!({})).await.ok(200);
    let events = app.get("/v1/events").await.ok(200);
    let canceled = rows(&events).iter().find(|event| event["type"] == "session.canceled").unwrap();
    assert_eq!(canceled["data"]["gateway_choice"], *choice);
}

#[tokio::test]
async fn a_gateway_that_is_named_is_taken_without_a_word() {
    let app = shop(json!([{"name": "any", "tenant": "shop", "gateways": ["a-cards"]}])).await;
    let session = app.post("/v1/sessions", &session_body()).await.ok(201);
    assert_eq!((&session["gateway"], session.get("gateway_choice")), (&json!(GATEWAY), None));
    let wrong = with(&session_body(), "/gateway", json!("eu-cards"));
    assert_eq!(app.post("/v1/sessions", &wrong).await.pointers(), ["/country"]);
}

#[tokio::test]
async fn the_only_gateway_is_taken_and_what_it_lacks_is_named_with_the_rest() {
    let app = TestApp::new().await;
    let session = app.post("/v1/sessions", &unnamed()).await.ok(201);
    assert_eq!(session["gateway_choice"]["reason"], "only_gateway");
    let mut body = with(&unnamed(), "/country", json!("DE"));
    body["return_url"] = json!("http://shop.example/");
    assert_eq!(app.post("/v1/sessions", &body).await.pointers(), ["/country", "/return_url"]);
}

#[tokio::test]
async fn without_a_rule_the_first_able_by_name_is_taken() {
    let app = shop(json!([])).await;
    let session = app.post("/v1/sessions", &unnamed()).await.ok(201);
    assert_eq!(session["gateway"], "a-cards");
    assert_eq!(session["gateway_choice"]["rule"], Value::Null);
    assert_eq!(session["gateway_choice"]["reason"], "first_by_name");
    // Of those, only one has e-wallets.
    let wallets = with(&unnamed(), "/kinds", json!(["wallet"]));
    let session = app.post("/v1/sessions", &wallets).await.ok(201);
    assert_eq!((&session["gateway"], &session["channels"]), (&json!(GATEWAY), &json!(["PURSE"])));
    let both = with(&unnamed(), "/kinds", json!(["wallet", "card"]));
    let session = app.post("/v1/sessions", &both).await.ok(201);
    assert_eq!(session["channels"], json!(["CARD", "PURSE"]));
    let code = with(&unnamed(), "/channels", json!(["PURSE"]));
    assert_eq!(app.post("/v1/sessions", &code).await.ok(201)["gateway"], GATEWAY);
    let europe = with(&with(&unnamed(), "/country", json!("DE")), "/currency", json!("EUR"));
    assert_eq!(app.post("/v1/sessions", &europe).await.ok(201)["gateway"], "eu-cards");
}

#[tokio::test]
async fn what_no_gateway_serves_is_refused_with_what_each_lacks() {
    let app = shop(json!([])).await;
    let body = with(&with(&unnamed(), "/usage", json!("recurring")), "/kinds", json!(["wallet"]));
    let answer = app.post("/v1/sessions", &body).await;
    assert_eq!(answer.pointers(), ["/kinds", "/country", "/kinds"]);
    let problem = answer.json();
    let detail = "no gateway serves this request: `a-cards` has no wallet for ID, IDR and recurring; `eu-cards` saves \
                  nothing in ID; `shop-cards` has no wallet for ID, IDR and recurring";
    assert_eq!(problem["detail"], detail);
    assert_eq!(problem["errors"][1]["message"], "`eu-cards` saves nothing in ID");
    for list in ["/v1/sessions", "/v1/customers", "/v1/events"] {
        assert!(rows(&app.get(list).await.ok(200)).is_empty(), "{list}");
    }
}

#[tokio::test]
async fn what_is_wrong_beside_the_choice_leads_to_no_other_gateway() {
    let app = shop(json!([])).await;
    // Terms are missing, and the options may be anybody's.
    let recurring = with(&unnamed(), "/usage", json!("recurring"));
    assert_eq!(app.post("/v1/sessions", &recurring).await.pointers(), ["/recurring"]);
    let options = with(&unnamed(), "/provider_options", json!({"anything": 1}));
    assert_eq!(app.post("/v1/sessions", &options).await.pointers(), ["/provider_options"]);
    let twice = with(&with(&unnamed(), "/kinds", json!(["card"])), "/channels", json!(["CARD"]));
    assert_eq!(app.post("/v1/sessions", &twice).await.pointers(), ["/kinds"]);
}

#[tokio::test]
async fn modes_are_not_mixed_up() {
    let app = TestApp::with(vec![no_purses("a-live", Mode::Live)], Vec::new()).await;
    let answer = app.post("/v1/sessions", &unnamed()).await;
    assert_eq!(answer.pointers(), ["/mode"]);
    for (mode, gateway) in [("live", "a-live"), ("test", GATEWAY)] {
        let session = app.post("/v1/sessions", &with(&unnamed(), "/mode", json!(mode))).await.ok(201);
        assert_eq!((&session["gateway"], &session["mode"]), (&json!(gateway), &json!(mode)));
    }
    // What only the other mode has is not had.
    let mut wallet = with(&unnamed(), "/mode", json!("live"));
    wallet["kinds"] = json!(["wallet"]);
    assert_eq!(app.post("/v1/sessions", &wallet).await.pointers(), ["/kinds", "/mode"]);
    let contradiction = with(&session_body(), "/mode", json!("live"));
    assert_eq!(app.post("/v1/sessions", &contradiction).await.pointers(), ["/mode"]);
}

#[tokio::test]
async fn a_repeat_gets_the_same_gateway() {
    let app = shop(json!([])).await;
    let start = async || {
        let call = app.call("POST", "/v1/sessions").key(&app.key).header("idempotency-key", "cart-7");
        call.json(&unnamed()).send().await
    };
    let (first, again) = (start().await, start().await);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.ok(201), again.ok(201));
}

#[tokio::test]
async fn a_choice_is_explained_beforehand() {
    let rules = json!([
        {"name": "eu", "tenant": "shop", "countries": ["DE", "FR"], "gateways": ["eu-cards"]},
        {"name": "cards", "tenant": "shop", "kinds": ["card"], "gateways": [GATEWAY]},
        {"name": "rest", "tenant": "shop", "gateways": ["a-cards"]},
        {"name": "rivals", "tenant": "rival", "gateways": ["rival-cards"]},
    ]);
    let app = shop(rules).await;
    let explain = async |query: &str| app.get(&format!("/v1/gateways/explain?{query}")).await;
    let here = "country=ID&currency=IDR&usage=unscheduled_customer";
    let explained = explain(&format!("{here}&kinds=card")).await.ok(200);
    assert_eq!(explained["object"], "gateway_choice");
    assert_eq!((&explained["gateway"], &explained["rule"]), (&json!(GATEWAY), &json!("cards")));
    let rules: Vec<_> = explained["rules"].as_array().unwrap().iter().collect();
    let outcomes: Vec<_> = rules.iter().map(|rule| (&rule["rule"], &rule["outcome"])).collect();
    let expected = [("eu", "country"), ("cards", "decides"), ("rest", "not_reached")]
        .map(|(rule, outcome)| (json!(rule), json!(outcome)));
    assert_eq!(outcomes, expected.iter().map(|(rule, outcome)| (rule, outcome)).collect::<Vec<_>>());

    // It is what a session gets.
    let session = app.post("/v1/sessions", &with(&unnamed(), "/kinds", json!(["card"]))).await.ok(201);
    for key in ["rule", "reason", "considered"] {
        assert_eq!(session["gateway_choice"][key], explained[key], "{key}");
    }
    assert_eq!(explain(here).await.ok(200)["rule"], "rest");
    assert_eq!(explain(&format!("{here}&channels=PURSE")).await.ok(200)["gateway"], GATEWAY);
    assert_eq!(explain(&format!("{here}&mode=live")).await.ok(200)["reason"], "none_able");
    // To find none is an answer, too.
    let none = explain("country=US&currency=USD&usage=recurring").await.ok(200);
    assert_eq!((&none["gateway"], &none["reason"]), (&Value::Null, &json!("none_able")));
    assert_eq!(none["considered"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_parameters_of_an_explanation_are_checked() {
    let app = TestApp::new().await;
    let good = [("country", "ID"), ("currency", "IDR"), ("usage", "recurring")];
    let query = |changed: &str, value: Option<&str>| {
        let kept =
            good.iter().filter(|(key, _)| *key != changed).map(|(key, value)| format!("{key}={value}"));
        let pairs: Vec<_> = kept.chain(value.map(|value| format!("{changed}={value}"))).collect();
        format!("/v1/gateways/explain?{}", pairs.join("&"))
    };
    for (key, _) in good {
        assert_eq!(app.get(&query(key, None)).await.pointers(), [format!("/{key}")]);
    }
    for (key, bad) in [
        ("country", "id"),
        ("country", ""),
        ("currency", "idr"),
        ("currency", "XXZ"),
        ("usage", "sometimes"),
        ("kinds", ""),
        ("kinds", "Card"),
        ("kinds", "card,"),
        ("kinds", "card,,wallet"),
        ("kinds", "card%20"),
        ("channels", ""),
        ("channels", ",CARD"),
        ("mode", "both"),
        ("nonsense", "1"),
        ("limit", "1"),
    ] {
        assert_eq!(app.get(&query(key, Some(bad))).await.pointers(), [format!("/{key}")], "{key}={bad}");
    }
    let twice = format!("{}&mode=test&mode=test", query("", None));
    assert_eq!(app.get(&twice).await.pointers(), ["/mode"]);
    app.get(&query("kinds", Some("card,wallet&channels=CARD,PURSE&mode=test"))).await.ok(200);
}
