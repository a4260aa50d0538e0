//! Charges of tokens: test amounts, test cards, the page where the customer confirms, captures, refunds, and the books.

use billfold_sandbox::{ChargePlay, CompleteSession};
use serde_json::{Value, json};

use crate::support::{Answer, SUCCESS_URL, TOKENS, World, eventually, merge, send};

const REQUESTS: &str = "/v3/payment_requests";

async fn post(world: &World, path: &str, body: &Value) -> Answer {
    send(world.call("POST", path).header(TOKENS.0, TOKENS.1).json(body)).await
}

async fn get(world: &World, path: &str) -> Value {
    send(world.call("GET", path).header(TOKENS.0, TOKENS.1)).await.ok(200)
}

async fn token(world: &World, number: &str) -> String {
    let card = CompleteSession { card_number: Some(number.to_owned()), ..CompleteSession::default() };
    world.completed(&card).await.1
}

fn charge(token: &str, reference: &str, changes: &Value) -> Value {
    let mut body = json!({
        "reference_id": reference, "type": "PAY", "payment_token_id": token, "country": "ID", "currency": "IDR",
        "request_amount": 150_000, "capture_method": "AUTOMATIC",
        "channel_properties": {"success_return_url": SUCCESS_URL, "failure_return_url": "https://shop.example/failed"},
    });
    merge(&mut body, changes);
    body
}

fn events(world: &World) -> Vec<String> {
    let sent = world.control().deliveries().into_iter().map(|sent| sent.event);
    sent.filter(|event| !event.starts_with("payment_session") && !event.starts_with("payment_token"))
        .collect()
}

#[tokio::test]
async fn test_amounts_decide() {
    let world = World::start().await;
    let token = token(&world, "4000000000001091").await;
    for (amount, code) in [
        (10_051, "EXPIRED_CARD"),
        (10_052, "SUSPECTED_FRAUDULENT"),
        (10_053, "DECLINED_BY_PROCESSOR"),
        (10_054, "INSUFFICIENT_BALANCE"),
        (10_055, "STOLEN_CARD"),
        (10_056, "INACTIVE_OR_UNAUTHORIZED_CARD"),
        (10_057, "PROCESSOR_ERROR"),
        (10_058, "INVALID_CVV"),
        (10_059, "DECLINED_BY_ISSUER"),
    ] {
        let body = charge(&token, &amount.to_string(), &json!({"request_amount": amount}));
        let made = post(&world, REQUESTS, &body).await.ok(201);
        assert_eq!((&made["status"], &made["failure_code"]), (&json!("FAILED"), &json!(code)));
    }
    let made = post(&world, REQUESTS, &charge(&token, "c-1", &json!({}))).await.ok(201);
    assert_eq!((&made["status"], &made["request_amount"]), (&json!("SUCCEEDED"), &json!(150_000)));
    let payment = get(&world, &format!("/v3/payments/{}", made["latest_payment_id"].as_str().unwrap())).await;
    assert_eq!(payment["captures"][0]["capture_amount"], 150_000);
    let network =
        payment["payment_details"]["authorization_data"]["network_transaction_id"].as_str().unwrap();
    assert!(network.bytes().all(|byte| byte.is_ascii_digit()), "{network}");
    assert_eq!(events(&world), [vec!["payment.failure"; 9], vec!["payment.capture"]].concat());
}

#[tokio::test]
async fn a_card_is_charged_once_for_a_reference() {
    let world = World::start().await;
    let token = token(&world, "4000000000001091").await;
    post(&world, REQUESTS, &charge(&token, "c-1", &json!({}))).await.ok(201);
    let again = post(&world, REQUESTS, &charge(&token, "c-1", &json!({}))).await;
    again.assert_error(409, "DUPLICATE_ERROR", "the same reference");
    assert_eq!(world.control().charges().len(), 1);
}

#[tokio::test]
async fn the_customer_confirms_on_a_page() {
    let world = World::start().await;
    let token = token(&world, "4000000000002503").await;
    for (reference, decision, status, back) in [
        ("c-1", "approve", "SUCCEEDED", SUCCESS_URL),
        ("c-2", "fail", "FAILED", "https://shop.example/failed"),
    ] {
        let made = post(&world, REQUESTS, &charge(&token, reference, &json!({}))).await.ok(201);
        assert_eq!(made["status"], "REQUIRES_ACTION");
        let page = made["actions"][0]["value"].as_str().unwrap();
        let path = page.strip_prefix(world.sandbox.base_url().as_str()).unwrap();
        assert!(send(world.bare("GET", path)).await.text.contains("IDR 150000.00"));
        let sent = send(world.bare("POST", path).form(&[("decision", decision)])).await;
        assert_eq!((sent.status, sent.header("location")), (303, back));
        let id = made["payment_request_id"].as_str().unwrap();
        assert_eq!(get(&world, &format!("{REQUESTS}/{id}")).await["status"], status);
        let again = send(world.bare("POST", path).form(&[("decision", "approve")])).await;
        assert_eq!(again.header("location"), back, "it was decided");
    }
    // Nobody is there to confirm.
    let alone = json!({"channel_properties": {"skip_three_ds": true, "transaction_sequence": "SUBSEQUENT"}});
    let made = post(&world, REQUESTS, &charge(&token, "c-3", &alone)).await.ok(201);
    assert_eq!(made["status"], "SUCCEEDED");
}

#[tokio::test]
async fn what_is_held_is_captured_once_or_let_go() {
    let world = World::start().await;
    let token = token(&world, "4000000000001091").await;
    let manual = json!({"capture_method": "MANUAL", "request_amount": 100.5});
    let held = async |reference: &str| {
        let made = post(&world, REQUESTS, &charge(&token, reference, &manual)).await.ok(201);
        assert_eq!(made["status"], "AUTHORIZED");
        format!("/v3/payments/{}", made["latest_payment_id"].as_str().unwrap())
    };
    let payment = held("c-1").await;
    let capture = format!("{payment}/capture");
    let over = post(&world, &capture, &json!({"capture_amount": 100.51})).await;
    over.assert_error(400, "CAPTURE_AMOUNT_EXCEEDED", "more than was held");
    let taken = post(&world, &capture, &json!({"capture_amount": 50.25})).await.ok(200);
    assert_eq!(
        (&taken["status"], &taken["captures"][0]["capture_amount"]),
        (&json!("SUCCEEDED"), &json!(50.25))
    );
    post(&world, &capture, &json!({"capture_amount": 1})).await.assert_error(
        400,
        "INELIGIBLE_TRANSACTION_STATUS",
        "twice",
    );
    let payment = held("c-2").await;
    assert_eq!(post(&world, &format!("{payment}/cancel"), &json!({})).await.ok(200)["status"], "CANCELED");
    let payment = held("c-3").await;
    world.control().advance(7 * 24 * 3_600);
    assert_eq!(get(&world, &payment).await["status"], "EXPIRED");
    let books = world.control().charges();
    assert_eq!((&books[0]["captured"], &books[1]["captured"]), (&json!("50.25"), &json!("0.00")));
    assert_eq!(events(&world).last().unwrap(), "payment.expiry");
}

#[tokio::test]
async fn money_goes_back_and_no_more_than_was_taken() {
    let world = World::start().await;
    let token = token(&world, "4000000000001091").await;
    let made = post(&world, REQUESTS, &charge(&token, "c-1", &json!({}))).await.ok(201);
    let refund = |amount: Value| {
        json!({"payment_request_id": made["payment_request_id"], "reason": "OTHERS", "reference_id": "r-1",
            "currency": "IDR", "amount": amount})
    };
    let first = world.post("/refunds", &refund(json!(50_000))).await.ok(200);
    assert_eq!(first["status"], "PENDING");
    world.post("/refunds", &refund(json!(100_000.5))).await.assert_error(
        400,
        "REFUND_AMOUNT_EXCEEDED",
        "too much",
    );
    world.control().finish_refunds();
    let id = first["id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/refunds/{id}")).await.ok(200)["status"], "SUCCEEDED");
    assert_eq!(world.get("/refunds").await.ok(200)["data"][0]["id"], id);
    world.post("/refunds", &refund(json!(100_000))).await.ok(200);
    let books = world.control().charges();
    assert_eq!((&books[0]["refunded"], &books[0]["taken"]), (&json!("150000.00"), &json!("0.00")));
    eventually("the second ends by itself", || {
        events(&world).iter().filter(|event| *event == "refund.succeeded").count() == 2
    })
    .await;
}

#[tokio::test]
async fn banks_do_as_they_are_told() {
    let world = World::start().await;
    let token = token(&world, "4000000000001091").await;
    let play = |play| assert!(world.control().play_charges(&token, play));
    assert!(!world.control().play_charges("pt-nobody", ChargePlay::Slow));
    play(ChargePlay::Decline("INVALID_TOKEN".to_owned()));
    post(&world, REQUESTS, &charge(&token, "c-1", &json!({}))).await.assert_error(
        400,
        "INVALID_TOKEN",
        "as told",
    );
    play(ChargePlay::Slow);
    for (reference, well, status) in [("c-2", true, "SUCCEEDED"), ("c-3", false, "FAILED")] {
        let made = post(&world, REQUESTS, &charge(&token, reference, &json!({}))).await.ok(201);
        assert_eq!(made["status"], "PENDING");
        assert!(world.control().finish_charge(reference, well));
        assert!(!world.control().finish_charge(reference, well), "it is over");
        let id = made["payment_request_id"].as_str().unwrap();
        assert_eq!(get(&world, &format!("{REQUESTS}/{id}")).await["status"], status);
    }
    assert_eq!(world.control().charges().len(), 2, "a refusal makes nothing");
    assert_eq!(events(&world), ["payment.capture", "payment.failure"]);
}

#[tokio::test]
async fn a_wrong_request_is_refused() {
    let world = World::start().await;
    let token = token(&world, "4000000000001091").await;
    let unversioned = world.post(REQUESTS, &charge(&token, "c-1", &json!({}))).await;
    unversioned.assert_error(400, "API_VALIDATION_ERROR", "no version");
    for (changes, code) in [
        (json!({"request_amount": 0}), "INVALID_VALUE_ERROR"),
        (json!({"request_amount": 10.005}), "INVALID_VALUE_ERROR"),
        (json!({"request_amount": 10.5, "currency": "VND"}), "INVALID_VALUE_ERROR"),
        (json!({"request_amount": "10"}), "INVALID_VALUE_ERROR"),
        (json!({"colour": "red"}), "API_VALIDATION_ERROR"),
        (json!({"reference_id": "absent"}), "API_VALIDATION_ERROR"),
        (
            json!({"channel_properties": {"success_return_url": "http://shop.example/"}}),
            "API_VALIDATION_ERROR",
        ),
        (json!({"channel_properties": {"card_on_file_type": "RECURRING"}}), "API_VALIDATION_ERROR"),
        (json!({"channel_properties": {"network_transaction_id": "abc"}}), "API_VALIDATION_ERROR"),
        (json!({"payment_token_id": "pt-nobody"}), "INVALID_TOKEN"),
    ] {
        post(&world, REQUESTS, &charge(&token, "c-1", &changes)).await.assert_error(
            400,
            code,
            &changes.to_string(),
        );
    }
    assert!(world.control().charges().is_empty());
    world.cancel_token(&token).await.ok(200);
    post(&world, REQUESTS, &charge(&token, "c-1", &json!({}))).await.assert_error(
        400,
        "INVALID_TOKEN",
        "canceled",
    );
}
