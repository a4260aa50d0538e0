//! The gateway's own customers: one is made for each of ours, whatever happens on the way.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use billfold_core::provider::{CustomerProfile, EnsureCustomer};
use billfold_core::settings::Mode;
use billfold_sandbox::{Fault, FaultOrder};
use serde_json::{Value, json};

use crate::scripted::{Answer, Scripted};
use crate::support::{CUSTOMER, World, build, context, ensure, provider};

const GATEWAYS_ID: &str = "cust-00000000-0000-4000-8000-000000000001";

async fn ensured(world: &World, key: &str, customer: EnsureCustomer) -> billfold_core::Result<String> {
    let mut cx = world.cx.clone();
    key.clone_into(&mut cx.idempotency_key);
    world.provider.customers().unwrap().ensure(&cx, customer).await
}

#[tokio::test]
async fn a_customer_is_made_by_our_id_and_described() {
    let world = World::start(json!({})).await;
    let profile = CustomerProfile {
        given_names: Some("Lorem".to_owned()),
        surname: Some("Ipsum".to_owned()),
        email: Some("test@yourdomain.com".to_owned()),
        mobile_number: Some("+6212345678".to_owned()),
    };
    let id = ensured(&world, CUSTOMER, EnsureCustomer::new(CUSTOMER, profile)).await.unwrap();
    assert_eq!((id.len(), &id[..5]), (41, "cust-"));
    let requests = world.control().requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    let expected = json!({
        "reference_id": CUSTOMER, "type": "INDIVIDUAL", "email": "test@yourdomain.com",
        "mobile_number": "+6212345678", "individual_detail": {"given_names": "Lorem", "surname": "Ipsum"},
    });
    assert_eq!((&request.path, &request.body), (&"/customers".to_owned(), &expected));
    assert_eq!(request.headers["api-version"], "2020-10-31");
}

/// The key is forgotten after a day: then the reference is refused, and the customer found by it.
#[tokio::test]
async fn a_customer_that_exists_is_found() {
    let world = World::start(json!({})).await;
    let first = ensured(&world, CUSTOMER, ensure()).await.unwrap();
    assert_eq!(ensured(&world, CUSTOMER, ensure()).await.unwrap(), first, "under the same key");
    assert_eq!(ensured(&world, "another-key", ensure()).await.unwrap(), first, "under another key");
    // The same key with another description is a conflict as well.
    let renamed = CustomerProfile { given_names: Some("Dolor".to_owned()), ..CustomerProfile::default() };
    assert_eq!(ensured(&world, CUSTOMER, EnsureCustomer::new(CUSTOMER, renamed)).await.unwrap(), first);
    let other = ensured(&world, "key-2", EnsureCustomer::new("cus_other", ensure().profile)).await.unwrap();
    assert_ne!(other, first);
}

#[tokio::test]
async fn a_lost_answer_and_a_second_attempt_make_one_customer() {
    for lost in
        [Fault::TimeoutAfter, Fault::TimeoutBefore, Fault::Reset, Fault::TruncatedJson, Fault::Html(502)]
    {
        let mut world = World::start(json!({})).await;
        world.control().order(FaultOrder::once("POST", "/customers", lost));
        // Only an answer that never comes is given up.
        let silent = matches!(lost, Fault::TimeoutAfter | Fault::TimeoutBefore);
        world.cx.timeout = Duration::from_secs(if silent { 3 } else { 15 });
        let error = ensured(&world, CUSTOMER, ensure()).await.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::GatewayRejected, "{lost:?}: {error:?}");
        world.cx.timeout = Duration::from_secs(15);
        let second = ensured(&world, CUSTOMER, ensure()).await.unwrap();
        // The search finds the oldest: had the second attempt made another, it would not be that.
        assert_eq!(ensured(&world, "another-key", ensure()).await.unwrap(), second, "{lost:?}");
        let posts = world.control().requests().into_iter().filter(|request| request.method == "POST");
        let keys: Vec<_> = posts.map(|request| request.headers["idempotency-key"].clone()).collect();
        assert_eq!(keys[0], keys[1], "{lost:?}");
        assert!((1..=100).contains(&keys[0].len()));
    }
}

/// The gateway wants keys that are unique across test and live, and one customer of ours may be at both.
#[tokio::test]
async fn test_and_live_have_different_keys() {
    let mut keys = Vec::new();
    for (mode, secret_key) in [(Mode::Test, "xnd_development_k"), (Mode::Live, "xnd_production_k")] {
        let server = Scripted::start(vec![Answer::json(200, &json!({"id": GATEWAYS_ID}))]).await;
        let provider = build(mode, true, &server.url(), &json!({"secret_key": secret_key})).unwrap();
        for _ in 0..2 {
            let cx = context(CUSTOMER);
            assert_eq!(provider.customers().unwrap().ensure(&cx, ensure()).await.unwrap(), GATEWAYS_ID);
        }
        let sent = server.seen().into_iter().map(|seen| seen.headers["idempotency-key"].clone());
        let sent: Vec<_> = sent.collect();
        assert_eq!(sent[0], sent[1]);
        keys.push(sent[0].clone());
    }
    assert_ne!(keys[0], keys[1]);
}

/// The answers to a search, after the reference was refused: what is found, or else the refusal stands.
#[tokio::test]
async fn searches_are_answered_in_many_ways() {
    let ours = json!({"id": GATEWAYS_ID, "reference_id": CUSTOMER});
    let others = json!({"id": "cust-other", "reference_id": "cus_other"});
    let error = |status, code: &str| Answer::json(status, &json!({"error_code": code, "message": "none"}));
    let list = |body: Value| Answer::json(200, &body);
    for (answer, found) in [
        (list(json!({"data": [ours], "has_more": false})), true),
        (list(json!({"data": [others, ours], "has_more": true})), true),
        (list(json!([ours])), true),
        (list(json!({"data": [], "has_more": false})), false),
        (list(json!([])), false),
        // A customer with another reference is another customer, whatever was searched for.
        (list(json!({"data": [others]})), false),
        (list(json!({"data": [{"id": GATEWAYS_ID}]})), false),
        (error(404, "CLIENT_NOT_FOUND_ERROR"), false),
        (error(400, "CLIENT_NOT_FOUND_ERROR"), false),
        (error(404, "ENTITY_NOT_FOUND_ERROR"), false),
        (error(400, "END_CUSTOMER_NOT_FOUND_ERROR"), false),
    ] {
        let what = format!("{answer:?}");
        let server = Scripted::start(vec![error(409, "DUPLICATE_ERROR"), answer]).await;
        let provider = provider(&server.url(), &json!({}));
        let outcome = provider.customers().unwrap().ensure(&context("key-1"), ensure()).await;
        if found {
            assert_eq!(outcome.unwrap(), GATEWAYS_ID, "{what}");
        } else {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (ErrorKind::GatewayRejected, Retry::Never), "{what}");
            assert_eq!(error.fault().unwrap().code.as_deref(), Some("DUPLICATE_ERROR"), "{what}");
        }
        let search = &server.seen()[1];
        assert_eq!(search.target, format!("/customers?reference_id={CUSTOMER}"));
    }
}

#[tokio::test]
async fn a_customer_without_an_id_is_a_contradiction() {
    for body in [json!({}), json!({"id": null}), json!({"id": ""}), json!({"reference_id": CUSTOMER})] {
        let server = Scripted::start(vec![Answer::json(200, &body)]).await;
        let provider = provider(&server.url(), &json!({}));
        let error = provider.customers().unwrap().ensure(&context("key-1"), ensure()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::GatewayProtocol, "{body}");
    }
}
