//! Charges by the control API over HTTP, and the gateways' own ways to ask about them.

use billfold_sandbox::{CompleteSession, Kind, SandboxConfig};
use serde_json::{Value, json};

use crate::support::{Answer, World, send};

async fn world(kind: Kind) -> World {
    World::with(SandboxConfig { secret_key: "sandbox_key".into(), ..SandboxConfig::of(kind) }).await
}

async fn control(world: &World, method: &str, path: &str, body: &Value) -> Answer {
    let request = world.bare(method, &format!("/_sandbox/{path}"));
    send(if body.is_null() { request } else { request.json(body) }).await
}

async fn adyen(world: &World, path: &str, body: &Value) -> Value {
    let request = world.bare("POST", &format!("/v72/{path}")).header("x-api-key", "sandbox_key");
    let answer = send(request.json(body)).await;
    assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    answer.body
}

async fn gocardless(world: &World, method: &str, path: &str, body: &Value) -> Answer {
    let request = world.bare(method, path).header("authorization", "Bearer sandbox_key");
    let request = request.header("gocardless-version", "2015-07-06");
    send(if body.is_null() { request } else { request.json(body) }).await
}

/// The states of the charges, oldest first.
async fn states(world: &World, field: &str) -> Vec<String> {
    let charges = control(world, "GET", "charges", &Value::Null).await.ok(200);
    let state = |charge: &Value| charge[field].as_str().unwrap_or_default().to_owned();
    charges.as_array().unwrap().iter().map(state).collect()
}

#[tokio::test]
async fn adyens_payments_are_played() {
    let world = world(Kind::Adyen).await;
    let session = json!({"merchantAccount": "SandboxECOM", "amount": {"value": 0, "currency": "EUR"},
        "reference": "order-1", "shopperReference": "shopper-1", "returnUrl": "https://shop.example/",
        "storePaymentMethodMode": "enabled", "recurringProcessingModel": "CardOnFile",
        "shopperInteraction": "Ecommerce"});
    adyen(&world, "sessions", &session).await;
    let token = world.control().complete("order-1", &CompleteSession::default()).unwrap();
    let pay = async |reference: &str| {
        let payment = json!({"merchantAccount": "SandboxECOM", "amount": {"value": 1050, "currency": "EUR"},
            "reference": reference, "shopperReference": "shopper-1", "returnUrl": "https://shop.example/",
            "paymentMethod": {"type": "scheme", "storedPaymentMethodId": token},
            "shopperInteraction": "Ecommerce", "recurringProcessingModel": "CardOnFile"});
        adyen(&world, "payments", &payment).await
    };
    let plays = format!("tokens/{token}/charges");
    for (play, result) in [
        (json!("approve"), "Authorised"),
        (json!({"decline": "12"}), "Refused"),
        (json!("step_up"), "RedirectShopper"),
        (json!("slow"), "Received"),
    ] {
        assert_eq!(control(&world, "POST", &plays, &play).await.status, 204);
        assert_eq!(pay(&format!("order-{result}")).await["resultCode"], result);
    }
    let stages = states(&world, "stage").await;
    assert_eq!(stages, ["authorised", "refused", "redirected", "received"]);
    let path = "charges/order-RedirectShopper/act";
    let address = control(&world, "POST", path, &json!({"passes": true})).await.ok(200)["address"].clone();
    assert!(address.as_str().unwrap().contains("redirectResult="), "{address}");
    let finish = json!({"well": true});
    assert_eq!(control(&world, "POST", "charges/order-Received/finish", &finish).await.status, 204);
    assert_eq!(control(&world, "POST", "charges/order-Received/finish", &finish).await.status, 404);
    let back = json!({"how": "CHARGEBACK"});
    assert_eq!(control(&world, "POST", "charges/order-Authorised/take-back", &back).await.status, 204);
    assert_eq!(control(&world, "POST", "charges/order-Refused/take-back", &json!({})).await.status, 404);
    assert_eq!(control(&world, "POST", "refunds/finish", &Value::Null).await.status, 204);
    assert_eq!(control(&world, "POST", "tokens/NOBODYS/charges", &json!("slow")).await.status, 404);
    assert_eq!(states(&world, "stage").await, ["takenback", "refused", "redirected", "authorised"]);
}

#[tokio::test]
async fn gocardlesss_payments_are_listed_and_simulated() {
    let world = world(Kind::GoCardless).await;
    let request = json!({"billing_requests": {"mandate_request": {"currency": "GBP"}}});
    let request = gocardless(&world, "POST", "/billing_requests", &request).await.ok(201);
    let id = request["billing_requests"]["id"].as_str().unwrap();
    let active = CompleteSession { token_status: Some("active".to_owned()), ..CompleteSession::default() };
    let mandate = world.control().complete(id, &active).unwrap();
    let mut made = Vec::new();
    for number in 0..3 {
        let payment = json!({"payments": {"amount": 1000 + number, "currency": "GBP",
            "metadata": {"order": number.to_string()}, "links": {"mandate": mandate}}});
        let payment = gocardless(&world, "POST", "/payments", &payment).await.ok(201);
        made.push(payment["payments"]["id"].as_str().unwrap().to_owned());
    }
    let listed = async |query: &str| {
        let page = gocardless(&world, "GET", &format!("/payments?{query}"), &Value::Null).await.ok(200);
        let id = |payment: &Value| payment["id"].as_str().unwrap().to_owned();
        let ids: Vec<String> = page["payments"].as_array().unwrap().iter().map(id).collect();
        (ids, page["meta"]["cursors"]["after"].as_str().map(str::to_owned))
    };
    let newest_first: Vec<String> = made.iter().rev().cloned().collect();
    assert_eq!(listed(&format!("mandate={mandate}")).await, (newest_first.clone(), None));
    let (page, after) = listed("limit=2").await;
    assert_eq!(page, newest_first[..2]);
    assert_eq!(
        listed(&format!("limit=2&after={}", after.unwrap())).await,
        (newest_first[2..].to_vec(), None)
    );
    assert_eq!(listed("mandate=MD0000NOBODY").await, (Vec::new(), None));
    assert_eq!(listed("created_at[lte]=2020-01-01T00:00:00Z").await, (Vec::new(), None));
    assert_eq!(gocardless(&world, "GET", "/payments?colour=red", &Value::Null).await.status, 422);
    for (payment, scenario, status) in [
        (&made[0], "payment_confirmed", "confirmed"),
        (&made[0], "payment_late_failure", "failed"),
        (&made[1], "payment_failed", "failed"),
        (&made[2], "payment_submitted", "submitted"),
        (&made[2], "payment_paid_out", "paid_out"),
        (&made[2], "payment_charged_back", "charged_back"),
    ] {
        let run = json!({"data": {"links": {"resource": payment}}});
        gocardless(&world, "POST", &format!("/scenario_simulators/{scenario}/actions/run"), &run)
            .await
            .ok(200);
        let found = gocardless(&world, "GET", &format!("/payments/{payment}"), &Value::Null).await.ok(200);
        assert_eq!(found["payments"]["status"], status, "{scenario}");
    }
    assert_eq!(states(&world, "status").await, ["failed", "failed", "charged_back"]);
    let path = format!("/events?payment={}&resource_type=payments", made[0]);
    let events = gocardless(&world, "GET", &path, &Value::Null).await.ok(200);
    let actions: Vec<&str> =
        events["events"].as_array().unwrap().iter().filter_map(|event| event["action"].as_str()).collect();
    assert_eq!(actions, ["failed", "confirmed", "created"]);
    assert_eq!(events["events"][0]["details"]["cause"], "refer_to_payer");
}
