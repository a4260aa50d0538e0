//! Rate limits: so many calls in a minute, for each endpoint and account.

use billfold_sandbox::SandboxConfig;
use serde_json::json;

use crate::support::{Answer, World, config, send};

const ANY: &str = "/sessions/ps-000000000000000000000000";

async fn world() -> World {
    World::with(SandboxConfig { rate_limit: 2, ..config() }).await
}

/// Limit, what remains, and that the end of the minute is told in seconds with a fraction.
fn limits(answer: &Answer) -> (&str, &str) {
    let reset = answer.header("rate-limit-reset");
    let (seconds, fraction) = reset.split_once('.').unwrap();
    assert!((1..=60).contains(&seconds.parse::<u32>().unwrap()) && !fraction.is_empty(), "{reset}");
    (answer.header("rate-limit-limit"), answer.header("rate-limit-remaining"))
}

#[tokio::test]
async fn calls_are_counted_and_then_refused() {
    let world = world().await;
    for remaining in ["1", "0"] {
        let answer = world.get(ANY).await;
        assert_eq!((answer.status, limits(&answer)), (404, ("2", remaining)));
    }
    for _ in 0..2 {
        let answer = world.get(ANY).await;
        answer.assert_error(429, "RATE_LIMIT_EXCEEDED", "the third");
        assert_eq!(limits(&answer), ("2", "0"));
    }
    // Another session is the same endpoint.
    assert_eq!(world.get("/sessions/ps-111111111111111111111111").await.status, 429);
    world.control().advance(60);
    assert_eq!(limits(&world.get(ANY).await), ("2", "1"));
}

#[tokio::test]
async fn endpoints_and_accounts_are_counted_apart() {
    let world = world().await;
    for _ in 0..3 {
        world.get(ANY).await;
    }
    assert_eq!(world.get(ANY).await.status, 429);
    world.create(&json!({})).await;
    assert_eq!(send(world.call("POST", &format!("{ANY}/cancel"))).await.status, 404);
    assert_eq!(world.token("pt-1").await.status, 404);
    assert_eq!(send(world.call("GET", ANY).header("for-user-id", "sub-1")).await.status, 404);
}

#[tokio::test]
async fn what_is_refused_has_no_effect() {
    let world = world().await;
    for _ in 0..2 {
        world.create(&json!({})).await;
    }
    let answer = world.post("/sessions", &crate::support::body(&json!({}))).await;
    answer.assert_error(429, "RATE_LIMIT_EXCEEDED", "the third");
    assert_eq!(world.control().sessions().len(), 2);
}

/// Who has no key uses nothing up.
#[tokio::test]
async fn strangers_are_not_counted() {
    let world = world().await;
    for _ in 0..5 {
        assert_eq!(send(world.bare("GET", ANY)).await.status, 401);
    }
    assert_eq!(limits(&world.get(ANY).await), ("2", "1"));
}
