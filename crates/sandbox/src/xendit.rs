//! Xendit in test mode: Payment Sessions that save payment methods, payment tokens, customers, payments, refunds.

mod api;
mod books;
mod cards;
mod channels;
mod charges;
mod customers;
mod error;
mod hosted;
mod pages;
mod payments;
mod refunds;
mod step_up;
mod validate;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use crate::CompleteSession;
use crate::charging::Charging;
use crate::clock::iso;
use crate::delivery::{Delivery, WireWebhook};
use crate::gateway::Gateway;
use crate::server::{SandboxState, World};
use crate::stage::{Offer, Purchase, Stage};
pub(crate) use books::Books;

/// Xendit in test mode.
#[derive(Debug)]
pub(crate) struct Xendit;

static STAGE: Stage = Stage {
    provider: "xendit",
    secret_key: "xnd_development_sandbox",
    webhook_secret: "sandbox-callback-token",
    secret_prefix: "",
    country: "ID",
    currency: "IDR",
    creation: "/sessions",
    describes: true,
    // 10,054 rupiah: not enough on the account, in Xendit's test mode.
    purchases: &[Purchase::pay(15_000_000), Purchase::alone(4_900_000), Purchase::refused(1_005_400)],
    offers: &[
        Offer {
            id: "card",
            label: "a card",
            channels: &["CARDS"],
            form: &[
                ("channel", "CARDS"),
                ("card-number", "4000 0000 0000 2503"),
                ("card-expiry-month", "12"),
                ("card-expiry-year", "2034"),
                ("card-cvv", "123"),
                ("card-name", "Lorem Ipsum"),
            ],
        },
        Offer {
            id: "wallet",
            label: "a wallet",
            channels: &["OVO", "DANA", "SHOPEEPAY"],
            form: &[("channel", "OVO"), ("phone", "+6281234567890")],
        },
        Offer {
            id: "bank-debit",
            label: "a bank debit",
            channels: &["BRI_DIRECT_DEBIT"],
            form: &[("channel", "BRI_DIRECT_DEBIT"), ("account-number", "1234567890")],
        },
    ],
};

impl Gateway for Xendit {
    fn stage(&self) -> &'static Stage {
        &STAGE
    }

    fn settings(&self, base_url: &Url, secret_key: &str, webhook_secret: &str) -> Map<String, Value> {
        let settings =
            [("base_url", base_url.as_str()), ("secret_key", secret_key), ("callback_token", webhook_secret)];
        settings.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect()
    }

    fn api(&self, world: &Arc<World>) -> Router<Arc<World>> {
        api::routes(world)
    }

    fn pages(&self) -> Router<Arc<World>> {
        hosted::routes().merge(step_up::routes())
    }

    fn is_authorized(&self, world: &World, headers: &HeaderMap) -> bool {
        is_authorized(world, headers)
    }

    fn error(&self, code: &str, message: &str) -> Value {
        json!({"error_code": code, "message": message})
    }

    /// The time in the envelope is that of the attempt.
    fn webhook(&self, delivery: &Delivery, secret: &SecretString, now: i64) -> WireWebhook {
        let mut body = json!({"event": delivery.event, "created": iso(now), "data": delivery.data});
        if let Some(business_id) = &delivery.business_id {
            body["business_id"] = business_id.clone().into();
        }
        let headers = vec![("x-callback-token", secret.expose_secret().to_owned())];
        WireWebhook { headers, body: body.to_string().into_bytes() }
    }

    fn push(&self, world: &World, event: &str, object: &Value) {
        let business = Some(world.config.business_id.clone());
        world.with(|state, now| state.outbox.push(event, object, business, now));
    }

    /// The dashboard's "Test & Save" mostly calls the session `id`; the other form calls it `payment_session_id`.
    fn push_test(&self, world: &World, other_form: bool) {
        let field = if other_form { "payment_session_id" } else { "id" };
        let data = json!({
            field: "ps-579c8d61f23fa4ca35e52da4", "allowed_payment_channels": ["CARD", "OVO", "DANA"], "amount": 100_000,
            "country": "ID", "currency": "IDR", "mode": "PAYMENT_LINK", "reference_id": "test_session",
            "session_type": "SAVE", "status": "COMPLETED",
        });
        let business = Some("5781d19b2e2385880609791c".to_owned());
        world.with(|state, now| state.outbox.push("payment_session.completed", &data, business, now));
    }

    fn complete(&self, world: &World, session: &str, complete: &CompleteSession) -> Option<String> {
        let number = complete.card_number.as_deref();
        let choice = complete.channel_code.as_deref().map(|code| (code, number));
        let choice = choice.or(number.map(|number| ("CARDS", Some(number))));
        hosted::complete(world, session, None, choice, complete.token_status.as_deref())
    }

    fn decline(&self, world: &World, session: &str, code: &str) -> bool {
        hosted::decline_any(world, session, code)
    }

    fn expire_at(&self, state: &mut SandboxState, session: &str, now: i64) -> bool {
        state.books.xendit.expire_at(session, now)
    }

    fn pass_time(&self, world: &World) {
        world.with(|state, now| {
            for session in state.books.xendit.take_expired(now) {
                let business = Some(world.config.business_id.clone());
                state.outbox.push("payment_session.expired", &session, business, now);
            }
            charges::pass_time(state, now);
        });
    }

    fn complete_on_create(&self, state: &mut SandboxState, on: bool) {
        state.books.xendit.complete_on_create = on;
    }

    fn sessions(&self, state: &SandboxState) -> Vec<Value> {
        state.books.xendit.sessions.iter().map(|session| session.object.clone().into()).collect()
    }

    fn tokens(&self, state: &SandboxState) -> Vec<Value> {
        state.books.xendit.tokens.iter().map(|(_, token)| token.clone().into()).collect()
    }

    fn set_token_status(&self, world: &World, token: &str, status: &str, failure: Option<&str>) -> bool {
        let event = match status {
            "ACTIVE" => Some("payment_token.activation"),
            "FAILED" => Some("payment_token.failure"),
            "EXPIRED" => Some("payment_token.expiry"),
            _ => None,
        };
        let business = Some(world.config.business_id.clone());
        world.with(|state, now| {
            let Some(token) = state.books.xendit.token_of(None, token) else { return false };
            token.insert("status".to_owned(), status.into());
            token.insert("updated".to_owned(), iso(now).into());
            if let Some(code) = failure {
                token.insert("failure_code".to_owned(), code.into());
            }
            let object = Value::Object(token.clone());
            if let Some(event) = event {
                state.outbox.push(event, &object, business, now);
            }
            true
        })
    }

    fn is_gone(&self, token: &Value) -> bool {
        token["status"] == "CANCELED"
    }

    fn charging(&self) -> Option<&'static dyn Charging> {
        Some(&charges::Control)
    }
}

/// HTTP Basic with the secret key as user and no password.
fn is_authorized(world: &World, headers: &HeaderMap) -> bool {
    let expected = format!("{}:", world.config.secret_key.expose_secret());
    let expected = base64::engine::general_purpose::STANDARD.encode(expected);
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Basic ")) == Some(expected.as_str())
}
