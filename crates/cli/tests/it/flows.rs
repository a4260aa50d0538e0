//! Every way in which the news can arrive, and every way in which it can go wrong.

use billfold_sandbox::{Channel, Fault, FaultOrder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CALLBACK_TOKEN, Options, World, eventually, on_both, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn return_before_webhook() {
    on_both(Options::default, |world: World| async move {
        world.control().set_channel(Channel { hold: true, ..Channel::default() });
        let session = world.start_session("c-1").await;
        world.complete();
        let address = world.come_back().await;
        assert!(address.starts_with("https://shop.example/done?session_id=ses_"), "{address}");
        assert!(address.ends_with("&status=completed"), "{address}");
        world.control().release();
        world.saved_once(&session).await;
        world.no_canaries();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_before_return() {
    on_both(Options::default, |world: World| async move {
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        assert!(world.come_back().await.ends_with("&status=completed"));
        world.saved_once(&session).await;
        world.no_canaries();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_webhook_and_no_return() {
    let options = || Options { ask_after_seconds: &[1, 2, 3, 5], ..Options::default() };
    on_both(options, |world: World| async move {
        world.control().set_channel(Channel { drop: 100, ..Channel::default() });
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        let settled = world.get(&format!("/v1/sessions/{}", session["id"].as_str().unwrap())).await;
        assert_eq!(settled["settled_via"], "sweep");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_twice_at_once_and_out_of_order() {
    on_both(Options::default, |world: World| async move {
        world.control().set_channel(Channel { duplicate: 100, reorder: true, ..Channel::default() });
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        eventually("all four were sent", || async {
            let sent = world.control().deliveries();
            sent.len() == 4
                && sent.iter().all(|delivery| delivery.state == billfold_sandbox::DeliveryState::Delivered)
        })
        .await;
        world.saved_once(&session).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_while_create_is_still_running() {
    on_both(Options::default, |world: World| async move {
        world.control().complete_on_create(true);
        let session = world.start_session("c-1").await;
        world.saved_once(&session).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_and_expire() {
    on_both(Options::default, |world: World| async move {
        let session = world.start_session("c-1").await;
        let path = format!("/v1/sessions/{}/cancel", session["id"].as_str().unwrap());
        let (status, canceled) = world.api(Method::POST, &path, None).await;
        assert_eq!((status, canceled["status"].as_str()), (200, Some("canceled")));
        assert!(canceled.get("next").is_none(), "the link is gone");

        let session = world.start_session("c-1").await;
        world.control().expire(&world.gateway_session());
        world.until(&session, "expired").await;
        let path = format!("/v1/sessions/{}/cancel", session["id"].as_str().unwrap());
        let (status, problem) = world.api(Method::POST, &path, None).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("conflict")), "{problem}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fail_then_retry_in_the_same_session() {
    on_both(Options::default, |world: World| async move {
        let session = world.start_session("c-1").await;
        assert!(world.control().fail(&world.gateway_session(), "CARD_DECLINED"));
        eventually("the failure was told", || async {
            let list = world.get("/v1/deliveries").await;
            list["data"]
                .as_array()
                .unwrap()
                .iter()
                .any(|delivery| delivery["summary"] == "payment_token.failure" && delivery["state"] == "done")
        })
        .await;
        assert_eq!(world.status_of(&session).await, "active");
        world.complete();
        world.saved_once(&session).await;
    })
    .await;
}

/// Each fault of the creating call gives a typed error, and a session that ends well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_in_trouble() {
    on_both(Options::default, |world: World| async move {
        for (fault, status, code) in [
            (Fault::Status(500), 504, "gateway_outcome_unknown"),
            (Fault::Html(502), 504, "gateway_outcome_unknown"),
            (Fault::RateLimited, 503, "gateway_rate_limited"),
            (Fault::Redirect, 502, "gateway_protocol"),
            (Fault::TruncatedJson, 502, "gateway_protocol"),
            (Fault::Html(200), 502, "gateway_protocol"),
            (Fault::Reset, 504, "gateway_outcome_unknown"),
            (Fault::Oversize, 504, "gateway_outcome_unknown"),
            (Fault::Status(403), 502, "gateway_authentication"),
        ] {
            world.control().order(FaultOrder::once("POST", "/sessions", fault));
            let (got, problem) = world.api(Method::POST, "/v1/sessions", Some(&request("c-1"))).await;
            assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{fault:?}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains("ses_"), "{problem}");
        }
        // The truncated one was created at the gateway: the customer may still finish it.
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        world.no_canaries();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_out_on_create_that_the_gateway_acted_on_is_adopted() {
    on_both(Options::default, |world: World| async move {
        world.control().order(FaultOrder::once("POST", "/sessions", Fault::TimeoutAfter));
        let (status, problem) = world.api(Method::POST, "/v1/sessions", Some(&request("c-1"))).await;
        assert_eq!((status, problem["code"].as_str()), (504, Some("gateway_outcome_unknown")), "{problem}");
        let list = world.get("/v1/sessions").await;
        let session = list["data"][0].clone();
        assert_eq!(session["status"], "creating");
        // The gateway did create it, and its webhook carries our reference.
        world.complete();
        world.saved_once(&session).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_prove_nothing_are_refused_and_not_stored() {
    on_both(Options::default, |world: World| async move {
        let body =
            json!({"event": "payment_session.completed", "data": {"payment_session_id": "ps-1"}}).to_string();
        let wrong: [&[&str]; 5] =
            [&[], &[""], &["wrong"], &[CALLBACK_TOKEN, CALLBACK_TOKEN], &[CALLBACK_TOKEN, "wrong"]];
        for tokens in wrong {
            assert_eq!(world.webhook(tokens, &body).await, 401, "{tokens:?}");
        }
        assert!(world.get("/v1/deliveries").await["data"].as_array().unwrap().is_empty());
        assert_eq!(world.webhook(&[CALLBACK_TOKEN], "{").await, 400);
        assert_eq!(world.webhook(&[CALLBACK_TOKEN], &"x".repeat(600 * 1024)).await, 413);
        // The dashboard's test call matches nothing and is acknowledged all the same.
        world.control().send_test_webhook(true);
        world.control().send_test_webhook(false);
        eventually("the test calls are acknowledged", || async {
            world
                .control()
                .deliveries()
                .iter()
                .all(|delivery| delivery.state == billfold_sandbox::DeliveryState::Delivered)
        })
        .await;
        let parked = |list: Value| {
            list["data"].as_array().unwrap().iter().filter(|row| row["state"] == "parked").count()
        };
        eventually("it is kept and visible", || async { parked(world.get("/v1/deliveries").await) == 1 })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_activates_later_and_one_that_is_taken_back() {
    on_both(Options::default, |world: World| async move {
        let session = world.start_session("c-1").await;
        let pending = billfold_sandbox::CompleteSession {
            channel_code: Some("BRI_DIRECT_DEBIT".to_owned()),
            token_status: Some("PENDING".to_owned()),
            ..billfold_sandbox::CompleteSession::default()
        };
        let token = world.control().complete(&world.gateway_session(), &pending).unwrap();
        world.until(&session, "completed").await;
        let customer = session["customer_id"].as_str().unwrap();
        let saved = world.methods(customer).await;
        assert_eq!(
            (saved[0]["status"].as_str(), saved[0]["kind"].as_str()),
            (Some("pending"), Some("bank_debit"))
        );
        assert!(world.control().set_token_status(&token, "ACTIVE", None));
        eventually("it is active", || async { world.methods(customer).await[0]["status"] == "active" }).await;
        assert!(world.control().set_token_status(&token, "EXPIRED", None));
        eventually("it is expired", || async { world.methods(customer).await[0]["status"] == "expired" })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removing_reaches_the_gateway() {
    on_both(Options::default, |world: World| async move {
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        let customer = session["customer_id"].as_str().unwrap();
        let id = world.methods(customer).await[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/payment-methods/{id}");
        let (status, deleted) = world.api(Method::DELETE, &path, None).await;
        assert_eq!((status, deleted["status"].as_str()), (200, Some("deleted")));
        assert_eq!(world.api(Method::DELETE, &path, None).await.0, 200, "twice");
        assert_eq!(world.api(Method::GET, &path, None).await.0, 404);
        eventually("the token is canceled", || async { world.control().tokens()[0]["status"] == "CANCELED" })
            .await;
    })
    .await;
}
