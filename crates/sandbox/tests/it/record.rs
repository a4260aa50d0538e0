//! The record of requests: enough to check a client by, and never its key.

use serde_json::json;

use crate::support::{KEY, World, basic, body, send};

#[tokio::test]
async fn requests_are_recorded_as_they_came() {
    let world = World::start().await;
    let request = body(&json!({}));
    send(world.call("POST", "/sessions").header("X-Custom", "value").json(&request)).await.ok(201);
    send(world.call("GET", "/customers?reference_id=a%20b")).await.ok(200);
    send(world.call("POST", "/customers").body("no json")).await;
    let requests = world.control().requests();
    let told: Vec<_> =
        requests.iter().map(|r| (r.method.as_str(), r.path.as_str(), r.query.as_str(), r.status)).collect();
    let expected = [
        ("POST", "/sessions", "", 201),
        ("GET", "/customers", "reference_id=a%20b", 200),
        ("POST", "/customers", "", 400),
    ];
    assert_eq!(told, expected);
    assert_eq!(requests[0].body, request);
    assert_eq!(requests[0].headers["x-custom"], "value");
    assert!(requests[0].at.parse::<jiff::Timestamp>().is_ok());
    assert_eq!((&requests[1].body, &requests[2].body), (&json!(null), &json!("no json")));
    world.control().clear_requests();
    assert!(world.control().requests().is_empty());
}

#[tokio::test]
async fn a_key_is_right_or_wrong_and_not_shown() {
    let world = World::start().await;
    let wrong = "xnd_development_CANARY-wrong";
    send(world.call("GET", "/sessions/ps-1")).await;
    send(world.bare("GET", "/sessions/ps-1").header("authorization", basic(wrong))).await;
    send(world.bare("GET", "/sessions/ps-1").header("authorization", wrong)).await;
    send(world.bare("GET", "/sessions/ps-1")).await;
    let requests = world.control().requests();
    let told: Vec<_> = requests.iter().map(|r| r.headers.get("authorization").map(String::as_str)).collect();
    let (right, wrong_one) = (Some("Basic (the right key)"), Some("Basic (a wrong key)"));
    assert_eq!(told, [right, wrong_one, wrong_one, None]);
    let http = send(world.bare("GET", "/_sandbox/requests")).await.text;
    for secret in ["CANARY", &basic(KEY)[6..], &basic(wrong)[6..]] {
        assert!(!format!("{requests:?} {http}").contains(secret), "{secret}");
    }
}

/// Only what the API is asked; the page and the control API are not its clients' affair.
#[tokio::test]
async fn pages_and_control_are_not_recorded() {
    let world = World::start().await;
    let link = world.create(&json!({})).await["payment_link_url"].as_str().unwrap().to_owned();
    world.control().clear_requests();
    send(world.bare("GET", &link)).await;
    send(world.bare("GET", "/_sandbox/tokens")).await;
    assert!(world.control().requests().is_empty());
}
