//! The session and token endpoints, and what all endpoints share.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::books::{Session, object_id};
use super::error::ApiError;
use super::validate::Rules;
use super::{customers, hosted, is_authorized, payments, refunds, validate};
use crate::clock::{iso, parse};
use crate::server::World;

const DEFAULT_LIFETIME: i64 = 30 * 60_000;
const TOKENS_VERSION: &str = "2024-11-11";

pub(super) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/sessions", post(create_session))
        .route("/sessions/{id}", get(get_session))
        .route("/sessions/{id}/cancel", post(cancel_session))
        .route("/v3/payment_tokens/{id}", get(get_token))
        .route("/v3/payment_tokens/{id}/cancel", post(cancel_token))
        .merge(payments::routes())
        .merge(refunds::routes())
        .route("/customers", post(customers::create).get(customers::list))
        .route("/customers/{id}", get(customers::get))
        .layer(axum::middleware::from_fn_with_state(world.clone(), authorize))
}

/// Authentication and rate limits, before anything else.
async fn authorize(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    if !is_authorized(&world, request.headers()) {
        return ApiError::invalid_key().into_response();
    }
    let endpoint =
        request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
    let endpoint =
        format!("{} {} {}", account(request.headers()), request.method(), endpoint.unwrap_or_default());
    let limit = world.config.rate_limit;
    let (left, reset) = world.with(|state, now| state.books.xendit.count(&endpoint, limit, now));
    let mut response = match left {
        Some(_) => next.run(request).await,
        None => ApiError::new(429, "RATE_LIMIT_EXCEEDED", "You have exceeded the rate limit").into_response(),
    };
    let values = [
        ("rate-limit-limit", limit.to_string()),
        ("rate-limit-remaining", left.unwrap_or(0).to_string()),
        ("rate-limit-reset", format!("{reset}.0")),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The sub-account that a call is for; empty for the master.
pub(super) fn account(headers: &HeaderMap) -> String {
    headers.get("for-user-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

pub(super) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

pub(super) fn parse_body(body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(ApiError::new(400, "API_VALIDATION_ERROR", "request/body must be object")),
    }
}

async fn create_session(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = parse_body(&body)?;
    let rules = Rules { strict_recurring: world.config.strict_recurring, now: world.now() };
    validate::session(&body, &rules)?;
    let account = account(&headers);
    let (id, answer, early) = world.with(|state, now| {
        let books = &mut state.books.xendit;
        let customer_id = match body.get("customer_id").and_then(Value::as_str) {
            Some(id) if customers::exists(books, &account, id) => id.to_owned(),
            Some(_) => return Err(ApiError::new(404, "DATA_NOT_FOUND", "Customer not found")),
            None => customers::inline(books, &account, body.get("customer").unwrap_or(&Value::Null), now)?,
        };
        let session = new_session(&world, &account, &body, customer_id, now);
        let (id, answer) = (session.id().to_owned(), session.object.clone());
        books.sessions.push(session);
        Ok((id, answer, books.complete_on_create))
    })?;
    if early {
        // The customer was quicker than this answer: its webhook is sent before the answer is.
        hosted::complete(&world, &id, None, None, None);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    Ok((StatusCode::CREATED, Json(Value::Object(answer))).into_response())
}

fn new_session(
    world: &World,
    account: &str,
    body: &Map<String, Value>,
    customer_id: String,
    now: i64,
) -> Session {
    let expires_at =
        body.get("expires_at").and_then(Value::as_str).and_then(parse).unwrap_or(now + DEFAULT_LIFETIME);
    let link = uuid::Uuid::new_v4().simple().to_string();
    let mut object = body.clone();
    object.remove("customer");
    object.remove("payment_link_configuration");
    let url = world.base_url.join(&format!("pay/{link}")).map(String::from).unwrap_or_default();
    let own = json!({
        "payment_session_id": format!("ps-{}", object_id()),
        "created": iso(now),
        "updated": iso(now),
        "status": "ACTIVE",
        "customer_id": customer_id,
        "expires_at": iso(expires_at),
        "locale": body.get("locale").and_then(Value::as_str).unwrap_or("en"),
        "business_id": world.config.business_id,
        "payment_link_url": url,
    });
    object.extend(self::object(&own));
    // The real one leaves null fields out altogether.
    object.retain(|_, value| !value.is_null());
    let (last_failure, challenges) = (None, std::collections::HashMap::new());
    Session { account: account.to_owned(), object, expires_at, link, last_failure, challenges }
}

async fn get_session(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let account = account(&headers);
    world.pass_time();
    let found = world
        .with(|state, _| state.books.xendit.session_of(&account, &id).map(|session| session.object.clone()));
    found.map(|object| Json(Value::Object(object)).into_response()).ok_or_else(no_session)
}

async fn cancel_session(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let account = account(&headers);
    world.pass_time();
    world.with(|state, now| {
        let session = state.books.xendit.session_of(&account, &id).ok_or_else(no_session)?;
        if !session.is_active() {
            let message = format!("Session status is {}, expecting ACTIVE", session.text("status"));
            return Err(ApiError::new(422, "INVALID_SESSION_STATUS", message));
        }
        session.set_status("CANCELED", now);
        Ok(Json(Value::Object(session.object.clone())).into_response())
    })
}

fn no_session() -> ApiError {
    ApiError::new(404, "NOT_FOUND", "Session not found")
}

pub(super) fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.get("api-version").and_then(|value| value.to_str().ok()) == Some(TOKENS_VERSION) {
        return Ok(());
    }
    Err(ApiError::new(
        400,
        "API_VALIDATION_ERROR",
        format!("request/headers must have 'api-version' equal to {TOKENS_VERSION}"),
    ))
}

async fn get_token(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    let account = account(&headers);
    let found = world.with(|state, _| state.books.xendit.token_of(Some(&account), &id).cloned());
    found.map(|token| Json(Value::Object(token)).into_response()).ok_or_else(no_token)
}

async fn cancel_token(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    let account = account(&headers);
    world.with(|state, now| {
        let token = state.books.xendit.token_of(Some(&account), &id).ok_or_else(no_token)?;
        let status = token.get("status").and_then(Value::as_str).unwrap_or_default();
        if status != "ACTIVE" {
            let message = format!("The payment token is {status} and cannot be canceled");
            return Err(ApiError::new(400, "INELIGIBLE_TRANSACTION_STATUS", message));
        }
        token.insert("status".to_owned(), "CANCELED".into());
        token.insert("updated".to_owned(), iso(now).into());
        Ok(Json(Value::Object(token.clone())).into_response())
    })
}

fn no_token() -> ApiError {
    ApiError::new(404, "DATA_NOT_FOUND", "Payment token not found")
}
