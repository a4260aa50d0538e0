//! What surrounds each request: address, authentication, versions, keys.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::calls;
use crate::scripted::{Answer, Scripted, Seen};
use crate::support::{SECRET_KEY, context, provider};

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    let mut values = seen.headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert!(values.next().is_none(), "{name} comes twice");
    value
}

/// The last request of each call, with these settings and under this key.
async fn requests(settings: &Value, key: &str) -> Vec<(calls::Row, Seen)> {
    let cx = context(key);
    let mut requests = Vec::new();
    for row in calls::all() {
        let answers = row.before.iter().cloned().chain([Answer::json(500, &json!({}))]);
        let server = Scripted::start(answers.collect()).await;
        let provider = provider(&server.url(), settings);
        (row.run)(provider.as_ref(), &cx).await.unwrap_err();
        let seen = server.seen();
        assert_eq!(seen.len(), row.before.len() + 1, "{}", row.name);
        let last = seen.last().unwrap().clone();
        requests.push((row, last));
    }
    requests
}

#[tokio::test]
async fn each_request_goes_where_and_as_the_gateway_documents() {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{SECRET_KEY}:"));
    for (row, seen) in requests(&json!({}), "key-1").await {
        let name = row.name;
        assert_eq!((seen.method.as_str(), &seen.target), (row.method, &row.target), "{name}");
        assert_eq!(header(&seen, "authorization"), Some(format!("Basic {basic}").as_str()), "{name}");
        assert_eq!(header(&seen, "accept"), Some("application/json"), "{name}");
        assert_eq!(header(&seen, "api-version"), row.version, "{name}");
        assert_eq!(header(&seen, "for-user-id"), None, "{name}");
        let json = Some("application/json").filter(|_| ["create_session", "ensure"].contains(&name));
        assert_eq!(header(&seen, "content-type"), json, "{name}");
        assert_eq!(seen.body.is_empty(), json.is_none(), "{name}");
    }
}

/// Only the customers' endpoint takes such keys.
#[tokio::test]
async fn an_idempotency_key_goes_with_a_new_customer_and_nothing_else() {
    for (row, seen) in requests(&json!({}), "key-1").await {
        assert_eq!(header(&seen, "idempotency-key").is_some(), row.name == "ensure", "{}", row.name);
    }
}

#[tokio::test]
async fn a_sub_account_is_named_in_every_request() {
    for (row, seen) in requests(&json!({"for_user_id": "5f27a14a9bf05c73dd040bc8"}), "key-1").await {
        assert_eq!(header(&seen, "for-user-id"), Some("5f27a14a9bf05c73dd040bc8"), "{}", row.name);
    }
}

/// A proxy may keep the gateway below a path of its own.
#[tokio::test]
async fn a_base_address_may_have_a_path() {
    for slash in ["", "/"] {
        let server = Scripted::start(vec![Answer::json(500, &json!({}))]).await;
        let provider = provider(&format!("{}/proxy{slash}", server.url()), &json!({}));
        provider.check(&context("check")).await.unwrap_err();
        assert_eq!(server.seen()[0].target, "/proxy/sessions/ps-000000000000000000000000");
    }
}

/// Ids are put into paths: what could change a path is no id, and no request is made with it.
#[tokio::test]
async fn what_is_no_id_is_not_asked_for() {
    use billfold_core::provider::{SessionRef, TokenRef};
    let server = Scripted::start(vec![Answer::json(200, &json!({}))]).await;
    let (provider, cx) = (provider(&server.url(), &json!({})), context("key-1"));
    let long = "x".repeat(129);
    for id in ["", "..", "ps-1/../../customers", "ps-1?x=1", "ps-1#x", "ps 1", "ps-1%2f", "ｐｓ", &long] {
        assert!(provider.fetch_session(&cx, SessionRef::new(id)).await.is_err(), "{id}");
        assert!(provider.cancel_session(&cx, SessionRef::new(id)).await.is_err(), "{id}");
        assert!(provider.fetch_method(&cx, TokenRef::new(id)).await.is_err(), "{id}");
        provider.delete_method(&cx, TokenRef::new(id)).await.unwrap();
    }
    assert!(server.seen().is_empty());
}
