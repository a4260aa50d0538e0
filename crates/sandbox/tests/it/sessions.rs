//! Sessions: what they look like, how long they live, how they end.

use std::collections::BTreeSet;

use billfold_sandbox::CompleteSession;
use serde_json::{Value, json};

use crate::support::{BUSINESS, World, body, id, send};

fn millis(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[tokio::test]
async fn a_session_shows_what_was_asked_and_what_was_made_of_it() {
    let world = World::start().await;
    let request = body(&json!({"description": "Save a card", "metadata": {"order": "1"}, "locale": "id"}));
    let session = world.post("/sessions", &request).await.ok(201);
    for field in
        ["reference_id", "session_type", "mode", "amount", "currency", "country", "locale", "metadata"]
    {
        assert_eq!(session[field], request[field], "{field}");
    }
    for field in ["channel_properties", "success_return_url", "cancel_return_url", "description"] {
        assert_eq!(session[field], request[field], "{field}");
    }
    assert_eq!((&session["status"], &session["business_id"]), (&json!("ACTIVE"), &json!(BUSINESS)));
    let number = id(&session);
    assert!(number.len() == 27 && number.starts_with("ps-"), "{number}");
    assert!(number[3..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{number}");
    let customer = session["customer_id"].as_str().unwrap();
    assert!(customer.len() == 41 && customer.starts_with("cust-"), "{customer}");
    assert_eq!(world.get(&format!("/sessions/{number}")).await.ok(200), session);
}

/// The real one leaves null fields out, and answers an inline customer with its id alone.
#[tokio::test]
async fn a_session_has_these_fields_and_no_others() {
    let world = World::start().await;
    let session = world
        .create(&json!({"items": null, "metadata": null, "description": null, "capture_method": null}))
        .await;
    let found: BTreeSet<_> = session.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = BTreeSet::from([
        "payment_session_id",
        "created",
        "updated",
        "status",
        "reference_id",
        "currency",
        "amount",
        "country",
        "customer_id",
        "expires_at",
        "session_type",
        "mode",
        "locale",
        "business_id",
        "channel_properties",
        "success_return_url",
        "cancel_return_url",
        "payment_link_url",
    ]);
    assert_eq!(found, expected);
    assert_eq!(session["locale"], "en");
}

#[tokio::test]
async fn a_session_lives_half_an_hour_or_as_long_as_asked() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    assert_eq!(millis(&session["expires_at"]) - millis(&session["created"]), 30 * 60_000);
    let session = world.create(&json!({"expires_at": session["expires_at"]})).await;
    assert!(millis(&session["expires_at"]) - millis(&session["created"]) <= 30 * 60_000);

    // The clock is moved; nothing is waited for.
    let short = world.create(&json!({})).await;
    let until = jiff::Timestamp::from_millisecond(millis(&short["created"]) + 3_600_000).unwrap().to_string();
    let long = world.create(&json!({"expires_at": until})).await;
    world.control().advance(29 * 60);
    assert_eq!((world.status(&short).await, world.status(&long).await), ("ACTIVE".into(), "ACTIVE".into()));
    world.control().advance(2 * 60);
    assert_eq!((world.status(&short).await, world.status(&long).await), ("EXPIRED".into(), "ACTIVE".into()));
    world.control().advance(30 * 60);
    assert_eq!(world.status(&long).await, "EXPIRED");
}

#[tokio::test]
async fn an_open_session_is_canceled_once() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    let cancel = format!("/sessions/{}/cancel", id(&session));
    let canceled = send(world.call("POST", &cancel)).await.ok(200);
    assert_eq!((canceled["status"].as_str(), id(&canceled)), (Some("CANCELED"), id(&session)));
    assert_eq!(world.status(&session).await, "CANCELED");
    let answer = send(world.call("POST", &cancel)).await;
    answer.assert_error(422, "INVALID_SESSION_STATUS", "twice");
    assert_eq!(answer.body["message"], "Session status is CANCELED, expecting ACTIVE");
    assert!(world.control().deliveries().is_empty(), "a canceled session is told to nobody");
    assert_eq!(world.control().complete(&id(&session), &CompleteSession::default()), None);
}

#[tokio::test]
async fn a_session_that_is_over_stays_over() {
    let world = World::start().await;
    let (completed, _) = world.completed(&CompleteSession::default()).await;
    let expired = world.create(&json!({})).await;
    world.control().expire(&id(&expired));
    for (session, status) in [(completed, "COMPLETED"), (expired, "EXPIRED")] {
        let answer = send(world.call("POST", &format!("/sessions/{}/cancel", id(&session)))).await;
        answer.assert_error(422, "INVALID_SESSION_STATUS", status);
        assert_eq!(answer.body["message"], format!("Session status is {status}, expecting ACTIVE"));
        assert!(!world.control().fail(&id(&session), "CARD_DECLINED"));
        assert_eq!(world.control().complete(&id(&session), &CompleteSession::default()), None);
        world.control().expire(&id(&session));
        assert_eq!(world.status(&session).await, status);
    }
    assert_eq!(world.control().tokens().len(), 1);
}

#[tokio::test]
async fn a_completed_session_names_its_token() {
    let world = World::start().await;
    let (session, token) = world.completed(&CompleteSession::default()).await;
    let found = world.get(&format!("/sessions/{}", id(&session))).await.ok(200);
    assert_eq!((&found["status"], &found["payment_token_id"]), (&json!("COMPLETED"), &json!(token)));
    for absent in ["payment_id", "payment_request_id", "channel_code", "card_details"] {
        assert_eq!(found.get(absent), None, "{absent}");
    }
    assert!(millis(&found["updated"]) >= millis(&found["created"]));
}

#[tokio::test]
async fn sessions_that_do_not_exist_are_not_found() {
    let world = World::start().await;
    for number in ["ps-000000000000000000000000", "ps-1", "cust-1"] {
        for (method, path) in
            [("GET", format!("/sessions/{number}")), ("POST", format!("/sessions/{number}/cancel"))]
        {
            let answer = send(world.call(method, &path)).await;
            answer.assert_error(404, "NOT_FOUND", &path);
            assert_eq!(answer.body["message"], "Session not found");
        }
    }
}

/// A sub-account's objects belong to it, and the master's to the master.
#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let world = World::start().await;
    let mut request =
        world.call("POST", "/sessions").json(&body(&json!({"customer": {"reference_id": "c-1"}})));
    request = request.header("for-user-id", "sub-1");
    let session = send(request).await.ok(201);
    let token = world.control().complete(&id(&session), &CompleteSession::default()).unwrap();
    let customer = session["customer_id"].as_str().unwrap();
    for (path, code) in [
        (format!("/sessions/{}", id(&session)), "NOT_FOUND"),
        (format!("/v3/payment_tokens/{token}"), "DATA_NOT_FOUND"),
        (format!("/customers/{customer}"), "DATA_NOT_FOUND"),
    ] {
        for (account, status) in [(None, 404), (Some("sub-2"), 404), (Some("sub-1"), 200)] {
            let version = if path.starts_with("/v3") { "2024-11-11" } else { "2020-10-31" };
            let mut request = world.call("GET", &path).header("api-version", version);
            if let Some(account) = account {
                request = request.header("for-user-id", account);
            }
            let answer = send(request).await;
            assert_eq!(answer.status, status, "{path} for {account:?}");
            if status == 404 {
                answer.assert_error(404, code, &path);
            }
        }
    }
    // References are the account's own, too.
    world.create(&json!({"customer": {"reference_id": "c-1"}})).await;
}

/// The customer is quicker than the answer: everything is over before the creating call is answered.
#[tokio::test]
async fn sessions_can_be_completed_before_they_are_answered() {
    let world = World::start().await;
    world.control().complete_on_create(true);
    let session = world.create(&json!({})).await;
    assert_eq!(session["status"], "ACTIVE", "the answer is of the moment of creation");
    assert_eq!(world.status(&session).await, "COMPLETED");
    world.control().complete_on_create(false);
    let session = world.create(&json!({})).await;
    assert_eq!(world.status(&session).await, "ACTIVE");
}
