//! Webhooks: which are believed to come from the gateway, what they are about, and that the same news is
//! known again however it comes.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::capability::{Trust, Usage};
use billfold_core::clock::Timestamp;
use billfold_core::provider::{
    EventSubject, ProviderEvent, ReturnRequest, TokenizationProvider, WebhookDelivery, WebhookRejection,
};
use billfold_sandbox::CompleteSession;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::scripted::{Answer, Scripted, Seen};
use crate::support::{CALLBACK_TOKEN, REFERENCE, World, provider, request};

const TOKEN: &str = "x-callback-token";
const OLD_TOKEN: &str = "CANARY-old-token";

fn gateway() -> Arc<dyn TokenizationProvider> {
    provider("http://127.0.0.1:4010", &json!({}))
}

fn delivery(headers: &[(&str, &str)], body: &[u8]) -> WebhookDelivery {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    }
    WebhookDelivery::new(body.to_vec().into(), map, "", Timestamp::from_millis(0))
}

/// The one event of a webhook that proves itself.
fn read(provider: &dyn TokenizationProvider, delivery: &WebhookDelivery) -> ProviderEvent {
    let mut batch = provider.read_webhook(delivery).unwrap();
    assert_eq!(batch.trust, Trust::Hint, "a shared token proves nothing about the body");
    assert_eq!((batch.acknowledge.status, batch.events.len()), (200, 1));
    batch.events.remove(0)
}

fn event(name: &str, data: &Value) -> ProviderEvent {
    let body = json!({"event": name, "created": "2026-03-01T08:05:02.114Z", "data": data}).to_string();
    read(gateway().as_ref(), &delivery(&[(TOKEN, CALLBACK_TOKEN)], body.as_bytes()))
}

#[test]
fn exactly_one_right_token_is_wanted() {
    let body = br#"{"event":"payment_session.completed","data":{}}"#;
    let (now, rotating) =
        (gateway(), provider("http://127.0.0.1:1", &json!({"previous_callback_token": OLD_TOKEN})));
    let accepted = |provider: &Arc<dyn TokenizationProvider>, headers: &[(&str, &str)]| match provider
        .read_webhook(&delivery(headers, body))
    {
        Ok(_) => true,
        Err(rejection) => {
            assert_eq!(rejection, WebhookRejection::Unauthentic);
            assert!(!format!("{rejection} {rejection:?}").contains("CANARY"));
            false
        }
    };
    for (headers, always, while_rotating) in [
        (vec![(TOKEN, CALLBACK_TOKEN)], true, true),
        (vec![("X-Callback-Token", CALLBACK_TOKEN)], true, true),
        (vec![(TOKEN, OLD_TOKEN)], false, true),
        (vec![], false, false),
        (vec![(TOKEN, "")], false, false),
        (vec![(TOKEN, "wrong")], false, false),
        (vec![(TOKEN, &CALLBACK_TOKEN[1..])], false, false),
        (vec![(TOKEN, &CALLBACK_TOKEN.to_lowercase())], false, false),
        (vec![(TOKEN, CALLBACK_TOKEN), (TOKEN, CALLBACK_TOKEN)], false, false),
        (vec![(TOKEN, CALLBACK_TOKEN), (TOKEN, "wrong")], false, false),
        (vec![(TOKEN, "wrong"), (TOKEN, CALLBACK_TOKEN)], false, false),
        (vec![("x-callback-signature", CALLBACK_TOKEN)], false, false),
        (vec![("authorization", CALLBACK_TOKEN)], false, false),
    ] {
        assert_eq!(accepted(&now, &headers), always, "{headers:?}");
        assert_eq!(accepted(&rotating, &headers), while_rotating, "{headers:?} while the token is changed");
    }
}

#[test]
fn who_does_not_prove_itself_is_not_read() {
    let outcome = gateway().read_webhook(&delivery(&[], b"{"));
    assert_eq!(outcome.unwrap_err(), WebhookRejection::Unauthentic);
    for body in ["", "{", "[]", "7", "{}", r#"{"event":""}"#, r#"{"event":null}"#, "<html>"] {
        let outcome = gateway().read_webhook(&delivery(&[(TOKEN, CALLBACK_TOKEN)], body.as_bytes()));
        assert_eq!(outcome.unwrap_err(), WebhookRejection::Unreadable, "{body}");
    }
}

/// Third parties tell of such a header; nothing depends on it.
#[test]
fn an_id_in_a_header_makes_no_difference() {
    let data = json!({"payment_session_id": "ps-1", "status": "COMPLETED"});
    let body = json!({"event": "payment_session.completed", "data": data}).to_string();
    let keys: Vec<_> = [vec![], vec![("webhook-id", "wh-1")], vec![("webhook-id", "wh-2")]]
        .into_iter()
        .map(|more| {
            let headers = [vec![(TOKEN, CALLBACK_TOKEN)], more].concat();
            read(gateway().as_ref(), &delivery(&headers, body.as_bytes())).dedupe_key
        })
        .collect();
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
}

/// Names drift in the gateway's own documents: the object and its status tell what happened.
#[test]
fn names_that_mean_the_same_are_the_same_news() {
    let token = |status: &str| json!({"payment_token_id": "pt-1", "status": status});
    for (names, data) in [
        (vec!["payment_token.activation", "payment_token.activated"], token("ACTIVE")),
        (vec!["payment_token.expiry", "payment_token.expired"], token("EXPIRED")),
        (vec!["payment_token.failure", "payment_token.failed"], token("FAILED")),
        (
            vec!["payment_session.completed", "payment_session.succeeded"],
            json!({"payment_session_id": "ps-1", "status": "COMPLETED"}),
        ),
        (vec!["payment.capture", "payment.succeeded"], json!({"payment_id": "py-1", "status": "SUCCEEDED"})),
    ] {
        let events: Vec<_> = names.iter().map(|name| event(name, &data)).collect();
        for (name, other) in names.iter().zip(&events) {
            assert_eq!(other.name, *name);
            assert_eq!(other.dedupe_key, events[0].dedupe_key, "{name}");
            assert!(other.subject == events[0].subject, "{name}");
        }
    }
}

#[test]
fn different_news_has_different_keys() {
    let session = |id: &str, status: &str| {
        event("payment_session.completed", &json!({"payment_session_id": id, "status": status}))
    };
    let token = |id: &str, status: &str| {
        event("payment_token.activation", &json!({"payment_token_id": id, "status": status}))
    };
    let events = [
        session("ps-1", "COMPLETED"),
        session("ps-1", "EXPIRED"),
        session("ps-2", "COMPLETED"),
        token("pt-1", "ACTIVE"),
        token("pt-1", "EXPIRED"),
        token("ps-1", "COMPLETED"),
        event("payment_session.completed", &json!({})),
        event("payment_session.completed", &json!({"created": "2026-03-01T08:05:02Z"})),
        event("payment_session.completed", &Value::Null),
        event("refund.succeeded", &json!({"event": "refund.succeeded", "data": {"id": "rfd-1"}})),
        event("refund.succeeded", &json!({"event": "refund.succeeded", "data": {"id": "rfd-2"}})),
    ];
    let keys: std::collections::BTreeSet<_> = events.iter().map(|event| &event.dedupe_key).collect();
    assert_eq!(keys.len(), events.len(), "{keys:?}");
}

#[test]
fn what_is_not_acted_upon_is_acknowledged() {
    for name in [
        "payment.capture",
        "payment.authorization",
        "payment.failure",
        "payment.expiry",
        "payment_request.expiry",
        "refund.succeeded",
        "refund.failed",
        "payment_method.expired",
        "something.new",
        "nodot",
        "payment_token.activation",
    ] {
        for data in
            [json!({"id": "x", "status": "FAILED"}), json!({}), json!(null), json!([]), json!("CANARY")]
        {
            let event = event(name, &data);
            let token = name.starts_with("payment_token") && data.get("id").is_some();
            assert_eq!(event.subject == EventSubject::Other, !token, "{name} {data}");
        }
    }
}

/// Waits until that many webhooks have come.
async fn received(server: &Scripted, count: usize) -> Vec<Seen> {
    for _ in 0..3000 {
        if server.seen().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = server.seen();
    assert_eq!(seen.len(), count, "{seen:?}");
    seen
}

fn as_delivery(seen: &Seen) -> WebhookDelivery {
    WebhookDelivery::new(seen.body.clone().into(), seen.headers.clone(), "", Timestamp::from_millis(0))
}

/// From the gateway's wire to the event: both topics, with our reference in each.
#[tokio::test]
async fn what_a_completed_session_sends_leads_to_it() {
    let world = World::start(json!({})).await;
    let server = Scripted::start(vec![Answer::empty(200)]).await;
    world.control().set_webhook(Some(server.url().parse().unwrap()), None);
    let (session, token) = world.completed(&CompleteSession::default()).await;
    let mut events: Vec<_> = received(&server, 2)
        .await
        .iter()
        .map(|seen| read(world.provider.as_ref(), &as_delivery(seen)))
        .collect();
    events.sort_by(|a, b| a.name.cmp(&b.name));
    let reference = Some(REFERENCE.to_owned());
    assert_eq!(events[0].name, "payment_session.completed");
    assert!(
        events[0].subject
            == EventSubject::Session { reference: Some(session), merchant_reference: reference.clone() }
    );
    assert_eq!(events[1].name, "payment_token.activation");
    assert!(events[1].subject == EventSubject::Method { token, merchant_reference: reference });
    assert!(!format!("{events:?}").contains("pt-"), "tokens are not printed");
}

/// The envelope's time is that of the attempt: a second one is known again.
#[tokio::test]
async fn a_webhook_that_comes_again_is_known_again() {
    let world = World::start(json!({})).await;
    let server = Scripted::start(vec![Answer::empty(500), Answer::empty(200)]).await;
    world.control().set_webhook(Some(server.url().parse().unwrap()), None);
    let session = world.create(request(REFERENCE, Usage::OnSession)).await.unwrap().reference;
    world.control().expire(&session);
    received(&server, 1).await;
    world.control().advance(900);
    let seen = received(&server, 2).await;
    assert_ne!(seen[0].body, seen[1].body);
    let keys = seen.iter().map(|seen| read(world.provider.as_ref(), &as_delivery(seen)).dedupe_key);
    let keys: Vec<_> = keys.collect();
    assert_eq!(keys[0], keys[1]);
}

/// The dashboard saves an address only when its test call is accepted.
#[tokio::test]
async fn the_dashboards_test_call_is_accepted_in_both_spellings() {
    let world = World::start(json!({"business_id": "5f27a14a9bf05c73dd040bc8"})).await;
    let server = Scripted::start(vec![Answer::empty(200)]).await;
    world.control().set_webhook(Some(server.url().parse().unwrap()), None);
    for with_id in [true, false] {
        world.control().send_test_webhook(with_id);
    }
    for seen in received(&server, 2).await {
        let subject = EventSubject::Session {
            reference: Some("ps-579c8d61f23fa4ca35e52da4".to_owned()),
            merchant_reference: Some("test_session".to_owned()),
        };
        assert!(read(world.provider.as_ref(), &as_delivery(&seen)).subject == subject);
    }
}

/// Nothing that a browser brings back is worth reading.
#[test]
fn a_return_says_nothing() {
    for query in ["", "payment_session_id=ps-1&status=COMPLETED", "token_request_id=CANARY", "%%%&&=="] {
        assert!(gateway().read_return(&ReturnRequest::new(query)).evidence.is_none(), "{query}");
    }
}
