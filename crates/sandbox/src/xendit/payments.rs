//! The endpoints of payment requests and payments.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::api::{account, check_version, object, parse_body};
use super::cards;
use super::charges::{Charge, hundredths, tell};
use super::error::ApiError;
use super::validate::payments as validate;
use crate::charging::ChargePlay as Play;
use crate::clock::iso;
use crate::server::World;

/// The amounts in major units that a test card is refused for, and why.
const TEST_AMOUNTS: [(i64, &str); 9] = [
    (10_051, "EXPIRED_CARD"),
    (10_052, "SUSPECTED_FRAUDULENT"),
    (10_053, "DECLINED_BY_PROCESSOR"),
    (10_054, "INSUFFICIENT_BALANCE"),
    (10_055, "STOLEN_CARD"),
    (10_056, "INACTIVE_OR_UNAUTHORIZED_CARD"),
    (10_057, "PROCESSOR_ERROR"),
    (10_058, "INVALID_CVV"),
    (10_059, "DECLINED_BY_ISSUER"),
];

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v3/payment_requests", post(create))
        .route("/v3/payment_requests/{id}", get(show))
        .route("/v3/payment_requests/{id}/cancel", post(cancel))
        .route("/v3/payment_requests/{id}/simulate", post(simulate))
        .route("/v3/payments/{id}", get(show_payment))
        .route("/v3/payments/{id}/capture", post(capture))
        .route("/v3/payments/{id}/cancel", post(cancel_payment))
}

fn no_request() -> ApiError {
    ApiError::new(404, "DATA_NOT_FOUND", "Payment request not found")
}

fn no_payment() -> ApiError {
    ApiError::new(404, "DATA_NOT_FOUND", "Payment not found")
}

fn ineligible(status: &str) -> ApiError {
    ApiError::new(400, "INELIGIBLE_TRANSACTION_STATUS", format!("The transaction is {status}"))
}

async fn create(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    let (account, body) = (account(&headers), parse_body(&body)?);
    let amount = validate::payment_request(&body, world.config.strict_recurring)?;
    let answer = world.with(|state, now| {
        let token_id = text(&body, "payment_token_id").to_owned();
        let books = &mut state.books.xendit;
        let token = books.token_of(Some(&account), &token_id).cloned();
        let token = token.filter(|token| token.get("status").and_then(Value::as_str) == Some("ACTIVE"));
        let token = token.ok_or_else(|| {
            let message = "The payment token is expired or cancelled. Please reinitiate linking";
            ApiError::new(400, "INVALID_TOKEN", message)
        })?;
        let channel = text(&token, "channel_code");
        let reference = text(&body, "reference_id");
        let taken = |charge: &Charge| charge.account == account && charge.text("reference_id") == reference;
        if channel == "CARDS" && books.charges.charges.iter().any(taken) {
            return Err(ApiError::new(409, "DUPLICATE_ERROR", "The reference_id has been used before"));
        }
        if channel != "CARDS" && text(&body, "capture_method") == "MANUAL" {
            return Err(ApiError::new(400, "INVALID_VALUE_ERROR", "This channel captures automatically"));
        }
        let play = books.charges.play(&token_id);
        if let Play::Decline(code) = &play
            && let Some(refusal) = refused(code)
        {
            return Err(refusal);
        }
        let made = requested(&world, &body, &token, now);
        let mut charge = Charge::new(account.clone(), made, amount, now);
        attempt(&mut charge, &token, &play, now);
        let answer = charge.request(&world);
        state.books.xendit.charges.charges.push(charge.clone());
        tell(&world, state, &charge, now);
        Ok(answer)
    })?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Some refusals are errors, and nothing is made.
fn refused(code: &str) -> Option<ApiError> {
    let (status, code) = match code {
        "CARD_EXPIRED" => (400, "CARD_EXPIRED"),
        "INVALID_PAYMENT_DETAILS" => (400, "INVALID_PAYMENT_DETAILS"),
        "INVALID_TOKEN" => (400, "INVALID_TOKEN"),
        "SKIP_3DS_FORBIDDEN" => (403, "SKIP_3DS_FORBIDDEN"),
        "CHANNEL_UNAVAILABLE" => (503, "CHANNEL_UNAVAILABLE"),
        "ISSUER_UNAVAILABLE" => (503, "ISSUER_UNAVAILABLE"),
        _ => return None,
    };
    Some(ApiError::new(status, code, "The payment cannot be processed"))
}

fn requested(
    world: &World,
    body: &Map<String, Value>,
    token: &Map<String, Value>,
    now: i64,
) -> Map<String, Value> {
    let mut made = body.clone();
    let own = json!({
        "business_id": world.config.business_id, "customer_id": token.get("customer_id"),
        "channel_code": token.get("channel_code"), "created": iso(now),
        "capture_method": body.get("capture_method").and_then(Value::as_str).unwrap_or("AUTOMATIC"),
    });
    made.extend(object(&own));
    made.retain(|_, value| !value.is_null());
    made
}

/// What the bank does with it: what was ordered, else what the test amount or the test card says.
fn attempt(charge: &mut Charge, token: &Map<String, Value>, play: &Play, now: i64) {
    match play {
        Play::Decline(code) => return charge.fail(code, now),
        Play::StepUp => return charge.become_at("REQUIRES_ACTION", now),
        Play::Slow => return charge.become_at("PENDING", now),
        Play::Approve => {}
    }
    let token = Value::Object(token.clone());
    if token["channel_code"] == "CARDS" {
        let whole = (charge.amount % 100 == 0).then_some(charge.amount / 100);
        if let Some((_, code)) = TEST_AMOUNTS.iter().find(|(amount, _)| Some(*amount) == whole) {
            return charge.fail(code, now);
        }
        let masked = token["channel_properties"]["card_details"]["masked_card_number"].as_str();
        let skips = charge.object.get("channel_properties").is_some_and(|how| how["skip_three_ds"] == true);
        if masked.is_some_and(cards::challenges) && !skips {
            return charge.become_at("REQUIRES_ACTION", now);
        }
    }
    charge.approve(now);
}

async fn show(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    world.pass_time();
    let found = world.with(|state, _| {
        state.books.xendit.charges.of(&account(&headers), &id).map(|charge| charge.request(&world))
    });
    found.map(|answer| Json(answer).into_response()).ok_or_else(no_request)
}

async fn cancel(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    world.with(|state, now| {
        let charge = state.books.xendit.charges.of(&account(&headers), &id).ok_or_else(no_request)?;
        if !charge.is_open() {
            return Err(ineligible(charge.status));
        }
        charge.become_at("CANCELED", now);
        Ok(Json(charge.request(&world)).into_response())
    })
}

/// Test mode's own: a payment that is under way is made; the webhook tells of it.
async fn simulate(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    world.with(|state, now| {
        let charge = state.books.xendit.charges.of(&account(&headers), &id).ok_or_else(no_request)?;
        if charge.status != "PENDING" {
            return Err(ineligible(charge.status));
        }
        charge.approve(now);
        let charge = charge.clone();
        tell(&world, state, &charge, now);
        Ok(Json(json!({"status": "PENDING", "message": "The payment is being simulated"})).into_response())
    })
}

async fn show_payment(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    world.pass_time();
    let found = world.with(|state, _| {
        state.books.xendit.charges.of_payment(&account(&headers), &id).map(|charge| charge.payment())
    });
    found.map(|answer| Json(answer).into_response()).ok_or_else(no_payment)
}

async fn capture(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    let body = parse_body(&body)?;
    let amount = body.get("capture_amount").and_then(hundredths).filter(|amount| *amount > 0);
    let amount = amount.ok_or_else(|| {
        ApiError::new(400, "API_VALIDATION_ERROR", "capture_amount must be a number above 0")
    })?;
    world.with(|state, now| {
        let charge = state.books.xendit.charges.of_payment(&account(&headers), &id).ok_or_else(no_payment)?;
        if charge.status != "AUTHORIZED" {
            return Err(ineligible(charge.status));
        }
        if amount > charge.amount {
            let message = "The capture_amount is above the authorized amount";
            return Err(ApiError::new(400, "CAPTURE_AMOUNT_EXCEEDED", message));
        }
        charge.capture(amount, now);
        let charge = charge.clone();
        tell(&world, state, &charge, now);
        Ok(Json(charge.payment()).into_response())
    })
}

async fn cancel_payment(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    world.with(|state, now| {
        let charge = state.books.xendit.charges.of_payment(&account(&headers), &id).ok_or_else(no_payment)?;
        if charge.status != "AUTHORIZED" {
            return Err(ineligible(charge.status));
        }
        charge.become_at("CANCELED", now);
        Ok(Json(charge.payment()).into_response())
    })
}
