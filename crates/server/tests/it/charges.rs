//! Charges as their merchants meet them: what is asked, what is answered, and what a repeat does.

use billfold_core::charge::DeclineClass;
use billfold_testkit::reference::{ChargeOutcome, Trouble};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, id, rows};

fn body() -> Value {
    json!({"amount": 1050, "currency": "IDR", "initiator": "customer", "reference": "order-7"})
}

async fn saved(app: &TestApp) -> (String, String) {
    let session = app.save_card("c-1", "one").await;
    let method = session["payment_methods"][0].as_str().unwrap().to_owned();
    (format!("/v1/payment-methods/{method}/charges"), session["customer_id"].as_str().unwrap().to_owned())
}

async fn keyed(app: &TestApp, path: &str, key: &str) -> Answer {
    app.call("POST", path).key(&app.key).json(&body()).header("idempotency-key", key).send().await
}

#[tokio::test]
async fn a_charge_is_made_shown_listed_and_given_back() {
    let app = TestApp::new().await;
    let (path, customer) = saved(&app).await;
    let answer = app.post(&path, &body()).await;
    let charge = answer.ok(201);
    assert_eq!(answer.header("location"), format!("/v1/charges/{}", id(&charge)));
    for (field, expected) in [
        ("/object", json!("charge")),
        ("/status", json!("succeeded")),
        ("/amount", json!(1050)),
        ("/captured_amount", json!(1050)),
        ("/refunded_amount", json!(0)),
        ("/reason", json!("one_off")),
        ("/reference", json!("order-7")),
        ("/refunds", json!([])),
    ] {
        assert_eq!(charge.pointer(field), Some(&expected), "{field}: {charge}");
    }
    let shown = app.get(&format!("/v1/charges/{}", id(&charge))).await.ok(200);
    assert_eq!(shown, charge);
    let given =
        app.post(&format!("/v1/charges/{}/refunds", id(&charge)), &json!({"amount": 50})).await.ok(201);
    assert_eq!(
        (&given["refunded_amount"], &given["refunds"][0]["status"]),
        (&json!(50), &json!("succeeded"))
    );
    let other = app.post(&format!("/v1/customers/{customer}/charges"), &body()).await.ok(201);
    assert_eq!(
        other["attempts"],
        json!([{
            "charge_id": id(&other), "payment_method_id": charge["payment_method_id"], "status": "succeeded",
        }])
    );
    let all = app.get(&format!("/v1/charges?customer_id={customer}")).await.ok(200);
    let ids: Vec<&str> = rows(&all).iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&id(&charge)) && ids.contains(&id(&other)));
}

#[tokio::test]
async fn a_decline_is_an_answer_that_says_what_to_do() {
    let app = TestApp::new().await;
    let (path, _) = saved(&app).await;
    app.gateway.next_charge(ChargeOutcome::Declined(DeclineClass::InsufficientFunds));
    let declined = app.post(&path, &body()).await.ok(201);
    assert_eq!(declined["status"], "declined");
    let expected =
        json!({"class": "insufficient_funds", "code": "refused_insufficient_funds", "advice": "retry_later"});
    assert_eq!(declined["decline"], expected);
    let anew = app.post(&format!("/v1/charges/{}/collect", id(&declined)), &json!({})).await.ok(201);
    assert_eq!((&anew["object"], &anew["make_default"]), (&json!("session"), &json!(true)));
}

#[tokio::test]
async fn a_repeat_with_one_key_charges_once() {
    let app = TestApp::new().await;
    let (path, _) = saved(&app).await;
    let first = keyed(&app, &path, "order-7").await.ok(201);
    let again = keyed(&app, &path, "order-7").await;
    assert_eq!(again.ok(201), first);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_ne!(keyed(&app, &path, "order-8").await.ok(201)["id"], first["id"]);
    assert_eq!(app.gateway.ledger().len(), 2);
}

/// The handler is gone before it could answer, the charge may be made: nobody makes another.
#[tokio::test]
async fn a_repeat_after_trouble_finds_the_charge_that_was_begun() {
    for trouble in [Trouble::LostAfter, Trouble::LostBefore, Trouble::Panic, Trouble::Refuse] {
        let app = TestApp::new().await;
        let (path, _) = saved(&app).await;
        app.gateway.order("charge", trouble);
        let first = keyed(&app, &path, "order-7").await;
        let again = keyed(&app, &path, "order-7").await.ok(201);
        let charges = app.get("/v1/charges").await.ok(200);
        assert_eq!(rows(&charges).len(), 1, "{trouble:?}: {first:?}");
        assert_eq!(again["id"], rows(&charges)[0]["id"], "{trouble:?}");
        assert!(app.gateway.ledger().len() <= 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn the_customer_comes_back_from_their_bank() {
    let app = TestApp::new().await;
    let (path, _) = saved(&app).await;
    app.gateway.next_charge(ChargeOutcome::RequiresAction);
    let mut request = body();
    request["return_url"] = json!("https://shop.example/paid?order=7");
    let charge = app.post(&path, &request).await.ok(201);
    assert_eq!(charge["status"], "requires_action");
    assert!(charge["next"]["url"].is_string());
    let list = app.get("/v1/charges").await.ok(200);
    assert!(rows(&list)[0].get("next").is_none(), "no links in lists");
    let back = app.gateway.ledger()[0].asked.return_url.clone();
    app.gateway.set_charge("ch-0001", billfold_core::provider::ProviderChargeStatus::Succeeded);
    let back = back.as_str().split_once("/return/").map(|(_, rest)| format!("/return/{rest}")).unwrap();
    let answer = app.call("GET", &back).send().await;
    answer.expect(303);
    let expected = format!("https://shop.example/paid?order=7&charge_id={}&status=succeeded", id(&charge));
    assert_eq!(answer.header("location"), expected);
    app.call("GET", &back).send().await.expect(410);
    app.call("GET", &format!("/return/{}/guessed", id(&charge))).send().await.expect(404);
}

#[tokio::test]
async fn a_key_that_saves_does_not_charge() {
    let app = TestApp::new().await;
    let (path, _) = saved(&app).await;
    let scopes = [billfold_core::scope::Scope::Payments].into_iter().collect();
    let key = crate::support::issue_with(&app.app, &crate::support::tenant(), scopes).await;
    app.call("POST", &path).key(&key).json(&body()).send().await.problem(403, "forbidden");
    app.call("GET", "/v1/charges").key(&key).send().await.ok(200);
    assert!(app.gateway.ledger().is_empty());
}

#[tokio::test]
async fn a_gateway_says_what_it_can_do_with_charges() {
    let app = TestApp::new().await;
    let gateways = app.get("/v1/gateways").await.ok(200);
    let charges = &rows(&gateways)[0]["charges"];
    for ability in ["partial_capture", "cancel", "refunds", "partial_refunds", "lookup"] {
        assert_eq!(charges[ability], true, "{ability}: {charges}");
    }
    assert_eq!(charges["manual_capture"], json!(["card", "wallet", "bank_debit"]));
}
