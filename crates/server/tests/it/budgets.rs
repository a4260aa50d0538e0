//! What the workers ask gateways: as much as the configuration says, and no gateway at the cost of another.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::settings::Mode;
use billfold_testkit::reference::{Instrument, ReferenceGateway, ReferenceProvider};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hostile::{Act, HostileProvider};
use crate::support::{GATEWAY, SECRET, TestApp, another, gateway, id, session_body, tenant};

async fn start_at(app: &TestApp, gateway: &str, customer: &str) -> Value {
    let mut body = session_body();
    (body["gateway"], body["customer"]["reference"]) = (json!(gateway), json!(customer));
    app.post("/v1/sessions", &body).await.ok(201)
}

fn settings(more: Value) -> Vec<(String, Value)> {
    let usual = json!({"workers.ask_after_seconds": [1, 3600], "server.metrics": true});
    let keys = [usual, more].into_iter().flat_map(|keys| keys.as_object().unwrap().clone());
    keys.collect()
}

#[tokio::test]
async fn a_gateway_may_have_a_budget_of_its_own_and_what_waits_is_counted() {
    // The counters are the process's, so no other test has gateways of these names.
    let (few, usual, any) = ("budget-few", "budget-usual", "budget-any");
    let more = [few, usual, any].map(|name| another(name, Mode::Test, |_| {}));
    let app = TestApp::with(
        more.into(),
        settings(json!({
            "workers.background_calls_per_second": 2,
            "gateways.budget-few.provider": "reference",
            "gateways.budget-few.mode": "test",
            "gateways.budget-few.background_calls_per_second": 1,
            "gateways.budget-any.provider": "reference",
            "gateways.budget-any.mode": "test",
            "gateways.budget-any.background_calls_per_second": 0,
        })),
    );
    let app = app.await;
    for name in [few, usual, any] {
        for number in 0..7 {
            start_at(&app, name, &format!("{name}-{number}")).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(app.app.billfold().reconcile(50).await.unwrap(), 21);
    let metrics = app.call("GET", "/metrics").send().await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let put_off = |name: &str| {
        let line =
            format!("billfold_background_calls_put_off_total{{gateway=\"{name}\",reason=\"budget\"}} ");
        let found = metrics.lines().find_map(|it| it.strip_prefix(&line));
        found.map_or(0, |count| count.parse::<u32>().unwrap())
    };
    assert_eq!([few, usual, any].map(put_off), [5, 3, 0], "{metrics}");
}

/// The clock of calls and pauses goes on only while everybody waits for it, so that the calls which hang last as long as
/// they should, however busy the machine is.
#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_answer_holds_up_no_other() {
    let quick = Arc::new(ReferenceGateway::new());
    let provider = Arc::new(HostileProvider::new(ReferenceProvider::new(quick.clone(), SECRET)));
    let config = json!({"workers.background_calls_per_second": 0, "workers.interval_ms": 50});
    let app = TestApp::with(vec![gateway(tenant(), "quick-cards", provider)], settings(config)).await;
    app.provider.order("fetch_session", Act::Hang);
    for number in 0..15 {
        start_at(&app, GATEWAY, &format!("hangs-{number}")).await;
    }
    let mut waiting = Vec::new();
    for number in 0..45 {
        waiting.push(start_at(&app, "quick-cards", &format!("quick-{number}")).await);
        let card = Instrument::card(&format!("tok-{number}"), &format!("fp-{number}"));
        quick.complete(&quick.sessions().pop().unwrap(), card);
    }
    // When a session is due is told by the machine's own clock: all are due from the beginning.
    std::thread::sleep(Duration::from_millis(1100));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(app.app.clone().serve(listener, CancellationToken::new()));
    let began = Instant::now();
    for session in &waiting {
        while app.get(&format!("/v1/sessions/{}", id(session))).await.ok(200)["status"] != "completed" {
            // A call may take 20 seconds, and before all is asked about two batches would have waited for it.
            assert!(began.elapsed() < Duration::from_secs(15), "the gateway that hangs holds up the other");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    serving.abort_all();
}
