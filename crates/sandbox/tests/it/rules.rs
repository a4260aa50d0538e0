//! `POST /sessions`, its rules: each is refused by its own code.

use serde_json::{Value, json};

use crate::support::{World, body, id, send};

async fn assert_refused(world: &World, status: u16, code: &str, changes: Vec<Value>) {
    for changes in changes {
        let answer = world.post("/sessions", &body(&changes)).await;
        answer.assert_error(status, code, &changes.to_string());
    }
}

#[tokio::test]
async fn only_saving_by_a_link_is_offered() {
    let world = World::start().await;
    let types = ["PAY", "SUBSCRIPTION", "AUTHORIZATION", "save"];
    let types = types.map(|kind| json!({"session_type": kind})).to_vec();
    assert_refused(&world, 400, "SESSION_TYPE_NOT_SUPPORTED", types).await;
    let modes = ["COMPONENTS", "CARDS_SESSION_JS"].map(|mode| json!({"mode": mode})).to_vec();
    assert_refused(&world, 400, "MODE_NOT_SUPPORTED", modes).await;
    let amounts = [json!(1), json!(-1), json!(0.5), json!(100_000)];
    assert_refused(&world, 400, "INVALID_AMOUNT", amounts.map(|amount| json!({"amount": amount})).to_vec())
        .await;
    let captures = ["AUTOMATIC", "MANUAL"].map(|method| json!({"capture_method": method})).to_vec();
    assert_refused(&world, 400, "DISALLOWED_CAPTURE_METHOD", captures).await;
    assert_refused(&world, 400, "ITEMS_NOT_SUPPORTED", vec![json!({"items": [{"name": "x"}]})]).await;
}

#[tokio::test]
async fn currencies_and_countries_are_those_of_the_documents() {
    let world = World::start().await;
    let currencies = ["HKD", "MXN", "EUR", "idr", ""].map(|currency| json!({"currency": currency})).to_vec();
    assert_refused(&world, 400, "INVALID_CURRENCY", currencies).await;
    let countries = ["HK", "MX", "US", "id", ""].map(|country| json!({"country": country})).to_vec();
    assert_refused(&world, 400, "INVALID_COUNTRY", countries).await;
    for (country, currency) in [
        ("ID", "IDR"),
        ("PH", "PHP"),
        ("VN", "VND"),
        ("TH", "THB"),
        ("SG", "SGD"),
        ("SG", "USD"),
        ("MY", "MYR"),
    ] {
        let session = world.create(&json!({"country": country, "currency": currency})).await;
        assert_eq!((&session["country"], &session["currency"]), (&json!(country), &json!(currency)));
    }
}

#[tokio::test]
async fn channels_can_save_in_their_country() {
    let world = World::start().await;
    let philippines =
        |code: &str| json!({"country": "PH", "currency": "PHP", "allowed_payment_channels": [code]});
    let wrong = vec![
        philippines("GCASH"),
        philippines("OVO"),
        json!({"allowed_payment_channels": ["CARD"]}),
        json!({"allowed_payment_channels": ["CARDS", "PAYMAYA"]}),
        json!({"country": "VN", "currency": "VND", "allowed_payment_channels": ["DANA"]}),
    ];
    assert_refused(&world, 400, "INVALID_PAYMENT_CHANNEL", wrong).await;
    let primary = |listed: Value| {
        json!({
            "allowed_payment_channels": listed,
            "payment_link_configuration": {"primary_payment_channels": ["OVO"]},
        })
    };
    let wrong = vec![primary(json!(["CARDS"])), primary(json!([]))];
    assert_refused(&world, 400, "INVALID_PRIMARY_PAYMENT_CHANNEL", wrong).await;
    for code in ["BPI_RECURRING", "UBP_EADA", "CARDS"] {
        world.create(&philippines(code)).await;
    }
}

#[tokio::test]
async fn metadata_has_the_stricter_of_two_limits() {
    let keys: Value = (0..21).map(|key| (format!("k{key}"), json!("v"))).collect();
    let wrong = [
        keys,
        json!({"k".repeat(41): "v"}),
        json!({"k": "v".repeat(81)}),
        json!({"k": 7}),
        json!({"k": null}),
        json!({"k": {}}),
        json!([]),
        json!("k"),
    ];
    let wrong = wrong.map(|metadata| json!({"metadata": metadata})).to_vec();
    assert_refused(&World::start().await, 400, "INVALID_METADATA", wrong).await;
}

#[tokio::test]
async fn someone_has_to_save_it() {
    let world = World::start().await;
    let wrong = vec![
        json!({"customer": "absent"}),
        json!({"customer": null}),
        json!({"customer": null, "customer_id": null}),
    ];
    assert_refused(&world, 400, "MISSING_CUSTOMER", wrong).await;
    let with = |id: Value| json!({"customer": "absent", "customer_id": id});
    let wrong = vec![with(json!("cust-1")), with(json!("")), with(json!(7)), with(json!("x".repeat(41)))];
    assert_refused(&world, 400, "INVALID_CUSTOMER_ID", wrong).await;
    let unknown = vec![with(json!("cust-00000000-0000-4000-8000-000000000001"))];
    assert_refused(&world, 404, "DATA_NOT_FOUND", unknown).await;
    let known = world.create(&json!({})).await["customer_id"].clone();
    assert_eq!(world.create(&with(known.clone())).await["customer_id"], known);
}

#[tokio::test]
async fn customers_return_over_https() {
    let world = World::start().await;
    for field in ["success_return_url", "cancel_return_url"] {
        let wrong = [
            "http://shop.example/r",
            "ftp://shop.example",
            "shop.example",
            "",
            "javascript:alert(1)",
            "https://",
        ];
        let wrong = wrong.map(|url| json!({field: url})).to_vec();
        assert_refused(&world, 400, "INVALID_URL", wrong).await;
        assert_refused(&world, 400, "INVALID_URL", vec![json!({field: 7})]).await;
        // The sandbox's liberty: this machine.
        for url in ["http://127.0.0.1:8080/r", "http://localhost/r", "http://[::1]:8080/r"] {
            world.create(&json!({field: url})).await;
        }
    }
}

#[tokio::test]
async fn a_session_lasts_ten_minutes_or_more() {
    let world = World::start().await;
    let created = world.create(&json!({})).await["created"].as_str().unwrap().to_owned();
    let now: jiff::Timestamp = created.parse().unwrap();
    let ahead =
        |seconds: i64| json!({"expires_at": (now + jiff::SignedDuration::from_secs(seconds)).to_string()});
    let wrong = vec![
        ahead(-60),
        ahead(0),
        ahead(9 * 60),
        ahead(5 * 365 * 24 * 3600),
        json!({"expires_at": "soon"}),
        json!({"expires_at": "2031-01-01"}),
        json!({"expires_at": 7}),
    ];
    assert_refused(&world, 400, "INVALID_EXPIRY_DATE", wrong).await;
    for seconds in [11 * 60, 3600, 24 * 3600] {
        world.create(&ahead(seconds)).await;
    }
}

/// The trap: what is refused is the customer's reference, on the same account, and not the session's.
#[tokio::test]
async fn a_customers_reference_is_used_once() {
    let world = World::start().await;
    let inline = json!({"customer": {"reference_id": "customer-1"}});
    let first = world.create(&inline).await;
    for key in [None, Some("idempotency-key")] {
        let mut request = world.call("POST", "/sessions").json(&body(&inline));
        if let Some(name) = key {
            request = request.header(name, "key-1");
        }
        let answer = send(request).await;
        answer.assert_error(409, "DUPLICATE_ERROR", "a second time");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.starts_with("customer: The reference_id entered has been used before."), "{message}");
    }
    let directory = json!({
        "reference_id": "customer-2", "type": "INDIVIDUAL", "individual_detail": {"given_names": "Lorem"},
    });
    world.post("/customers", &directory).await.ok(200);
    assert_refused(&world, 409, "DUPLICATE_ERROR", vec![json!({"customer": {"reference_id": "customer-2"}})])
        .await;
    assert_eq!(world.control().sessions().len(), 1);
    // A session's reference may come again; nothing says otherwise.
    let again = world.create(&json!({"reference_id": first["reference_id"]})).await;
    assert_ne!(id(&again), id(&first));
}

#[tokio::test]
async fn a_body_is_an_object() {
    let world = World::start().await;
    for text in ["", "[]", "7", "null", "{", "<html>"] {
        let answer = send(world.call("POST", "/sessions").body(text)).await;
        answer.assert_error(400, "API_VALIDATION_ERROR", text);
    }
    assert!(world.control().sessions().is_empty());
}
