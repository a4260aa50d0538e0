//! Stripe in test mode: Checkout Sessions in setup mode, SetupIntents, payment methods, customers.

mod api;
mod books;
mod cards;
mod form;
mod hosted;

use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::delivery::{Delivery, WireWebhook};
use crate::server::{SandboxState, World};

pub(crate) use api::routes;
pub(crate) use books::Books;
pub(crate) use hosted::routes as hosted_routes;

/// `Bearer` with the secret key.
pub(crate) fn is_authorized(world: &World, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")) == Some(world.config.secret_key.expose_secret())
}

/// A webhook as it is sent at `now` (milliseconds): each attempt is signed anew, the event stays the same.
pub(crate) fn webhook(delivery: &Delivery, secret: &SecretString, now: i64) -> WireWebhook {
    let body = delivery.data.to_string().into_bytes();
    WireWebhook { headers: vec![("stripe-signature", signature(&body, secret, now / 1000))], body }
}

/// The signature of a body at `at` (Unix seconds).
fn signature(body: &[u8], secret: &SecretString, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let message = [format!("{at}.").as_bytes(), body].concat();
    format!("t={at},v1={}", hex::encode(hmac::sign(&key, &message)))
}

/// Sends a webhook about an object as it is now.
pub(crate) fn push(state: &mut SandboxState, kind: &str, object: &Value, now: i64) {
    let event = json!({
        "id": books::new_id("evt_"), "object": "event", "type": kind, "created": now / 1000, "livemode": false,
        "data": {"object": object},
    });
    state.outbox.push(kind, &event, None, now);
}

/// Ends the Checkout Sessions whose time has come, and tells of it.
pub(crate) fn expire_sessions(world: &World) {
    world.with(|state, now| {
        for session in state.stripe.take_expired(now) {
            push(state, "checkout.session.expired", &session, now);
        }
    });
}

/// The customer saves a payment method, in a Checkout Session or by a SetupIntent; says its id.
pub(crate) fn complete(
    world: &World,
    session: &str,
    kind: Option<&str>,
    number: Option<&str>,
) -> Option<String> {
    world.with(|state, now| complete_in(state, session, kind, number, now))
}

fn complete_in(
    state: &mut SandboxState,
    session: &str,
    kind: Option<&str>,
    number: Option<&str>,
    now: i64,
) -> Option<String> {
    let method = state.stripe.complete(session, kind, number)?;
    let intent = state.stripe.intent_of(session)?.clone();
    push(state, "setup_intent.succeeded", &intent, now);
    if let Some(session) = state.stripe.session(session).map(|session| session.object.clone()) {
        push(state, "checkout.session.completed", &session, now);
    }
    Some(method)
}

/// One failed attempt; the session stays open. `false` when it is not.
pub(crate) fn decline(world: &World, session: &str, code: &str) -> bool {
    world.with(|state, now| {
        let Some(intent) = state.stripe.decline(session, code) else { return false };
        push(state, "setup_intent.setup_failed", &intent, now);
        true
    })
}

/// `detached`: the payment method is taken from its customer; `updated`: the card was replaced.
pub(crate) fn set_method_status(world: &World, method: &str, status: &str) -> bool {
    world.with(|state, now| {
        let Some(method) = state.stripe.method(method) else { return false };
        match status {
            "detached" => method["customer"] = Value::Null,
            "updated" => method["card"]["exp_year"] = 2040.into(),
            _ => return false,
        }
        let object = method.clone();
        push(state, &format!("payment_method.{status}"), &object, now);
        true
    })
}
