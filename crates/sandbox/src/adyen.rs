//! Adyen in test mode: sessions of no amount, stored payment methods, payments with them, and webhooks of both kinds.
//!
//! What a hosted page appends to the return address is not documented by the gateway; this one appends `sessionId` and
//! `sessionResult`, as its script does, and `redirectResult` after a redirect of an embedded session.

mod api;
mod books;
mod cards;
mod hosted;
mod modifications;
mod payments;
mod redirect;
mod validate;

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::Router;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use crate::CompleteSession;
use crate::charging::{ChargePlay, Charging};
use crate::clock::iso;
use crate::delivery::{Delivery, WireWebhook};
use crate::gateway::Gateway;
use crate::server::{SandboxState, World};
use crate::stage::{Offer, Purchase, Stage};

pub(crate) use books::Books;
use books::{Saved, new_id};

/// Adyen in test mode.
#[derive(Debug)]
pub(crate) struct Adyen;

/// The merchant account that it has.
const MERCHANT_ACCOUNT: &str = "SandboxECOM";

static STAGE: Stage = Stage {
    provider: "adyen",
    secret_key: "AQEsandbox",
    webhook_secret: "A11CE0000000000000000000000000000000000000000000000000000000B0B5",
    secret_prefix: "",
    country: "NL",
    currency: "EUR",
    creation: "/v72/sessions",
    describes: false,
    // The last is refused for want of money.
    purchases: &[Purchase::pay(1_990), Purchase::alone(499), Purchase::refused(9_912)],
    offers: &[
        Offer {
            id: "card",
            label: "a card",
            channels: &["scheme"],
            form: &[("channel", "scheme"), ("card-number", "5201 2815 0512 9736")],
        },
        Offer {
            id: "second-card",
            label: "a second card",
            channels: &["scheme"],
            form: &[("channel", "scheme"), ("card-number", "4111 1111 1111 1111")],
        },
    ],
};

impl Gateway for Adyen {
    fn stage(&self) -> &'static Stage {
        &STAGE
    }

    fn settings(&self, base_url: &Url, secret_key: &str, webhook_secret: &str) -> Map<String, Value> {
        let standard_key = hex::encode(standard_key(webhook_secret));
        let settings = [
            ("base_url", base_url.as_str()),
            ("api_key", secret_key),
            ("merchant_account", MERCHANT_ACCOUNT),
            ("token_webhook_hmac_key", webhook_secret),
            ("standard_webhook_hmac_key", &standard_key),
        ];
        settings.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect()
    }

    fn api(&self, _: &Arc<World>) -> Router<Arc<World>> {
        api::routes()
    }

    fn pages(&self) -> Router<Arc<World>> {
        hosted::routes().merge(redirect::routes())
    }

    fn is_authorized(&self, world: &World, headers: &HeaderMap) -> bool {
        let given = headers.get("x-api-key").and_then(|value| value.to_str().ok());
        given == Some(world.config.secret_key.expose_secret())
    }

    fn error(&self, code: &str, message: &str) -> Value {
        json!({"status": 500, "errorCode": code, "message": message, "errorType": "internal"})
    }

    /// A standard webhook carries its signatures inside, a token webhook in a header.
    fn webhook(&self, delivery: &Delivery, secret: &SecretString, _: i64) -> WireWebhook {
        let mut body = delivery.data.clone();
        if let Some(items) = body.get_mut("notificationItems").and_then(Value::as_array_mut) {
            let key = standard_key(secret.expose_secret());
            for item in items.iter_mut().filter_map(|item| item.get_mut("NotificationRequestItem")) {
                let signature = sign(&key, signed_fields(item).as_bytes());
                item["additionalData"]["hmacSignature"] = signature.into();
            }
            return WireWebhook { headers: Vec::new(), body: body.to_string().into_bytes() };
        }
        let body = body.to_string().into_bytes();
        let signature = sign(&key(secret.expose_secret()), &body);
        WireWebhook {
            headers: vec![("hmacsignature", signature), ("protocol", "HmacSHA256".to_owned())],
            body,
        }
    }

    /// The real one goes on until a standard webhook is answered with this word.
    fn is_accepted(&self, delivery: &Delivery, status: u16, body: &str) -> bool {
        let standard = delivery.data.get("notificationItems").is_some();
        (200..300).contains(&status) && (!standard || body.trim() == "[accepted]")
    }

    fn push(&self, world: &World, event: &str, object: &Value) {
        world.with(|state, now| {
            if event.starts_with("recurring.") {
                return push_token_event(state, event, &new_id(16), object, now);
            }
            let mut item = object.clone();
            item["eventCode"] = event.into();
            push_item(state, &item, now);
        });
    }

    fn push_test(&self, world: &World, other_form: bool) {
        if other_form {
            let data = json!({
                "merchantAccount": MERCHANT_ACCOUNT, "shopperReference": "YOUR_SHOPPER_REFERENCE",
                "storedPaymentMethodId": "M5N7TQ4TG5PFWR50", "type": "visastandarddebit", "operation": "created",
            });
            return self.push(world, "recurring.token.created", &data);
        }
        let item = json!({
            "amount": {"currency": "EUR", "value": 25000}, "merchantAccountCode": MERCHANT_ACCOUNT,
            "merchantReference": "testMerchantRef1", "paymentMethod": "visa", "pspReference": "test_AUTHORISATION_1",
            "reason": "58747:1111:12/2012", "success": "true", "additionalData": {},
        });
        self.push(world, "AUTHORISATION", &item);
    }

    fn complete(&self, world: &World, session: &str, complete: &CompleteSession) -> Option<String> {
        let channel = complete.channel_code.as_deref().unwrap_or(cards::SCHEME);
        let chosen = cards::choose(complete.card_number.as_deref()).filter(|_| channel == cards::SCHEME)?;
        world.with(|state, now| save(state, session, &chosen, now))
    }

    fn decline(&self, world: &World, session: &str, code: &str) -> bool {
        world.with(|state, now| refuse(state, session, code, now))
    }

    fn expire_at(&self, state: &mut SandboxState, session: &str, now: i64) -> bool {
        state.books.adyen.expire_at(session, now)
    }

    /// The gateway tells nobody that a session's time is up.
    fn pass_time(&self, world: &World) {
        world.with(|state, now| state.books.adyen.expire(now));
    }

    fn complete_on_create(&self, state: &mut SandboxState, on: bool) {
        state.books.adyen.complete_on_create = on;
    }

    fn sessions(&self, state: &SandboxState) -> Vec<Value> {
        state.books.adyen.shown_sessions()
    }

    fn tokens(&self, state: &SandboxState) -> Vec<Value> {
        state.books.adyen.methods.clone()
    }

    /// `disabled`: the token cannot be used any more; `updated`: the card was replaced.
    fn set_token_status(&self, world: &World, token: &str, status: &str, _: Option<&str>) -> bool {
        world.with(|state, now| {
            let Some(method) = state.books.adyen.method(token) else { return false };
            match status {
                "disabled" => method["disabled"] = true.into(),
                "updated" => method["expiryYear"] = "40".into(),
                _ => return false,
            }
            let method = method.clone();
            push_token(state, status, &new_id(16), &method, now);
            true
        })
    }

    fn is_gone(&self, token: &Value) -> bool {
        token["disabled"] == true
    }

    fn charging(&self) -> Option<&'static dyn Charging> {
        Some(&Self)
    }
}

impl Charging for Adyen {
    fn charges(&self, state: &SandboxState) -> Vec<Value> {
        state.books.adyen.payments.iter().map(payments::Payment::shown).collect()
    }

    fn play(&self, state: &mut SandboxState, token: &str, play: ChargePlay) -> bool {
        if state.books.adyen.method(token).is_none() {
            return false;
        }
        state.books.adyen.plays.insert(token.to_owned(), play);
        true
    }

    fn act(&self, world: &World, charge: &str, passes: bool) -> Option<String> {
        world.with(|state, _| payments::act(state.books.adyen.payment(charge)?, passes))
    }

    fn finish(&self, world: &World, charge: &str, well: bool) -> bool {
        world.with(|state, now| modifications::finish_all(state, charge, well, now))
    }

    fn take_back(&self, world: &World, charge: &str, how: Option<&str>) -> bool {
        world.with(|state, now| modifications::take_back(state, charge, how, now))
    }

    fn finish_refunds(&self, world: &World) {
        world.with(modifications::finish_refunds);
    }
}

/// The bytes of a key. One that is not hexadecimal was never the gateway's, and signs accordingly.
fn key(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// Each webhook has a key of its own; that of the standard one is made from the other's.
fn standard_key(secret: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key(secret)), b"standard webhook").as_ref().to_vec()
}

fn sign(key: &[u8], message: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message))
}

/// What the signature of an item covers.
fn signed_fields(item: &Value) -> String {
    let text = |pointer: &str| match item.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let fields = [
        "/pspReference",
        "/originalReference",
        "/merchantAccountCode",
        "/merchantReference",
        "/amount/value",
        "/amount/currency",
        "/eventCode",
        "/success",
    ];
    fields.map(text).join(":")
}

/// Sends a standard webhook with one item.
fn push_item(state: &mut SandboxState, item: &Value, now: i64) {
    let mut item = item.clone();
    item["eventDate"] = iso(now).into();
    let event = item["eventCode"].as_str().unwrap_or_default().to_owned();
    let body = json!({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]});
    state.outbox.push(&event, &body, None, now);
}

/// Sends a token webhook; `psp_reference` is that of the payment behind it.
fn push_token_event(state: &mut SandboxState, kind: &str, psp_reference: &str, data: &Value, now: i64) {
    let body = json!({
        "type": kind, "createdAt": iso(now), "eventId": psp_reference, "environment": "test", "version": "1",
        "data": data,
    });
    state.outbox.push(kind, &body, None, now);
}

/// Sends a token webhook about a stored method.
fn push_token(state: &mut SandboxState, operation: &str, psp_reference: &str, method: &Value, now: i64) {
    let mut data = json!({
        "merchantAccount": MERCHANT_ACCOUNT, "shopperReference": method["shopperReference"],
        "storedPaymentMethodId": method["id"], "type": method["brand"],
    });
    // The end of a token is no operation that stores.
    if operation != "disabled" {
        data["operation"] = operation.into();
    }
    push_token_event(state, &format!("recurring.token.{operation}"), psp_reference, &data, now);
}

/// The webhook about an attempt. Its `additionalData`, which no signature covers, names the token as the real one's
/// does.
fn push_attempt(
    state: &mut SandboxState,
    session: &Value,
    outcome: Result<&Saved, &str>,
    psp_reference: &str,
    now: i64,
) {
    let mut item = json!({
        "amount": {"currency": session["amount"]["currency"], "value": 0}, "eventCode": "AUTHORISATION",
        "merchantAccountCode": MERCHANT_ACCOUNT, "merchantReference": session["reference"],
        "paymentMethod": "card", "pspReference": psp_reference, "success": outcome.is_ok().to_string(),
        "reason": "", "additionalData": {},
    });
    match outcome {
        Ok(saved) => {
            item["paymentMethod"] = saved.method["brand"].clone();
            item["additionalData"] = json!({
                "recurring.recurringDetailReference": saved.method["id"],
                "recurring.shopperReference": session["shopperReference"],
                "recurringProcessingModel": session["recurringProcessingModel"],
            });
        }
        Err(code) => item["reason"] = code.into(),
    }
    push_item(state, &item, now);
}

/// The customer saves a card; says its token. The payment is told first, then the token.
fn save(state: &mut SandboxState, session: &str, chosen: &cards::Chosen, now: i64) -> Option<String> {
    let saved = state.books.adyen.save(session, chosen)?;
    let object = state.books.adyen.session(session)?.object.clone();
    let psp_reference = new_id(16);
    push_attempt(state, &object, Ok(&saved), &psp_reference, now);
    let operation = if saved.is_new { "created" } else { "alreadyExisting" };
    push_token(state, operation, &psp_reference, &saved.method, now);
    saved.method["id"].as_str().map(str::to_owned)
}

/// One attempt fails. `false` when the session is not open.
fn refuse(state: &mut SandboxState, session: &str, code: &str, now: i64) -> bool {
    let Some(object) = state.books.adyen.refuse(session, code) else { return false };
    push_attempt(state, &object, Err(code), &new_id(16), now);
    true
}
