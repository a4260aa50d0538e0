//! Stripe in test mode: Checkout Sessions in setup mode, SetupIntents, payment methods, customers, PaymentIntents,
//! refunds.

mod api;
mod books;
mod cards;
mod confirm;
mod form;
mod hosted;
mod payments;
mod refunds;

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::Router;
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use crate::CompleteSession;
use crate::charging::{ChargePlay, Charging};
use crate::delivery::{Delivery, WireWebhook};
use crate::gateway::Gateway;
use crate::server::{SandboxState, World};
use crate::stage::{Offer, Purchase, Stage};

pub(crate) use books::Books;

/// Stripe in test mode.
#[derive(Debug)]
pub(crate) struct Stripe;

/// The version in which webhooks are written.
const API_VERSION: &str = "2026-10-28.endive";

static STAGE: Stage = Stage {
    provider: "stripe",
    secret_key: "sk_test_sandbox",
    webhook_secret: "whsec_sandbox",
    secret_prefix: "whsec_",
    country: "DE",
    currency: "EUR",
    creation: "/v1/checkout/sessions",
    describes: false,
    purchases: &[Purchase::pay(1_990), Purchase::alone(499)],
    offers: &[
        Offer {
            id: "card",
            label: "a card",
            channels: &["card"],
            form: &[("channel", "card"), ("card-number", "4000 0025 0000 3155")],
        },
        Offer {
            id: "bank-debit",
            label: "a bank debit",
            channels: &["sepa_debit"],
            form: &[("channel", "sepa_debit"), ("account-number", "DE89370400440532013000")],
        },
    ],
};

impl Gateway for Stripe {
    fn stage(&self) -> &'static Stage {
        &STAGE
    }

    fn settings(&self, base_url: &Url, secret_key: &str, webhook_secret: &str) -> Map<String, Value> {
        let settings =
            [("base_url", base_url.as_str()), ("secret_key", secret_key), ("webhook_secret", webhook_secret)];
        settings.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect()
    }

    fn api(&self, _: &Arc<World>) -> Router<Arc<World>> {
        api::routes()
    }

    fn pages(&self) -> Router<Arc<World>> {
        hosted::routes().merge(confirm::routes())
    }

    fn is_authorized(&self, world: &World, headers: &HeaderMap) -> bool {
        is_authorized(world, headers)
    }

    fn error(&self, code: &str, message: &str) -> Value {
        json!({"error": {"type": "api_error", "code": code.to_lowercase(), "message": message}})
    }

    /// Each attempt is signed anew, the event stays the same.
    fn webhook(&self, delivery: &Delivery, secret: &SecretString, now: i64) -> WireWebhook {
        let body = delivery.data.to_string().into_bytes();
        WireWebhook { headers: vec![("stripe-signature", signature(&body, secret, now / 1000))], body }
    }

    fn push(&self, world: &World, event: &str, object: &Value) {
        world.with(|state, now| push(state, event, object, now));
    }

    fn push_test(&self, world: &World, _: bool) {
        let object = json!({"id": "cs_test_nobody", "object": "checkout.session", "status": "complete"});
        self.push(world, "checkout.session.completed", &object);
    }

    fn complete(&self, world: &World, session: &str, complete: &CompleteSession) -> Option<String> {
        let (kind, number) = (complete.channel_code.as_deref(), complete.card_number.as_deref());
        world.with(|state, now| complete_in(state, session, kind, number, now))
    }

    fn decline(&self, world: &World, session: &str, code: &str) -> bool {
        decline(world, session, code)
    }

    fn expire_at(&self, state: &mut SandboxState, session: &str, now: i64) -> bool {
        state.books.stripe.expire_at(session, now)
    }

    fn pass_time(&self, world: &World) {
        world.with(|state, now| {
            for session in state.books.stripe.take_expired(now) {
                push(state, "checkout.session.expired", &session, now);
            }
            payments::pass_time(state, now);
            refunds::end(state, now, now);
        });
    }

    fn complete_on_create(&self, state: &mut SandboxState, on: bool) {
        state.books.stripe.complete_on_create = on;
    }

    fn sessions(&self, state: &SandboxState) -> Vec<Value> {
        state.books.stripe.shown_sessions()
    }

    fn tokens(&self, state: &SandboxState) -> Vec<Value> {
        state.books.stripe.methods.clone()
    }

    /// `detached`: the payment method is taken from its customer; `updated`: the card was replaced.
    fn set_token_status(&self, world: &World, token: &str, status: &str, _: Option<&str>) -> bool {
        world.with(|state, now| {
            let Some(method) = state.books.stripe.method(token) else { return false };
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

    fn is_gone(&self, token: &Value) -> bool {
        token["customer"].is_null()
    }

    fn charging(&self) -> Option<&'static dyn Charging> {
        Some(&Self)
    }
}

/// Charges have no reference of the merchant's here: anything in their metadata names them.
impl Charging for Stripe {
    fn charges(&self, state: &SandboxState) -> Vec<Value> {
        state.books.stripe.payments.iter().map(payments::Payment::booked).collect()
    }

    fn play(&self, state: &mut SandboxState, token: &str, play: ChargePlay) -> bool {
        let known = state.books.stripe.method(token).is_some();
        if known {
            state.books.stripe.plays.insert(token.to_owned(), play);
        }
        known
    }

    fn act(&self, world: &World, charge: &str, passes: bool) -> Option<String> {
        payments::act(world, charge, passes).map(|payment| payment.way_back().unwrap_or_default())
    }

    fn finish(&self, world: &World, charge: &str, well: bool) -> bool {
        payments::finish(world, charge, well)
    }

    /// Disputes are not played.
    fn take_back(&self, _: &World, _: &str, _: Option<&str>) -> bool {
        false
    }

    fn finish_refunds(&self, world: &World) {
        world.with(|state, now| refunds::end(state, i64::MAX, now));
    }
}

/// `Bearer` with the secret key.
fn is_authorized(world: &World, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")) == Some(world.config.secret_key.expose_secret())
}

/// The signature of a body at `at` (Unix seconds).
fn signature(body: &[u8], secret: &SecretString, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let message = [format!("{at}.").as_bytes(), body].concat();
    format!("t={at},v1={}", hex::encode(hmac::sign(&key, &message)))
}

/// Sends a webhook about an object as it is now.
fn push(state: &mut SandboxState, kind: &str, object: &Value, now: i64) {
    let event = json!({
        "id": books::new_id("evt_"), "object": "event", "type": kind, "created": now / 1000, "livemode": false,
        "api_version": API_VERSION, "pending_webhooks": 1, "request": null, "data": {"object": object},
    });
    state.outbox.push(kind, &event, None, now);
}

/// The customer saves a payment method, in a Checkout Session or by a SetupIntent; says its id.
fn complete_in(
    state: &mut SandboxState,
    session: &str,
    kind: Option<&str>,
    number: Option<&str>,
    now: i64,
) -> Option<String> {
    let method = state.books.stripe.complete(session, kind, number)?;
    let intent = state.books.stripe.intent_of(session)?.clone();
    push(state, "setup_intent.succeeded", &intent, now);
    if let Some(session) = state.books.stripe.session(session).map(|session| session.object.clone()) {
        push(state, "checkout.session.completed", &session, now);
    }
    Some(method)
}

/// One failed attempt; the session stays open. `false` when it is not.
fn decline(world: &World, session: &str, code: &str) -> bool {
    world.with(|state, now| {
        let Some(intent) = state.books.stripe.decline(session, code) else { return false };
        push(state, "setup_intent.setup_failed", &intent, now);
        true
    })
}
