//! Faults on order, as they are on the wire, and whether the request had its effect.

use std::time::Duration;

use billfold_sandbox::{Fault, FaultOrder};
use serde_json::json;

use crate::support::{World, body, eventually, send};

/// A world in which the next session's creation meets a fault.
async fn troubled(fault: Fault) -> World {
    let world = World::start().await;
    world.control().order(FaultOrder::once("POST", "/sessions", fault));
    world
}

fn made(world: &World) -> usize {
    world.control().sessions().len()
}

#[tokio::test]
async fn errors_instead_of_the_effect() {
    for (fault, status, content_type, contains) in [
        (Fault::Status(500), 500, "application/json", "SERVER_ERROR"),
        (Fault::Status(503), 503, "application/json", "SERVER_ERROR"),
        (Fault::Html(502), 502, "text/html", "<html>"),
        (Fault::Html(200), 200, "text/html", "<html>"),
        (Fault::Redirect, 302, "", ""),
        (Fault::RateLimited, 429, "application/json", "RATE_LIMIT_EXCEEDED"),
    ] {
        let world = troubled(fault).await;
        let answer = world.post("/sessions", &body(&json!({}))).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, content_type), "{fault:?}");
        assert!(answer.text.contains(contains), "{fault:?}: {}", answer.text);
        match fault {
            Fault::Redirect => assert!(answer.header("location").starts_with("http://127.0.0.1:9/")),
            Fault::RateLimited => {
                let headers = ["rate-limit-limit", "rate-limit-remaining", "rate-limit-reset"];
                assert_eq!(headers.map(|name| answer.header(name)), ["60", "0", "12.5"]);
            }
            _ => {}
        }
        assert_eq!(made(&world), 0, "{fault:?}");
        world.create(&json!({})).await;
    }
}

#[tokio::test]
async fn answers_that_are_spoilt_after_the_effect() {
    let world = troubled(Fault::TruncatedJson).await;
    let answer = world.post("/sessions", &body(&json!({}))).await;
    assert!(answer.status == 201 && answer.text.starts_with('{') && answer.body.is_null(), "{answer:?}");
    assert_eq!(made(&world), 1);

    let world = troubled(Fault::Oversize).await;
    let answer = world.post("/sessions", &body(&json!({}))).await;
    assert!(answer.status == 200 && answer.text.len() > 4 * 1024 * 1024);
    assert_eq!(made(&world), 1);

    let world = troubled(Fault::Delay(1)).await;
    assert_eq!(world.post("/sessions", &body(&json!({}))).await.ok(201)["status"], "ACTIVE");

    let world = troubled(Fault::Reset).await;
    let broken = match world.call("POST", "/sessions").json(&body(&json!({}))).send().await {
        Ok(answer) => answer.bytes().await.is_err(),
        Err(_) => true,
    };
    assert!(broken);
    assert_eq!(made(&world), 1);
}

#[tokio::test]
async fn answers_that_never_come() {
    for (fault, effect) in [(Fault::TimeoutBefore, 0), (Fault::TimeoutAfter, 1)] {
        let world = troubled(fault).await;
        let request = world.call("POST", "/sessions").json(&body(&json!({}))).timeout(Duration::from_secs(3));
        assert!(request.send().await.unwrap_err().is_timeout(), "{fault:?}");
        eventually("the effect", || made(&world) == effect).await;
    }
}

#[tokio::test]
async fn faults_meet_what_they_are_ordered_for() {
    let world = World::start().await;
    let fault = Fault::Status(500);
    world.control().order(FaultOrder { times: 2, ..FaultOrder::once("post", "/sessions", fault) });
    assert_eq!(world.get("/sessions/ps-1").await.status, 404, "another method");
    assert_eq!(world.get("/customers?reference_id=x").await.status, 200, "another path");
    for expected in [500, 500, 201] {
        assert_eq!(world.post("/sessions", &body(&json!({}))).await.status, expected);
    }
    // Without a method it is any; with a longer path, that alone.
    let order = FaultOrder { method: None, path_prefix: "/sessions/ps-2".to_owned(), times: 1, fault };
    world.control().order(order);
    assert_eq!(world.get("/sessions/ps-1").await.status, 404);
    assert_eq!(send(world.call("POST", "/sessions/ps-2/cancel")).await.status, 500);
    world.control().order(FaultOrder::once("GET", "/", fault));
    world.control().clear_faults();
    assert_eq!(world.get("/sessions/ps-1").await.status, 404);
}

/// The customer's page and the control API stay well.
#[tokio::test]
async fn faults_are_the_apis_alone() {
    let world = World::start().await;
    let link = world.create(&json!({})).await["payment_link_url"].as_str().unwrap().to_owned();
    let order = FaultOrder { method: None, path_prefix: "/".to_owned(), times: 1, fault: Fault::Status(500) };
    world.control().order(order);
    assert_eq!(send(world.bare("GET", &link)).await.status, 200);
    assert_eq!(send(world.bare("GET", "/_sandbox/sessions")).await.status, 200);
    assert_eq!(world.get("/sessions/ps-1").await.status, 500);
}
