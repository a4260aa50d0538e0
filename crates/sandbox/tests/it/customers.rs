//! The customers' endpoint: one for each reference, found by it, and made once under one key.

use serde_json::{Value, json};

use crate::support::{Answer, World, merge, send};

fn customer(reference: &str, changes: &Value) -> Value {
    let mut body = json!({
        "reference_id": reference, "type": "INDIVIDUAL", "email": "test@yourdomain.com",
        "individual_detail": {"given_names": "Lorem"},
    });
    merge(&mut body, changes);
    body
}

async fn make(world: &World, key: &str, body: &Value) -> Answer {
    let request = world.call("POST", "/customers").header("api-version", "2020-10-31");
    send(request.header("idempotency-key", key).json(body)).await
}

async fn find(world: &World, reference: &str) -> Value {
    let found = world.get(&format!("/customers?reference_id={reference}")).await.ok(200);
    assert_eq!(found["has_more"], false);
    found["data"].clone()
}

#[tokio::test]
async fn a_customer_is_made_and_found() {
    let world = World::start().await;
    let body = customer("c-1", &json!({"description": null}));
    let made = world.post("/customers", &body).await.ok(200);
    let id = made["id"].as_str().unwrap();
    assert!(id.len() == 41 && id.starts_with("cust-"), "{id}");
    for field in ["reference_id", "type", "email", "individual_detail"] {
        assert_eq!(made[field], body[field], "{field}");
    }
    assert!(made["created"].is_string() && made["updated"].is_string() && made.get("description").is_none());
    assert_eq!(world.get(&format!("/customers/{id}")).await.ok(200), made);
    assert_eq!(find(&world, "c-1").await, json!([made]));
    assert_eq!(find(&world, "c-2").await, json!([]));
    world.get("/customers/cust-1").await.assert_error(404, "DATA_NOT_FOUND", "unknown");
    world.get("/customers").await.assert_error(400, "API_VALIDATION_ERROR", "a search wants the reference");
}

#[tokio::test]
async fn a_reference_is_used_once() {
    let world = World::start().await;
    world.post("/customers", &customer("c-1", &json!({}))).await.ok(200);
    let answer = world.post("/customers", &customer("c-1", &json!({"email": "other@yourdomain.com"}))).await;
    answer.assert_error(409, "DUPLICATE_ERROR", "a second time");
    world.create(&json!({"customer": {"reference_id": "c-2"}})).await;
    let answer = world.post("/customers", &customer("c-2", &json!({}))).await;
    answer.assert_error(409, "DUPLICATE_ERROR", "made inline before");
}

#[tokio::test]
async fn a_key_makes_one_customer() {
    let world = World::start().await;
    let body = customer("c-1", &json!({}));
    let first = make(&world, "key-1", &body).await.ok(200);
    assert_eq!(make(&world, "key-1", &body).await.ok(200), first);
    make(&world, "key-2", &body).await.assert_error(409, "DUPLICATE_ERROR", "another key");
    let other = customer("c-2", &json!({}));
    make(&world, "key-1", &other).await.assert_error(409, "IDEMPOTENCY_ERROR", "the key of another request");
    assert_eq!(find(&world, "c-2").await, json!([]));
    for key in ["", &"k".repeat(101)] {
        make(&world, key, &other).await.assert_error(400, "API_VALIDATION_ERROR", key);
    }
    make(&world, &"k".repeat(100), &other).await.ok(200);
}

#[tokio::test]
async fn versions_are_those_of_the_documents() {
    let world = World::start().await;
    for (number, (version, status)) in
        [("2020-10-31", 200), ("2020-05-19", 200), ("2024-11-11", 400)].into_iter().enumerate()
    {
        let body = customer(&format!("c-{number}"), &json!({}));
        let request = world.call("POST", "/customers").header("api-version", version).json(&body);
        assert_eq!(send(request).await.status, status, "{version}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_place() {
    let world = World::start().await;
    for (changes, path) in [
        (json!({"reference_id": "absent"}), "/body/reference_id"),
        (json!({"reference_id": "x".repeat(256)}), "/body/reference_id"),
        (json!({"type": "absent"}), "/body/type"),
        (json!({"type": "PERSON"}), "/body/type"),
        (json!({"email": "x".repeat(51)}), "/body/email"),
        (json!({"email": 7}), "/body/email"),
        (json!({"mobile_number": "+1"}), "/body/mobile_number"),
        (json!({"individual_detail": "absent"}), "/body/individual_detail/given_names"),
        (json!({"individual_detail": {"given_names": ""}}), "/body/individual_detail/given_names"),
        (
            json!({"individual_detail": {"given_names": "x".repeat(51)}}),
            "/body/individual_detail/given_names",
        ),
        (json!({"type": "BUSINESS"}), "/body/business_detail/business_name"),
    ] {
        let answer = world.post("/customers", &customer("c-1", &changes)).await;
        answer.assert_error(400, "API_VALIDATION_ERROR", &changes.to_string());
        assert_eq!(answer.body["errors"][0]["path"], path, "{changes}");
    }
    let answer = send(world.call("POST", "/customers").body("[]")).await;
    answer.assert_error(400, "API_VALIDATION_ERROR", "not an object");
}
