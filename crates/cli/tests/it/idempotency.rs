//! `Idempotency-Key` over real HTTP, on both databases.

use serde_json::{Value, json};

use crate::support::{Options, World, on_both, request};

/// Status, whether the answer was given before, and the answer.
async fn post(world: &World, path: &str, body: &Value, key: &str) -> (u16, bool, Value) {
    let url = format!("http://127.0.0.1:{}{path}", world.port);
    let call = reqwest::Client::builder().no_proxy().build().unwrap().post(url);
    let call = call.bearer_auth(&world.api_key).header("idempotency-key", key).json(body);
    let answer = call.send().await.unwrap();
    let replayed = answer.headers().contains_key("idempotency-replayed");
    (answer.status().as_u16(), replayed, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_equal_requests_start_one_session() {
    on_both(Options::default, |mut world: World| async move {
        let body = request("c-1");
        let all = (0..32).map(|_| post(&world, "/v1/sessions", &body, "CANARY-key"));
        let answers = futures::future::join_all(all).await;
        assert!(answers.iter().all(|(status, ..)| [201, 409].contains(status)), "{answers:?}");
        let started = answers.iter().filter(|(status, replayed, _)| *status == 201 && !replayed).count();
        assert_eq!((started, world.control().sessions().len()), (1, 1));
        // The answer outlives the process.
        world.kill9();
        world.start_server().await;
        let (status, replayed, session) = post(&world, "/v1/sessions", &body, "CANARY-key").await;
        assert_eq!((status, replayed), (201, true));
        assert!(answers.iter().filter(|(status, ..)| *status == 201).all(|(_, _, one)| *one == session));
        let (status, _, problem) = post(&world, "/v1/sessions", &request("c-2"), "CANARY-key").await;
        assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_key_reused")));

        let name = json!({"name": "made twice"});
        let (_, _, made) = post(&world, "/v1/api-keys", &name, "CANARY-key").await;
        assert_eq!(post(&world, "/v1/api-keys", &name, "CANARY-key").await, (201, true, made.clone()));
        let secret = made["secret"].as_str().unwrap();
        for file in ["billfold.db", "billfold.db-wal", "server.log"] {
            let Ok(bytes) = std::fs::read(world.folder.path().join(file)) else { continue };
            for canary in [secret, "CANARY-key"] {
                let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!found, "{file} contains {canary}");
            }
        }
        world.no_canaries();
    })
    .await;
}
