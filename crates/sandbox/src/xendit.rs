//! Xendit in test mode: Payment Sessions that save payment methods, payment tokens, customers.

mod api;
mod books;
mod cards;
mod channels;
mod customers;
mod error;
mod hosted;
mod pages;
mod validate;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::clock::iso;
use crate::delivery::{Delivery, WireWebhook};
use crate::server::World;
pub(crate) use books::Books;
pub(crate) use hosted::{complete as complete_session, decline_any as decline_session};

pub(crate) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    api::routes(world)
}

pub(crate) fn hosted_routes() -> Router<Arc<World>> {
    hosted::routes()
}

/// HTTP Basic with the secret key as user and no password.
pub(crate) fn is_authorized(world: &World, headers: &HeaderMap) -> bool {
    let expected = format!("{}:", world.config.secret_key.expose_secret());
    let expected = base64::engine::general_purpose::STANDARD.encode(expected);
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Basic ")) == Some(expected.as_str())
}

/// Ends the sessions whose time has come, and tells of it.
pub(crate) fn expire_sessions(world: &World) {
    world.with(|state, now| {
        for session in state.xendit.take_expired(now) {
            let business = Some(world.config.business_id.clone());
            state.outbox.push("payment_session.expired", &session, business, now);
        }
    });
}

/// A webhook as it is sent at `now`. The time in its envelope is that of the attempt.
pub(crate) fn webhook(delivery: &Delivery, callback_token: &SecretString, now: i64) -> WireWebhook {
    let mut body = json!({"event": delivery.event, "created": iso(now), "data": delivery.data});
    if let Some(business_id) = &delivery.business_id {
        body["business_id"] = business_id.clone().into();
    }
    let headers = vec![("x-callback-token", callback_token.expose_secret().to_owned())];
    WireWebhook { headers, body: body.to_string().into_bytes() }
}

/// Puts a token into a status, and tells of it where the gateway has an event for that. `false` when there
/// is no such token.
pub(crate) fn set_token_status(world: &World, token: &str, status: &str, failure_code: Option<&str>) -> bool {
    let event = match status {
        "ACTIVE" => Some("payment_token.activation"),
        "FAILED" => Some("payment_token.failure"),
        "EXPIRED" => Some("payment_token.expiry"),
        _ => None,
    };
    let business = Some(world.config.business_id.clone());
    world.with(|state, now| {
        let Some(token) = state.xendit.token_of(None, token) else { return false };
        token.insert("status".to_owned(), status.into());
        token.insert("updated".to_owned(), iso(now).into());
        if let Some(code) = failure_code {
            token.insert("failure_code".to_owned(), code.into());
        }
        let object = serde_json::Value::Object(token.clone());
        if let Some(event) = event {
            state.outbox.push(event, &object, business, now);
        }
        true
    })
}
