//! The server is killed between any two steps; after a restart the method is saved exactly once.

use billfold_sandbox::{Channel, Fault, FaultOrder};
use reqwest::Method;

use crate::support::{Options, World, eventually, on_both, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_create_and_before_the_webhook() {
    on_both(Options::default, |mut world: World| async move {
        let session = world.start_session("c-1").await;
        world.kill9();
        // The webhook finds nobody, and the gateway tries again later.
        world.complete();
        world.start_server().await;
        world.saved_once(&session).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_the_gateway_is_asked_after_the_webhook() {
    on_both(Options::default, |mut world: World| async move {
        let session = world.start_session("c-1").await;
        world
            .control()
            .order(FaultOrder { times: 5, ..FaultOrder::once("GET", "/sessions", Fault::TimeoutBefore) });
        world.complete();
        // The webhook is acknowledged, so it is stored; the worker waits for the gateway.
        eventually("the webhook was acknowledged", || async {
            world
                .control()
                .deliveries()
                .iter()
                .any(|delivery| delivery.state == billfold_sandbox::DeliveryState::Delivered)
        })
        .await;
        world.kill9();
        world.control().clear_faults();
        world.control().set_channel(Channel { drop: 100, ..Channel::default() });
        world.start_server().await;
        assert!(world.come_back().await.ends_with("&status=completed"));
        world.until(&session, "completed").await;
        assert_eq!(world.methods(session["customer_id"].as_str().unwrap()).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_create_is_running() {
    on_both(Options::default, |mut world: World| async move {
        world.control().order(FaultOrder::once("POST", "/sessions", Fault::TimeoutAfter));
        let body = request("c-1");
        // The intent is stored and the gateway has the session; the answer never comes.
        let arrived = || async { !world.control().sessions().is_empty() };
        tokio::select! {
            answer = world.api(Method::POST, "/v1/sessions", Some(&body)) => {
                panic!("the call must still be running: {answer:?}")
            }
            () = eventually("the gateway has the session", arrived) => {}
        }
        assert_eq!(world.control().sessions().len(), 1);
        world.kill9();
        world.start_server().await;
        let list = world.get("/v1/sessions").await;
        let session = list["data"][0].clone();
        assert_eq!(session["status"], "creating");
        world.complete();
        world.saved_once(&session).await;
    })
    .await;
}

/// Killed again and again while sessions are started and finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_many_times_under_way() {
    on_both(Options::default, |mut world: World| async move {
        let mut sessions = Vec::new();
        for round in 0..6_u64 {
            let session = world.start_session(&format!("c-{round}")).await;
            world.complete();
            tokio::time::sleep(std::time::Duration::from_millis(round * 7)).await;
            world.kill9();
            world.start_server().await;
            sessions.push(session);
        }
        for session in &sessions {
            world.until(session, "completed").await;
            let methods = world.methods(session["customer_id"].as_str().unwrap()).await;
            assert_eq!(methods.len(), 1);
        }
        world.no_canaries();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_ends_cleanly() {
    let mut world = World::start(Options::default(), None).await;
    world.start_session("c-1").await;
    assert_eq!(world.terminate(), Some(0));
    world.start_server().await;
    assert_eq!(world.get("/v1/sessions").await["data"].as_array().unwrap().len(), 1);
}
