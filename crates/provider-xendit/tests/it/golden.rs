//! The gateway's objects, as its documents shape them, and what they become here: a file for each in
//! `tests/golden`. To add one, write the gateway's side and `{}` as expected, and copy what the test says.

use std::path::Path;

use billfold_core::clock::Timestamp;
use billfold_core::provider::{
    Echo, NextAction, ProviderMethod, ProviderSession, SessionRef, TokenRef, WebhookDelivery,
};
use billfold_core::secret::ExposeSecret;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::scripted::{Answer, Scripted};
use crate::support::{CALLBACK_TOKEN, context, provider};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    call: Call,
    /// The gateway's answers in their order, or the webhook's body.
    gateway: Vec<Value>,
    expected: Value,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Call {
    FetchSession,
    FetchMethod,
    ReadWebhook,
}

#[tokio::test]
async fn the_gateways_objects_become_ours() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let golden: Golden = serde_json::from_slice(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = become_ours(&golden).await;
        assert_eq!(found, golden.expected, "{} gives\n{found:#}", path.display());
        count += 1;
    }
    assert!(count >= 15, "{count} files");
}

async fn become_ours(golden: &Golden) -> Value {
    let answers = golden.gateway.iter().map(|body| Answer::json(200, body)).collect();
    let server = Scripted::start(answers).await;
    let (provider, cx) = (provider(&server.url(), &json!({})), context("key-1"));
    let id = |field: &str| golden.gateway[0][field].as_str().unwrap_or("id").to_owned();
    match golden.call {
        Call::FetchSession => {
            let session = SessionRef::new(id("payment_session_id"));
            let session = provider.fetch_session(&cx, session).await.unwrap();
            assert_eq!(server.seen().len(), golden.gateway.len(), "each answer is asked for once");
            of_session(&session)
        }
        Call::FetchMethod => {
            let token = TokenRef::new(id("payment_token_id"));
            of_method(&provider.fetch_method(&cx, token).await.unwrap())
        }
        Call::ReadWebhook => {
            let mut headers = HeaderMap::new();
            headers.insert("x-callback-token", HeaderValue::from_static(CALLBACK_TOKEN));
            let body = golden.gateway[0].to_string().into_bytes();
            let delivery = WebhookDelivery::new(body.into(), headers, "", Timestamp::from_millis(0));
            let batch = provider.read_webhook(&delivery).unwrap();
            let events = batch.events.iter().map(
                |event| json!({"name": event.name, "dedupe_key": event.dedupe_key, "subject": event.subject}),
            );
            events.collect()
        }
    }
}

fn of_session(session: &ProviderSession) -> Value {
    let next = session.next.as_ref().map(|next| match next {
        NextAction::Redirect(url) => url.expose_secret().to_owned(),
        NextAction::ClientSecret(_) => panic!("this gateway has hosted pages alone"),
    });
    without_nulls(json!({
        "reference": session.reference, "status": session.status, "next": next, "expires_at": session.expires_at,
        "echo": of_echo(&session.echo), "methods": session.methods.iter().map(of_method).collect::<Vec<_>>(),
    }))
}

fn of_method(method: &ProviderMethod) -> Value {
    without_nulls(json!({
        "token": method.token.token.expose_secret(), "customer": method.token.customer, "kind": method.kind,
        "channel": method.channel, "status": method.status, "display": method.display,
        "fingerprint": method.fingerprint.as_ref().map(ExposeSecret::expose_secret),
        "echo": of_echo(&method.echo),
    }))
}

fn of_echo(echo: &Echo) -> Value {
    without_nulls(json!({
        "reference": echo.reference, "customer": echo.customer, "currency": echo.currency, "country": echo.country,
    }))
}

fn without_nulls(mut value: Value) -> Value {
    value.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    value
}
