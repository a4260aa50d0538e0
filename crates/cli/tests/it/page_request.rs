//! The request of the gateway's own guide, made through our API, and the guide's answer read back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Options, World};

/// What the guide sends; its placeholders stand for values of the merchant's.
fn guide_request() -> Value {
    serde_json::from_str(include_str!("guide-request.json")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_request_has_every_field_of_the_guides() {
    let world =
        World::start(Options { customers: "inline", strict_recurring: false, ..Options::default() }, None)
            .await;
    let body = json!({
        "customer": {
            "reference": "customer-1", "given_names": "Lorem", "surname": "Ipsum",
            "email": "test@yourdomain.com", "mobile_number": "+6212345678",
        },
        "usage": "recurring", "recurring": {"frequency_days": 30, "ends_on": "2030-12-31"},
        "currency": "IDR", "country": "ID", "return_url": "https://yourcompany.com/done",
    });
    let (status, session) = world.api(Method::POST, "/v1/sessions", Some(&body)).await;
    assert_eq!(status, 201, "{session}");

    let requests = world.control().requests();
    let recorded = &requests.iter().find(|request| request.path == "/sessions").unwrap().body;
    let id = session["id"].as_str().unwrap();
    assert_eq!(recorded["reference_id"], id, "our id is the reference");
    assert_eq!(recorded["customer"]["reference_id"], id, "and the customer's, new in each attempt");
    let mut ours = recorded.clone();
    let mut theirs = guide_request();
    for own in ["/reference_id", "/customer/reference_id", "/success_return_url", "/cancel_return_url"] {
        *ours.pointer_mut(own).unwrap() = json!("own");
        *theirs.pointer_mut(own).unwrap() = json!("own");
    }
    // Beyond the guide: the terms that the API reference requires, and the end that we always set.
    let cards = ours.pointer_mut("/channel_properties/cards").unwrap().as_object_mut().unwrap();
    let terms = cards.remove("recurring_configuration");
    assert_eq!(terms, Some(json!({"recurring_frequency": 30, "recurring_expiry": "2030-12-31"})));
    assert!(ours.as_object_mut().unwrap().remove("expires_at").is_some());
    assert_eq!(ours, theirs);

    assert_eq!(session["status"], "active");
    assert!(session["next"]["url"].as_str().unwrap().contains("/pay/"));
    let again = world.api(Method::POST, "/v1/sessions", Some(&body)).await;
    assert_eq!(again.0, 201, "the same customer inline a second time is not refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_makes_one_customer_and_keeps_it() {
    let world = World::start(Options::default(), None).await;
    world.start_session("customer-1").await;
    world.start_session("customer-1").await;
    let requests = world.control().requests();
    let customers: Vec<_> = requests.iter().filter(|request| request.path == "/customers").collect();
    assert_eq!(customers.len(), 1, "made once");
    assert!(customers[0].headers.contains_key("idempotency-key"));
    let ids: Vec<&Value> = requests
        .iter()
        .filter(|request| request.path == "/sessions")
        .map(|request| &request.body["customer_id"])
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids[0].is_string() && ids[0] == ids[1]);
}
