//! Bodies that are not what they should be, for every route that takes one: refused before anything
//! is done, with the pointer of what is wrong.

use axum::body::Body;
use billfold_core::charge::DeclineClass;
use billfold_server::{Access, ROUTES};
use billfold_testkit::reference::ChargeOutcome;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, session_body, with, without};

const MAX_BODY: usize = 64 * 1024;
/// Where values come in.
const MAX_VAULT_BODY: usize = 2 * 1024 * 1024;

/// A route that takes a body, and one that is good.
struct Endpoint {
    method: &'static str,
    route: &'static str,
    path: String,
    good: Value,
    /// The members that must be there.
    required: &'static [&'static str],
    /// The largest body, in bytes.
    limit: usize,
}

impl Endpoint {
    async fn send(&self, app: &TestApp, content_type: &str, body: impl Into<Body>) -> Answer {
        app.call(self.method, &self.path).key(&app.key).body(content_type, body).send().await
    }

    async fn json(&self, app: &TestApp, body: impl Into<Body>) -> Answer {
        self.send(app, "application/json", body).await
    }

    fn text(&self) -> String {
        self.good.to_string()
    }
}

/// Routes that change something and read no body.
const BODILESS: [&str; 8] = [
    "/v1/charges/{id}/cancel",
    "/v1/sessions/{id}/cancel",
    "/v1/gateways/{name}/check",
    "/v1/api-keys/{id}/revoke",
    "/v1/deliveries/{id}/replay",
    "/v1/webhook-endpoints/{id}/test",
    "/v1/webhook-endpoints/{id}/deliveries/{delivery}/replay",
    "/v1/vault/records/{id}/reveal",
];

fn charge_body() -> Value {
    json!({"amount": 1000, "currency": "IDR", "initiator": "customer", "reference": "order-7", "metadata": {"k": "v"}})
}

async fn endpoints(app: &TestApp) -> Vec<Endpoint> {
    let saved = app.save_card("c-1", "one").await;
    let method = saved["payment_methods"][0].as_str().unwrap();
    let endpoint = json!({"url": "https://shop.example/first"});
    let endpoint = app.post("/v1/webhook-endpoints", &endpoint).await.ok(201);
    let endpoint = format!("/v1/webhook-endpoints/{}", endpoint["id"].as_str().unwrap());
    let record = json!({"owner": "user-2", "kind": "note", "value": "x", "on_conflict": "keep"});
    let record = app.post("/v1/vault/records", &record).await.json();
    // One that is held, one that is paid, one that is declined.
    let mut charges = Vec::new();
    for (body, outcome) in [
        (json!({"capture": "manual"}), None),
        (json!({}), None),
        (json!({}), Some(ChargeOutcome::Declined(DeclineClass::Limit))),
    ] {
        if let Some(outcome) = outcome {
            app.gateway.next_charge(outcome);
        }
        let mut request = charge_body();
        request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let made = app.post(&format!("/v1/payment-methods/{method}/charges"), &request).await.ok(201);
        charges.push(made["id"].as_str().unwrap().to_owned());
    }
    vec![
        Endpoint {
            method: "POST",
            route: "/v1/sessions",
            path: "/v1/sessions".into(),
            good: session_body(),
            required: &["/customer", "/usage", "/currency", "/country", "/return_url"],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/customers",
            path: "/v1/customers".into(),
            good: json!({"reference": "c-9", "given_names": "Lorem", "email": "one@example.com"}),
            required: &["/reference"],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "PATCH",
            route: "/v1/payment-methods/{id}",
            path: format!("/v1/payment-methods/{method}"),
            good: json!({"is_default": true}),
            required: &["/is_default"],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/payment-methods/{id}/charges",
            path: format!("/v1/payment-methods/{method}/charges"),
            good: charge_body(),
            required: &["/amount", "/currency", "/initiator"],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/customers/{id}/charges",
            path: format!("/v1/customers/{}/charges", saved["customer_id"].as_str().unwrap()),
            good: charge_body(),
            required: &["/amount", "/currency", "/initiator"],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/charges/{id}/capture",
            path: format!("/v1/charges/{}/capture", charges[0]),
            good: json!({"amount": 5}),
            required: &[],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/charges/{id}/refunds",
            path: format!("/v1/charges/{}/refunds", charges[1]),
            good: json!({"amount": 1, "reason": "other"}),
            required: &[],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/charges/{id}/collect",
            path: format!("/v1/charges/{}/collect", charges[2]),
            good: json!({"return_url": "https://shop.example/again"}),
            required: &[],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/api-keys",
            path: "/v1/api-keys".into(),
            good: json!({"name": "backend"}),
            required: &["/name"],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/vault/records",
            path: "/v1/vault/records".into(),
            good: json!({"owner": "user-1", "kind": "note", "value": "x", "on_conflict": "keep"}),
            required: &["/owner", "/kind"],
            limit: MAX_VAULT_BODY,
        },
        Endpoint {
            method: "PUT",
            route: "/v1/vault/records/{id}",
            path: format!("/v1/vault/records/{}", record["id"].as_str().unwrap()),
            good: json!({"value_base64": "AA=="}),
            required: &[],
            limit: MAX_VAULT_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/erasures",
            path: "/v1/erasures".into(),
            good: json!({"owner": "user-3"}),
            required: &[],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/webhook-endpoints",
            path: "/v1/webhook-endpoints".into(),
            good: json!({"url": "https://shop.example/hooks", "events": ["session.*"]}),
            required: &["/url"],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "PATCH",
            route: "/v1/webhook-endpoints/{id}",
            path: endpoint.clone(),
            good: json!({"events": ["*"], "state": "disabled", "description": "x"}),
            required: &[],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/webhook-endpoints/{id}/rotate-secret",
            path: format!("{endpoint}/rotate-secret"),
            good: json!({"overlap_seconds": 60}),
            required: &[],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/webhook-endpoints/{id}/replay",
            path: format!("{endpoint}/replay"),
            good: json!({"after_sequence": 0}),
            required: &[],
            limit: MAX_BODY,
        },
        Endpoint {
            method: "POST",
            route: "/v1/audit/verify",
            path: "/v1/audit/verify".into(),
            good: json!({"head": "1:00"}),
            required: &[],
            limit: MAX_BODY,
        },
    ]
}

/// How many rows there are of everything, to see that nothing was made.
async fn count(app: &TestApp) -> Vec<usize> {
    let mut counts = vec![app.gateway.calls().len()];
    for list in [
        "/v1/sessions?limit=100",
        "/v1/customers?limit=100",
        "/v1/api-keys",
        "/v1/events?limit=100",
        "/v1/webhook-endpoints?limit=100",
    ] {
        counts.push(app.get(list).await.ok(200)["data"].as_array().unwrap().len());
    }
    counts
}

#[tokio::test]
async fn every_route_with_a_body_is_tried() {
    let app = TestApp::new().await;
    let mut listed: Vec<(&str, &str)> =
        endpoints(&app).await.iter().map(|endpoint| (endpoint.route, endpoint.method)).collect();
    listed.extend(BODILESS.map(|route| (route, "POST")));
    let tenants = ROUTES.iter().filter(|route| matches!(route.access, Access::Tenant(_)));
    let mut expected: Vec<(&str, &str)> = tenants
        .flat_map(|route| route.methods.iter().map(|method| (route.path, *method)))
        .filter(|(_, method)| !["GET", "DELETE"].contains(method))
        .collect();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn only_json_is_read() {
    let app = TestApp::new().await;
    for endpoint in endpoints(&app).await {
        let before = count(&app).await;
        for wrong in [
            "",
            "json",
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonx",
            "application/problem+json",
            "application/xml; application/json",
            "application /json",
        ] {
            let answer = endpoint.send(&app, wrong, endpoint.text()).await;
            let problem = answer.problem(415, "unsupported_media_type");
            assert!(problem["detail"].as_str().unwrap().contains("application/json"), "{problem}");
        }
        let bare = app.call(endpoint.method, &endpoint.path).key(&app.key).send().await;
        bare.problem(415, "unsupported_media_type");
        assert_eq!(count(&app).await, before, "{}", endpoint.route);
        for right in ["application/json; charset=utf-8", "APPLICATION/JSON", " application/json ;"] {
            // What was captured is not captured again.
            let status = endpoint.send(&app, right, endpoint.text()).await.status;
            assert!(status < 300 || status == 409, "{right}: {status}");
        }
    }
}

#[tokio::test]
async fn what_is_not_one_json_object_is_refused() {
    let app = TestApp::new().await;
    for endpoint in endpoints(&app).await {
        let before = count(&app).await;
        let good = endpoint.text();
        let mut wrong: Vec<Vec<u8>> = [
            "nonsense",
            "{",
            "}",
            "[",
            "{}{}",
            "{,}",
            "{\"\"}",
            "{'name': 'x'}",
            "name=backend",
            "<name/>",
            "// x\n{}",
            "NaN",
            "null",
            "true",
            "7",
            "\"text\"",
            "[]",
            "[null]",
            "[\"backend\"]",
            "[true]",
            "[{}]",
            "{\"name\": \"\u{1}\"}",
            "{\"name\": 01}",
            "{\"name\": \"x\",}",
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
        // Cut off anywhere.
        wrong.extend((0..good.len()).map(|end| good.as_bytes()[..end].to_vec()));
        // Something before or after it.
        for (before, after) in [
            ("", "{}"),
            ("", "x"),
            ("", ","),
            ("", "\0"),
            ("", " null"),
            ("", good.as_str()),
            ("\u{feff}", ""),
            ("[", "]"),
            ("\0", ""),
        ] {
            wrong.push(format!("{before}{good}{after}").into_bytes());
        }
        wrong.push(b"\xff\xfe".to_vec());
        wrong.push(good.replace(':', "\u{0}").into_bytes());
        for body in wrong {
            let shown = String::from_utf8_lossy(&body).into_owned();
            let answer = endpoint.json(&app, body).await;
            assert_eq!(answer.pointers(), [""], "{} {shown}", endpoint.route);
        }
        assert_eq!(count(&app).await, before, "{}", endpoint.route);
        // White space around it is none of that.
        assert!(endpoint.json(&app, format!(" \r\n\t{good}\n ")).await.status < 300);
    }
}

/// Half a surrogate pair is JSON, but no text.
#[tokio::test]
async fn half_a_character_is_no_text() {
    let app = TestApp::new().await;
    let before = count(&app).await;
    let customer = app.call("POST", "/v1/customers").key(&app.key);
    let answer = customer.body("application/json", r#"{"reference": "c\ud800"}"#).send().await;
    assert_eq!(answer.pointers(), ["/reference"]);
    assert_eq!(count(&app).await, before);
}

#[tokio::test]
async fn members_that_are_unknown_missing_or_twice_are_named() {
    let app = TestApp::new().await;
    for endpoint in endpoints(&app).await {
        let before = count(&app).await;
        let good = &endpoint.good;
        for (key, pointer) in [
            ("nonsense", "/nonsense"),
            ("Name", "/Name"),
            ("a/b~c", "/a~1b~0c"),
            ("", "/"),
            ("ünïcode", "/ünïcode"),
        ] {
            let mut unknown = good.clone();
            unknown[key] = json!(1);
            assert_eq!(
                endpoint.json(&app, unknown.to_string()).await.pointers(),
                [pointer],
                "{}",
                endpoint.route
            );
        }
        for pointer in endpoint.required {
            let missing = endpoint.json(&app, without(good, pointer).to_string()).await;
            assert_eq!(missing.pointers(), [*pointer], "{}", endpoint.route);
            assert!(missing.text().contains("required"), "{missing:?}");
            let null = endpoint.json(&app, with(good, pointer, Value::Null).to_string()).await;
            assert_eq!(null.pointers(), [*pointer], "{}", endpoint.route);
        }
        for (key, value) in good.as_object().unwrap() {
            let twice = endpoint.text().replacen('{', &format!("{{\"{key}\":{value},"), 1);
            let pointers = endpoint.json(&app, twice).await.pointers();
            assert_eq!(pointers, [format!("/{key}")], "{}", endpoint.route);
        }
        assert_eq!(count(&app).await, before, "{}", endpoint.route);
    }
}

#[tokio::test]
async fn depth_is_limited_and_never_overflows() {
    let app = TestApp::new().await;
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for endpoint in endpoints(&app).await {
        for levels in [33, 128, 30_000] {
            let answer = endpoint.json(&app, nested(levels)).await;
            assert_eq!(answer.pointers(), [""], "{levels}");
            assert!(answer.text().contains("deeper than 32"), "{answer:?}");
            let open = endpoint.json(&app, "{\"a\":".repeat(levels.min(10_000))).await;
            assert_eq!(open.pointers(), [""], "{levels}");
            let inside = endpoint.text().replacen('{', &format!("{{\"nonsense\":{},", nested(levels)), 1);
            assert!(endpoint.json(&app, inside).await.text().contains("deeper than 32"), "{levels}");
        }
        // Brackets in a text are not depth.
        let text = endpoint.text().replacen('{', &format!("{{\"nonsense\":\"{}\",", "[".repeat(100)), 1);
        assert_eq!(endpoint.json(&app, text).await.pointers(), ["/nonsense"]);
    }
    // The one place that takes any JSON: exactly 32 levels, the body's own among them.
    for (levels, status) in [(31, 201), (32, 400)] {
        let options: Value = serde_json::from_str(&nested(levels)).unwrap();
        let body = with(&session_body(), "/provider_options", options);
        app.post("/v1/sessions", &body).await.expect(status);
    }
}

#[tokio::test]
async fn size_is_limited() {
    let app = TestApp::new().await;
    for endpoint in endpoints(&app).await {
        let padded = |size: usize| format!("{}{}", endpoint.text(), " ".repeat(size - endpoint.text().len()));
        assert!(endpoint.json(&app, padded(endpoint.limit)).await.status < 300, "{}", endpoint.route);
        let before = count(&app).await;
        for size in [endpoint.limit + 1, 10 * endpoint.limit] {
            let answer = endpoint.json(&app, padded(size)).await;
            assert!(answer.problem(413, "payload_too_large").get("errors").is_none());
        }
        // One that does not say how large it is.
        let chunks = (0..endpoint.limit / 1024 + 36)
            .map(|_| Ok::<_, std::convert::Infallible>(Bytes::from(vec![b' '; 1024])));
        let endless = Body::from_stream(futures::stream::iter(chunks));
        endpoint.json(&app, endless).await.problem(413, "payload_too_large");
        assert_eq!(count(&app).await, before, "{}", endpoint.route);
    }
}

/// A body whose sender goes away in the middle is not taken for a whole one.
#[tokio::test]
async fn half_a_body_is_no_body() {
    let app = TestApp::new().await;
    for endpoint in endpoints(&app).await {
        let before = count(&app).await;
        let whole = Bytes::from(endpoint.text());
        let chunks = [Ok(whole), Err(std::io::Error::other("CANARY: connection reset"))];
        let broken = Body::from_stream(futures::stream::iter(chunks));
        endpoint.json(&app, broken).await.problem(413, "payload_too_large");
        assert_eq!(count(&app).await, before, "{}", endpoint.route);
    }
}

/// One wrong value in a route's body, and where the answer points.
#[tokio::test]
async fn wrong_values_are_named() {
    let app = TestApp::new().await;
    let endpoints = endpoints(&app).await;
    let check = async |route: &str, pointer: &str, values: Vec<Value>| {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.route == route).unwrap();
        for value in values {
            let answer = endpoint.json(&app, with(&endpoint.good, pointer, value.clone()).to_string()).await;
            assert_eq!(answer.pointers(), [pointer], "{route} {value}");
        }
    };
    let no_text =
        || vec![json!(7), json!(-0.5), json!(true), json!([]), json!(["x"]), json!({}), json!({"x": 1})];
    let no_flag = || vec![json!(0), json!(1), json!("true"), json!(""), json!([]), json!([true]), json!({})];
    let before = count(&app).await;
    for pointer in ["/reference", "/given_names", "/surname", "/email", "/mobile_number"] {
        check("/v1/customers", pointer, no_text()).await;
    }
    let long = "x".repeat(256);
    check(
        "/v1/customers",
        "/reference",
        ["", " ", " c", "c ", "c\n", "c\u{0}", long.as_str()].map(Value::from).to_vec(),
    )
    .await;
    check("/v1/api-keys", "/name", no_text()).await;
    check("/v1/api-keys", "/name", ["", "a\nb", "\u{7f}", &long[..101]].map(Value::from).to_vec()).await;
    check("/v1/payment-methods/{id}", "/is_default", no_flag()).await;
    // A customer without a default is made by choosing another one.
    check("/v1/payment-methods/{id}", "/is_default", vec![json!(false)]).await;
    assert_eq!(count(&app).await, before);
}

/// Routes that take no body do not mind one, whatever it is.
#[tokio::test]
async fn a_body_where_none_is_read_does_no_harm() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let path = format!("/v1/sessions/{}/cancel", crate::support::id(&session));
    let answer = app.call("POST", &path).key(&app.key).body("text/plain", "nonsense").send().await;
    assert_eq!(answer.ok(200)["status"], "canceled");
}
