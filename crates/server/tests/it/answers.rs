//! What every answer carries, and how errors become problems. The client in `support` checks headers
//! and problem bodies of each answer of each test; here they are provoked on purpose.

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use serde_json::json;
use std::time::Duration;

use crate::hostile::{Act, Mood, PUBLIC};
use crate::support::{Answer, GATEWAY, SECRET, TestApp, session_body};

/// One answer of every kind that there is.
async fn answers(app: &TestApp) -> Vec<(u16, Answer)> {
    let saved = app.save_card("c-1", "one").await;
    let used_up = app.last_return_path();
    app.start("c-1").await;
    let open = app.last_return_path();
    let cancel = format!("/v1/sessions/{}/cancel", saved["id"].as_str().unwrap());
    let large = "x".repeat(70_000);
    let mut answers = vec![
        (200, app.get("/v1/sessions").await),
        (200, app.call("GET", "/healthz").send().await),
        (200, app.call("HEAD", "/healthz").send().await),
        (200, app.webhook(GATEWAY, &[SECRET], r#"{"event":"x"}"#).await),
        (201, app.post("/v1/sessions", &session_body()).await),
        (303, app.call("GET", &open).send().await),
        (400, app.post("/v1/sessions", &json!({})).await),
        (400, app.get("/v1/sessions?limit=0").await),
        (401, app.call("GET", "/v1/sessions").send().await),
        (401, app.call("HEAD", "/v1/sessions").send().await),
        (401, app.webhook(GATEWAY, &[], "{}").await),
        (404, app.get("/v1/sessions/nonsense").await),
        (404, app.call("GET", "/nonsense").send().await),
        (404, app.call("GET", "/return/a/b").send().await),
        (405, app.call("DELETE", "/v1/sessions").send().await),
        (405, app.call("OPTIONS", "/healthz").send().await),
        (409, app.call("POST", &cancel).key(&app.key).send().await),
        (410, app.call("GET", &used_up).send().await),
        (413, app.call("POST", "/v1/sessions").key(&app.key).body("application/json", large).send().await),
        (415, app.call("POST", "/v1/sessions").key(&app.key).send().await),
    ];
    app.provider.order("create_session", Act::Fail(ErrorKind::Unsupported, Retry::Never));
    answers.push((422, app.post("/v1/sessions", &session_body()).await));
    app.provider.order("create_session", Act::Fail(ErrorKind::GatewayProtocol, Retry::Never));
    answers.push((502, app.post("/v1/sessions", &session_body()).await));
    app.provider.order("validate", Act::Panic);
    answers.push((500, app.post("/v1/sessions", &session_body()).await));
    app.store.feel(Mood::Down);
    answers.push((503, app.get("/v1/sessions").await));
    answers.push((503, app.call("GET", "/readyz").send().await));
    answers.push((503, app.call("GET", &open).send().await));
    app.store.feel(Mood::Well);
    answers
}

#[tokio::test]
async fn every_answer_is_traceable_and_kept_by_nobody() {
    let app = TestApp::new().await;
    let answers = answers(&app).await;
    let mut ids: Vec<String> = Vec::new();
    for (status, answer) in &answers {
        answer.expect(*status);
        let id = answer.header("x-request-id");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{answer:?}");
        ids.push(id.to_owned());
        if answer.header("content-type") == "application/json" || answer.status >= 400 {
            let policy = answer.header("content-security-policy");
            let page = answer.header("content-type").starts_with("text/html");
            assert!(page || policy == "default-src 'none'; frame-ancestors 'none'", "{answer:?}");
        }
        assert_eq!(answer.header("access-control-allow-origin"), "");
        assert_eq!(answer.header("set-cookie"), "");
        assert_eq!(answer.header("server"), "");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), answers.len(), "each request has an id of its own");
}

/// Sends an id on a request that goes well and on one that does not, and gives the one in the answers.
async fn echoed(app: &TestApp, given: &[u8]) -> String {
    let well = app.call("GET", "/healthz").raw_header("x-request-id", given).send().await;
    well.expect(200);
    let refused = app.call("GET", "/v1/sessions").raw_header("x-request-id", given).send().await;
    // The problem names the request by the id in the header.
    assert_eq!(refused.expect(401).json()["instance"], refused.header("x-request-id"));
    let same = well.header("x-request-id") == refused.header("x-request-id");
    assert_eq!(same, well.header("x-request-id").as_bytes() == given, "{well:?}");
    well.header("x-request-id").to_owned()
}

#[tokio::test]
async fn a_harmless_request_id_is_echoed() {
    let app = TestApp::new().await;
    for id in ["a", "0", "my-request_42", "01890a5d-ac96-774b-bcce-b302099a8057", &"x".repeat(64)] {
        assert_eq!(echoed(&app, id.as_bytes()).await, id);
    }
}

#[tokio::test]
async fn a_harmful_request_id_is_replaced() {
    let app = TestApp::new().await;
    let long = "x".repeat(65);
    let longer = "x".repeat(10_000);
    for id in [
        "", " ", "a b", "a\tb", "<script>", "a/b", "a.b", "a:b", "a\"b", "a'b", "a\\b", "{a}", "a%0d%0ab",
        "a,b", "a;b", "ä", &long, &longer,
    ] {
        let replaced = echoed(&app, id.as_bytes()).await;
        assert!(
            replaced.len() == 32 && replaced.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}: {replaced}"
        );
    }
    let replaced = echoed(&app, b"a\xff").await;
    assert_eq!(replaced.len(), 32);
}

#[tokio::test]
async fn a_problem_is_complete() {
    let app = TestApp::new().await;
    let answer =
        app.call("GET", "/v1/sessions?limit=0").key(&app.key).header("x-request-id", "trace-1").send().await;
    let expected = json!({
        "type": "https://docs.billfold.dev/errors#invalid_request",
        "title": "Bad Request",
        "status": 400,
        "code": "invalid_request",
        "detail": "/limit: expected 1 to 100",
        "instance": "trace-1",
        "errors": [{"pointer": "/limit", "message": "expected 1 to 100"}],
    });
    assert_eq!(answer.json(), expected);
}

/// What a client sent is its own affair and is not sent back to it, in whatever place it was.
#[tokio::test]
async fn values_are_not_repeated() {
    let app = TestApp::new().await;
    for (field, value) in [
        ("reference", json!({"x": "CANARY"})),
        ("reference", json!("CANARY\n")),
        ("email", json!(["CANARY"])),
        ("given_names", json!({"CANARY": 1})),
    ] {
        let mut body = json!({"reference": "c-1"});
        body[field] = value;
        assert_eq!(app.post("/v1/customers", &body).await.pointers(), [format!("/{field}")]);
    }
    for query in ["limit=CANARY", "after=CANARY", "customer_id=CANARY"] {
        app.get(&format!("/v1/sessions?{query}")).await.expect(400);
    }
    for path in ["/v1/sessions/CANARY", "/v1/payment-methods/CANARY", "/CANARY", "/return/CANARY/CANARY"] {
        app.get(path).await.expect(404);
    }
    app.webhook("canary", &["CANARY"], "CANARY").await.expect(404);
    app.call("GET", "/v1/sessions").key("CANARY").send().await.expect(401);
}

const fn retry_in(millis: u64) -> Retry {
    Retry::SameKey { after: Some(Duration::from_millis(millis)) }
}

/// A gateway that fails in every way that there is.
#[tokio::test]
async fn every_kind_of_error_has_its_status_and_code() {
    use ErrorKind as K;
    let app = TestApp::new().await;
    for (kind, retry, status, code, retry_after) in [
        (K::InvalidRequest, Retry::Never, 400, "invalid_request", ""),
        (K::NotFound, Retry::Never, 404, "not_found", ""),
        (K::Gone, Retry::Never, 410, "gone", ""),
        (K::Unauthenticated, Retry::Never, 401, "unauthenticated", ""),
        (K::Forbidden, Retry::Never, 403, "forbidden", ""),
        (K::Conflict, Retry::Never, 409, "conflict", ""),
        (K::Conflict, retry_in(1_000), 409, "conflict", "1"),
        (K::Unsupported, Retry::Never, 422, "unsupported", ""),
        (K::GatewayRejected, Retry::Never, 502, "gateway_rejected", ""),
        (K::GatewayAuthentication, Retry::Never, 502, "gateway_authentication", ""),
        (K::GatewayRateLimited, retry_in(30_000), 503, "gateway_rate_limited", "30"),
        (K::GatewayRateLimited, retry_in(10), 503, "gateway_rate_limited", "1"),
        (K::GatewayRateLimited, Retry::SameKey { after: None }, 503, "gateway_rate_limited", "1"),
        (K::GatewayUnavailable, Retry::SameKey { after: None }, 502, "gateway_unavailable", "1"),
        (K::GatewayUnavailable, Retry::Never, 502, "gateway_unavailable", ""),
        (K::GatewayUnavailable, Retry::OutcomeUnknown, 504, "gateway_outcome_unknown", ""),
        (K::GatewayProtocol, Retry::Never, 502, "gateway_protocol", ""),
        (K::GatewayProtocol, Retry::OutcomeUnknown, 502, "gateway_protocol", ""),
        (K::Configuration, Retry::Never, 500, "configuration", ""),
        (K::Store, Retry::Never, 503, "store_unavailable", ""),
        (K::Vault, Retry::Never, 500, "vault", ""),
        (K::KeysUnavailable, retry_in(5_000), 503, "keys_unavailable", "5"),
        (K::Internal, Retry::Never, 500, "internal", ""),
    ] {
        app.provider.order("create_session", Act::Fail(kind, retry));
        let answer = app.post("/v1/sessions", &session_body()).await;
        let problem = answer.problem(status, code);
        assert_eq!(answer.header("retry-after"), retry_after, "{kind:?}");
        // The merchant is told which session it was, to ask about it later.
        let detail = problem["detail"].as_str().unwrap();
        let session = detail.strip_prefix(&format!("{PUBLIC}; the session is ")).unwrap();
        let session = app.get(&format!("/v1/sessions/{session}")).await.ok(200);
        let refused = matches!(
            kind,
            K::InvalidRequest | K::Unsupported | K::GatewayRejected | K::GatewayAuthentication
        );
        assert_eq!(session["status"], if refused { "failed" } else { "creating" }, "{kind:?}");
    }
}

/// A tenant without a gateway is the operator's to mend, not the client's.
#[tokio::test]
async fn a_tenant_without_a_gateway_cannot_start() {
    let app = TestApp::new().await;
    let key = crate::support::issue(&app.app, &"newcomer".parse().unwrap()).await;
    let body = crate::support::without(&session_body(), "/gateway");
    app.call("POST", "/v1/sessions").key(&key).json(&body).send().await.problem(500, "configuration");
    assert_eq!(app.call("GET", "/v1/gateways").key(&key).send().await.ok(200)["data"], json!([]));
}
