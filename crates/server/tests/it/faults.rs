//! Whatever breaks inside becomes a problem outside, and the next request is answered as if nothing
//! had been. That no answer holds a panic's text is checked of every answer, in `support`.

use std::time::{Duration, Instant};

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use billfold_server::{Access, ROUTES};
use billfold_testkit::reference::Trouble;
use serde_json::json;

use crate::hostile::{Act, Mood};
use crate::support::{GATEWAY, SECRET, TestApp, id, session_body};

#[tokio::test]
async fn a_panic_in_a_handler_is_an_internal_error() {
    let app = TestApp::new().await;
    // Checked where nothing guards it but the outermost layer.
    app.provider.order("validate", Act::Panic);
    for _ in 0..3 {
        let problem = app.post("/v1/sessions", &session_body()).await.problem(500, "internal");
        assert_eq!(problem["detail"], "an internal error occurred");
    }
    app.provider.behave();
    app.post("/v1/sessions", &session_body()).await.ok(201);
}

#[tokio::test]
async fn a_panic_in_the_database_is_an_internal_error_everywhere() {
    let app = TestApp::new().await;
    app.store.feel(Mood::Panics);
    for route in ROUTES.iter().filter(|route| matches!(route.access, Access::Tenant(_))) {
        for method in route.methods {
            let path = route.path.replace("{id}", "x").replace("{name}", "x").replace("{delivery}", "x");
            app.call(method, &path).key(&app.key).send().await.problem(500, "internal");
        }
    }
    app.call("GET", "/readyz").send().await.problem(500, "internal");
    app.call("GET", "/healthz").send().await.ok(200);
    app.store.feel(Mood::Well);
    app.get("/v1/sessions").await.ok(200);
}

#[tokio::test]
async fn a_database_that_is_down_is_said_to_be() {
    let app = TestApp::new().await;
    for (mood, retry_after) in [(Mood::Down, "1"), (Mood::Broken, "")] {
        app.store.feel(mood);
        for route in ROUTES.iter().filter(|route| matches!(route.access, Access::Tenant(_))) {
            for method in route.methods {
                let path = route.path.replace("{id}", "x").replace("{name}", "x").replace("{delivery}", "x");
                let answer = app.call(method, &path).key(&app.key).send().await;
                answer.problem(503, "store_unavailable");
                assert_eq!(answer.header("retry-after"), retry_after);
            }
        }
        app.call("GET", "/readyz").send().await.problem(503, "store_unavailable");
        // Whether the process lives does not depend on the database: restarting it would mend nothing.
        app.call("GET", "/healthz").send().await.ok(200);
    }
}

#[tokio::test]
async fn a_provider_that_panics_is_an_internal_error_with_the_session() {
    let app = TestApp::new().await;
    app.gateway.order("create_session", Trouble::Panic);
    let problem = app.post("/v1/sessions", &session_body()).await.problem(500, "internal");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("an internal error occurred; the session is ses_"), "{detail}");

    let session = app.start("c-1").await;
    let cancel = format!("/v1/sessions/{}/cancel", id(&session));
    app.gateway.order("cancel_session", Trouble::Panic);
    app.call("POST", &cancel).key(&app.key).send().await.problem(500, "internal");
    app.call("POST", &cancel).key(&app.key).send().await.ok(200);
}

/// That a gateway's credentials do not work is the answer of a check, not a failure of it.
#[tokio::test]
async fn a_check_says_what_is_wrong() {
    let app = TestApp::new().await;
    let check = async || {
        let path = format!("/v1/gateways/{GATEWAY}/check");
        app.call("POST", &path).key(&app.key).send().await.ok(200)
    };
    for (act, problem) in [
        (Act::Fail(ErrorKind::GatewayAuthentication, Retry::Never), crate::hostile::PUBLIC),
        (Act::Panic, "an internal error occurred"),
    ] {
        app.provider.order("check", act);
        let expected =
            json!({"object": "gateway_check", "gateway": GATEWAY, "ok": false, "problem": problem});
        assert_eq!(check().await, expected);
    }
    app.provider.behave();
    assert_eq!(check().await["ok"], true);
}

/// Real seconds pass here, all at the same time: nothing waits for ever.
#[tokio::test]
async fn whoever_never_answers_is_not_waited_for() {
    let began = Instant::now();
    tokio::join!(hanging_gateway(), hanging_check(), hanging_return(), hanging_store());
    assert!(began.elapsed() < Duration::from_mins(2), "{:?}", began.elapsed());
}

async fn hanging_gateway() {
    let app = TestApp::new().await;
    app.provider.order("create_session", Act::Hang);
    let problem = app.post("/v1/sessions", &session_body()).await.problem(504, "gateway_outcome_unknown");
    let detail = problem["detail"].as_str().unwrap();
    let (_, session) = detail.split_once("; the session is ").unwrap();
    // Nobody knows whether the gateway acted: the session is neither open nor over.
    let session = app.get(&format!("/v1/sessions/{session}")).await.ok(200);
    assert_eq!(session["status"], "creating");
}

async fn hanging_check() {
    let app = TestApp::new().await;
    app.provider.order("check", Act::Hang);
    let path = format!("/v1/gateways/{GATEWAY}/check");
    let check = app.call("POST", &path).key(&app.key).send().await.ok(200);
    assert_eq!(
        (&check["ok"], &check["problem"]),
        (&json!(false), &json!("the gateway did not answer in time"))
    );
}

async fn hanging_return() {
    let app = TestApp::new().await;
    app.start("c-1").await;
    app.provider.order("fetch_session", Act::Hang);
    let answer = app.call("GET", &app.last_return_path()).send().await;
    assert!(answer.expect(303).header("location").ends_with("&status=active"));
}

/// The gateway is waiting: within five seconds it is told to send the webhook again.
async fn hanging_store() {
    let app = TestApp::new().await;
    app.store.feel(Mood::Hangs);
    let began = Instant::now();
    let answer = app.webhook(GATEWAY, &[SECRET], json!({"event": "x"}).to_string()).await;
    answer.problem(503, "store_unavailable");
    assert_eq!(answer.header("retry-after"), "30");
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    app.store.feel(Mood::Well);
    assert!(app.deliveries().await.is_empty());
}
