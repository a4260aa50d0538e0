//! What Adyen's webhooks say, and what they want to be answered with.

use axum::Router;
use billfold_sandbox::{CompleteSession, DeliveryState, Kind, SandboxConfig};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{World, eventually};

/// Two webhooks, a standard one and one about a token, answered with this; how they then stand.
async fn answered(body: &'static str) -> Vec<DeliveryState> {
    let world = World::with(SandboxConfig { retry_scale: 1, ..SandboxConfig::of(Kind::Adyen) }).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/main", listener.local_addr().unwrap()).parse().unwrap();
    let mut serving = JoinSet::new();
    let app = Router::new().fallback(move || async move { body });
    serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
    world.control().set_webhook(Some(url), None);
    world.control().send_test_webhook(false);
    world.control().send_test_webhook(true);
    let tried = || world.control().deliveries().iter().all(|sent| !sent.attempts.is_empty());
    eventually("both were tried", tried).await;
    world.control().deliveries().iter().map(|sent| sent.state).collect()
}

#[tokio::test]
async fn a_standard_webhook_is_accepted_by_its_word_alone() {
    assert_eq!(answered("[accepted]").await, [DeliveryState::Delivered, DeliveryState::Delivered]);
    assert_eq!(answered("").await, [DeliveryState::Pending, DeliveryState::Delivered]);
    assert_eq!(answered("ok").await, [DeliveryState::Pending, DeliveryState::Delivered]);
}

/// What stores a token has an operation; what ends one has none.
#[tokio::test]
async fn a_disabled_token_has_no_operation() {
    let world = World::with(SandboxConfig::of(Kind::Adyen)).await;
    let wanted = json!({
        "merchantAccount": "SandboxECOM", "amount": {"value": 0, "currency": "EUR"}, "reference": "order",
        "shopperReference": "shopper", "returnUrl": "https://shop.example/back",
        "storePaymentMethodMode": "enabled", "recurringProcessingModel": "CardOnFile",
        "shopperInteraction": "Ecommerce",
    });
    let request = world.bare("POST", "/v72/sessions").header("x-api-key", "AQEsandbox").json(&wanted);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let token = world.control().complete("order", &CompleteSession::default()).unwrap();
    assert!(world.control().set_token_status(&token, "disabled", None));
    let sent = world.control().deliveries();
    let of = |event: &str| sent.iter().find(|sent| sent.event == event).unwrap().data["data"].clone();
    assert_eq!(of("recurring.token.created")["operation"], "created");
    assert!(of("recurring.token.disabled").get("operation").is_none());
}
