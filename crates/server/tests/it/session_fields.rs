//! Every field of a request for a session with values that it must not have, and where the answer points.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{GATEWAY, TestApp, id, rows, session_body, with, without};

/// Sends a body and compares where the answer points; nothing may be stored or asked.
async fn check(app: &TestApp, body: &Value, expected: &[&str]) {
    let answer = app.post("/v1/sessions", body).await;
    assert_eq!(answer.pointers(), expected, "{body}");
    if let [only] = expected {
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(only.is_empty() || detail.starts_with(only), "{detail}");
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Value> {
    texts.map(Value::from).to_vec()
}

fn no_text() -> Vec<Value> {
    vec![json!(7), json!(0.5), json!(true), json!([]), json!(["x"]), json!({}), json!({"x": 1})]
}

fn no_object() -> Vec<Value> {
    let mut values = texts(["", "x"]);
    values.extend([json!(7), json!(true), json!([])]);
    values
}

/// A body that names the terms of charges that the merchant starts.
fn recurring_body() -> Value {
    let body = with(&session_body(), "/usage", json!("recurring"));
    with(&body, "/recurring", json!({"frequency_days": 30, "ends_on": "2030-12-31"}))
}

/// Single wrong values, each of which is the only thing wrong: field, values, pointer.
fn wrong_values(app: &TestApp) -> Vec<(&'static str, Vec<Value>, &'static str)> {
    let now = app.app.billfold().clock().now();
    let moment = |offset: u64| json!(now.plus(Duration::from_secs(offset)));
    let long_url = format!("https://shop.example/{}", "x".repeat(2048));
    let long_reference = "x".repeat(256);
    let long_name = "x".repeat(51);
    let too_many: serde_json::Map<String, Value> = (0..21).map(|n| (format!("k{n}"), json!("v"))).collect();
    vec![
        ("/gateway", no_text(), "/gateway"),
        (
            "/gateway",
            texts(["", "Shop Cards", "-x", "nobodys-cards", "rival-cards", "../shop-cards"]),
            "/gateway",
        ),
        ("/mode", no_text(), "/mode"),
        ("/mode", texts(["", "Test", "LIVE", "sandbox", "live"]), "/mode"),
        ("/customer", no_object(), "/customer"),
        ("/customer", vec![json!({}), json!({"email": "one@example.com"})], "/customer"),
        ("/customer", vec![json!({"id": format!("cus_{:032x}", 7), "reference": "c-1"})], "/customer"),
        (
            "/customer",
            vec![json!({"id": format!("cus_{:032x}", 7), "email": "one@example.com"})],
            "/customer",
        ),
        ("/customer", vec![json!({"id": format!("cus_{:032x}", 7)})], "/customer/id"),
        (
            "/customer",
            vec![json!({"id": format!("ses_{:032x}", 7)}), json!({"id": "7"}), json!({"id": 7})],
            "/customer/id",
        ),
        ("/customer/nonsense", vec![json!(1)], "/customer/nonsense"),
        ("/customer/reference", no_text(), "/customer/reference"),
        (
            "/customer/reference",
            texts(["", " ", " c", "c ", "c\n", "c\u{0}", &long_reference]),
            "/customer/reference",
        ),
        ("/customer/given_names", no_text(), "/customer/given_names"),
        ("/customer/given_names", texts([&long_name]), "/customer/given_names"),
        ("/customer/surname", no_text(), "/customer/surname"),
        ("/customer/email", no_text(), "/customer/email"),
        ("/customer/mobile_number", no_text(), "/customer/mobile_number"),
        ("/usage", no_text(), "/usage"),
        ("/usage", texts(["", "OnSession", "ON_SESSION", "on-session", "sometimes"]), "/usage"),
        ("/recurring", no_object(), "/recurring"),
        // Terms of charges that nobody will start.
        ("/recurring", vec![json!({"frequency_days": 30, "ends_on": "2030-12-31"})], "/recurring"),
        ("/currency", no_text(), "/currency"),
        ("/currency", texts(["", "idr", "IDRX", "XXZ", "USD", "PHP"]), "/currency"),
        ("/country", no_text(), "/country"),
        ("/country", texts(["", "id", "IDN", "I", "ÄÖ", "US"]), "/country"),
        ("/kinds", vec![json!("card"), json!({}), json!(7), json!(true), json!(null)], "/kinds"),
        ("/kinds", vec![json!(["card", 7]), json!(["card", null]), json!(["card", "Wallet"])], "/kinds/1"),
        ("/kinds", vec![json!(["wallet", "bank_debit", "card"])], "/kinds/1"),
        ("/channels", vec![json!("CARD"), json!({}), json!(7), json!(true), json!(null)], "/channels"),
        (
            "/channels",
            vec![json!(["CARD", 7]), json!(["CARD", null]), json!(["CARD", ["PURSE"]])],
            "/channels/1",
        ),
        ("/channels", vec![json!(["PIGEON"]), json!(["card"]), json!([""])], "/channels/0"),
        ("/channels", vec![json!(["PURSE", "PIGEON", "CARD"])], "/channels/1"),
        ("/locale", no_text(), "/locale"),
        ("/description", no_text(), "/description"),
        ("/metadata", no_object(), "/metadata"),
        ("/metadata", vec![json!(null), Value::Object(too_many)], "/metadata"),
        (
            "/metadata",
            vec![json!({"a": 1}), json!({"a": null}), json!({"a": {}}), json!({"a": ["x"]})],
            "/metadata/a",
        ),
        ("/metadata", vec![json!({"a": "x".repeat(81)})], "/metadata/a"),
        ("/metadata", vec![json!({"": "x"})], "/metadata/"),
        ("/metadata", vec![json!({"a/b~c": 1}), json!({"a/b~c": "x".repeat(81)})], "/metadata/a~1b~0c"),
        ("/return_url", no_text(), "/return_url"),
        (
            "/return_url",
            texts([
                "",
                "/done",
                "shop.example/done",
                "https://",
                "http://shop.example/",
                "http://127.0.0.1/",
                "ftp://shop.example/",
                "javascript:alert(1)",
                "data:text/html,x",
                "file:///etc/passwd",
                "https://user@shop.example/",
                "https://user:password@shop.example/",
                "https://:password@shop.example/",
                "https://shop.example:99999/",
                &long_url,
            ]),
            "/return_url",
        ),
        ("/expires_at", no_text(), "/expires_at"),
        (
            "/expires_at",
            texts(["", "tomorrow", "2030-12-31", "1780000000", "2030-13-01T00:00:00Z"]),
            "/expires_at",
        ),
        ("/expires_at", texts(["1970-01-01T00:00:00Z", "9999-12-30T00:00:00Z"]), "/expires_at"),
        // The gateway's sessions live from 10 minutes to 24 hours.
        ("/expires_at", vec![moment(0), moment(590), moment(86_460)], "/expires_at"),
        ("/make_default", vec![json!(0), json!("true"), json!([]), json!({}), json!(null)], "/make_default"),
        ("/consent", no_object(), "/consent"),
        ("/consent", vec![json!({}), json!({"agreed_at": "2026-01-01T00:00:00Z"})], "/consent/text_version"),
        (
            "/consent",
            vec![json!({"text_version": ""}), json!({"text_version": "\u{7}"})],
            "/consent/text_version",
        ),
        ("/consent", vec![json!({"text_version": "1", "ip_address": "10.0.0"})], "/consent/ip_address"),
        (
            "/consent",
            vec![json!({"text_version": "1", "agreed_at": "2999-01-01T00:00:00Z"})],
            "/consent/agreed_at",
        ),
        ("/consent", vec![json!({"text_version": "1", "nonsense": 1})], "/consent/nonsense"),
        ("/nonsense", vec![json!(1), json!(null)], "/nonsense"),
        ("/amount", vec![json!(1000)], "/amount"),
    ]
}

#[tokio::test]
async fn every_wrong_value_is_named() {
    let app = TestApp::new().await;
    for (field, values, pointer) in wrong_values(&app) {
        for value in values {
            check(&app, &with(&session_body(), field, value), &[pointer]).await;
        }
    }
    assert!(app.gateway.calls().is_empty());
    for list in ["/v1/sessions", "/v1/customers", "/v1/events"] {
        assert!(rows(&app.get(list).await.ok(200)).is_empty(), "{list}");
    }
}

#[tokio::test]
async fn every_wrong_term_is_named() {
    let app = TestApp::new().await;
    let body = recurring_body();
    for (field, values) in [
        (
            "/recurring/frequency_days",
            vec![json!(0), json!(-1), json!(1.5), json!("30"), json!(4_294_967_296_i64), json!(null)],
        ),
        ("/recurring/ends_on", no_text()),
        (
            "/recurring/ends_on",
            texts([
                "",
                "2030",
                "2030-02-30",
                "31.12.2030",
                "2030-12-31T00:00:00Z",
                "20301231",
                "+002030-12-31",
            ]),
        ),
        ("/recurring/nonsense", vec![json!(1)]),
    ] {
        for value in values {
            check(&app, &with(&body, field, value), &[field]).await;
        }
    }
    for field in ["/recurring/frequency_days", "/recurring/ends_on"] {
        check(&app, &without(&body, field), &[field]).await;
    }
    for usage in ["recurring", "unscheduled_merchant"] {
        check(&app, &with(&without(&body, "/recurring"), "/usage", json!(usage)), &["/recurring"]).await;
    }
    // Of two channels, one cannot be charged without the customer.
    check(&app, &with(&body, "/channels", json!(["CARD", "PURSE"])), &["/channels/1"]).await;
    app.post("/v1/sessions", &body).await.ok(201);
}

/// The table above tries every field that there is; the server itself says which those are.
#[tokio::test]
async fn no_field_is_forgotten() {
    let app = TestApp::new().await;
    let tried: BTreeSet<String> = wrong_values(&app).iter().map(|(field, ..)| (*field).to_owned()).collect();
    for (parent, body) in [
        ("", with(&session_body(), "/nonsense", json!(1))),
        ("/customer", with(&session_body(), "/customer/nonsense", json!(1))),
    ] {
        let answer = app.post("/v1/sessions", &body).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        let (_, known) = detail.split_once("expected one of ").unwrap();
        let known: Vec<&str> = known.split(", ").map(|name| name.trim_matches('`')).collect();
        assert!(known.len() >= 6, "{detail}");
        for name in known {
            // Any JSON will do for the one; the other is tried as a whole.
            if name != "provider_options" && name != "id" {
                assert!(tried.contains(&format!("{parent}/{name}")), "{parent}/{name} is not tried");
            }
        }
    }
}

#[tokio::test]
async fn everything_wrong_is_named_at_once() {
    let app = TestApp::new().await;
    let mut body = session_body();
    body["channels"] = json!(["PIGEON", "CARD", "OWL"]);
    body["recurring"] = json!({"frequency_days": 1, "ends_on": "2030-12-31"});
    body["expires_at"] = json!("1970-01-01T00:00:00Z");
    body["metadata"] = json!({"a": "x".repeat(81), "": ""});
    body["return_url"] = json!("http://shop.example/");
    body["customer"]["given_names"] = json!("x".repeat(51));
    let expected = [
        "/channels/0",
        "/channels/2",
        "/recurring",
        "/expires_at",
        "/metadata/",
        "/metadata/a",
        "/return_url",
        "/customer/given_names",
    ];
    check(&app, &body, &expected).await;
    assert!(app.gateway.calls().is_empty());
}

#[tokio::test]
async fn what_may_be_left_out_may_be_null() {
    let app = TestApp::new().await;
    for field in [
        "/gateway",
        "/mode",
        "/recurring",
        "/locale",
        "/description",
        "/expires_at",
        "/consent",
        "/provider_options",
        "/customer/id",
        "/customer/email",
    ] {
        app.post("/v1/sessions", &with(&session_body(), field, Value::Null)).await.ok(201);
    }
    app.post("/v1/sessions", &without(&session_body(), "/gateway")).await.ok(201);
}

#[tokio::test]
async fn limits_are_reached_and_not_passed() {
    let app = TestApp::new().await;
    let now = app.app.billfold().clock().now();
    let moment = |seconds: u64| json!(now.plus(Duration::from_secs(seconds)));
    let many: serde_json::Map<String, Value> = (0..20).map(|n| (format!("k{n}"), json!("v"))).collect();
    let url = format!("https://shop.example/{}", "x".repeat(2048 - "https://shop.example/".len()));
    for (field, value) in [
        ("/customer/reference", json!("x".repeat(255))),
        ("/customer/given_names", json!("ä".repeat(50))),
        ("/metadata", Value::Object(many)),
        ("/metadata", json!({"k".repeat(40): "ä".repeat(80)})),
        ("/return_url", json!(url)),
        ("/expires_at", moment(660)),
        ("/expires_at", moment(86_390)),
        ("/channels", json!(["CARD", "PURSE"])),
        ("/kinds", json!(["card", "wallet", "card"])),
        ("/mode", json!("test")),
        ("/make_default", json!(true)),
        ("/consent", json!({"text_version": "2026-03", "ip_address": "2001:db8::7"})),
        ("/provider_options", json!({"anything": [1, null, "x"]})),
    ] {
        app.post("/v1/sessions", &with(&session_body(), field, value)).await.ok(201);
    }
}

#[tokio::test]
async fn a_customer_is_chosen_by_id_alone() {
    let app = TestApp::new().await;
    let customer =
        app.post("/v1/customers", &json!({"reference": "c-1", "email": "one@example.com"})).await.ok(201);
    let body = with(&session_body(), "/customer", json!({"id": id(&customer)}));
    let session = app.post("/v1/sessions", &body).await.ok(201);
    assert_eq!((&session["customer_id"], &session["gateway"]), (&customer["id"], &json!(GATEWAY)));
    check(&app, &with(&body, "/customer/email", json!("two@example.com")), &["/customer"]).await;
}
