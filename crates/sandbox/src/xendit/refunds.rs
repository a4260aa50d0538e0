//! The endpoints of refunds.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::api::{account, parse_body};
use super::charges::{Refund, hundredths};
use super::error::ApiError;
use super::validate::payments as validate;
use crate::server::World;

/// How many refunds a list shows.
const PAGE: usize = 100;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/refunds", post(create).get(list)).route("/refunds/{id}", get(show))
}

async fn create(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let (account, body) = (account(&headers), parse_body(&body)?);
    validate::refund(&body)?;
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    world.with(|state, now| {
        let books = &mut state.books.xendit.charges;
        let before = |refund: &&Refund| refund.account == account && key.is_some() && refund.key == key;
        if let Some(refund) = books.refunds.iter().find(before) {
            if refund.body != body {
                let message = "The idempotency-key has been used with another body";
                return Err(ApiError::new(400, "IDEMPOTENCY_ERROR", message));
            }
            return Ok(Json(refund.shown()).into_response());
        }
        let id = body.get("payment_request_id").and_then(Value::as_str).unwrap_or_default();
        let refunded = books.refunded(id);
        let charge = books.of(&account, id);
        let charge =
            charge.ok_or_else(|| ApiError::new(404, "DATA_NOT_FOUND", "Payment request not found"))?.clone();
        if charge.status != "SUCCEEDED" {
            return Err(ApiError::new(400, "INELIGIBLE_TRANSACTION_STATUS", "The payment did not succeed"));
        }
        let left = charge.captured - refunded;
        let amount = body.get("amount").map_or(Some(left), hundredths).filter(|amount| *amount > 0);
        let Some(amount) = amount.filter(|amount| *amount <= left) else {
            return Err(ApiError::new(400, "REFUND_AMOUNT_EXCEEDED", "The amount is above what is left"));
        };
        let refund = Refund::new(&charge, amount, (body, key), now);
        let shown = refund.shown();
        books.refunds.push(refund);
        Ok(Json(shown).into_response())
    })
}

async fn list(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    let account = account(&headers);
    world.pass_time();
    let (data, more): (Vec<Value>, bool) = world.with(|state, _| {
        let all = &state.books.xendit.charges.refunds;
        let own = all.iter().rev().filter(|refund| refund.account == account);
        (own.take(PAGE).map(Refund::shown).collect(), all.len() > PAGE)
    });
    Json(json!({"data": data, "has_more": more})).into_response()
}

async fn show(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let account = account(&headers);
    world.pass_time();
    let found = world.with(|state, _| {
        let mut all = state.books.xendit.charges.refunds.iter();
        all.find(|refund| refund.account == account && refund.id == id).map(Refund::shown)
    });
    found
        .map(|refund| Json(refund).into_response())
        .ok_or_else(|| ApiError::new(404, "DATA_NOT_FOUND", "Refund not found"))
}
