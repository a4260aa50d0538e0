//! The customer endpoints, with the trap of references that exist.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::api::{account, object, parse_body};
use super::books::Books;
use super::error::ApiError;
use crate::clock::iso;
use crate::server::World;

const DUPLICATE: &str =
    "The reference_id entered has been used before. Please enter a unique reference_id and try again.";

/// `POST /customers`: 200, as the API does.
pub(super) async fn create(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = parse_body(&body)?;
    check_version(&headers)?;
    let account = account(&headers);
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 100) {
        return Err(ApiError::new(
            400,
            "API_VALIDATION_ERROR",
            "idempotency-key must have 1 to 100 characters",
        ));
    }
    check(&body)?;
    world.with(|state, now| {
        let books = &mut state.books.xendit;
        let known =
            key.as_ref().and_then(|key| books.idempotency.get(&(account.clone(), key.clone()))).cloned();
        if let Some((earlier, id)) = known {
            if earlier != Value::Object(body.clone()) {
                return Err(ApiError::new(
                    409,
                    "IDEMPOTENCY_ERROR",
                    "The idempotency key was used with another request",
                ));
            }
            return Ok(Json(find(books, &account, &id)).into_response());
        }
        let reference = body.get("reference_id").and_then(Value::as_str).unwrap_or_default();
        if by_reference(books, &account, reference).is_some() {
            return Err(ApiError::new(409, "DUPLICATE_ERROR", DUPLICATE));
        }
        let customer = store(books, &account, body.clone(), now);
        let id = customer.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(key) = key {
            books.idempotency.insert((account, key), (Value::Object(body), id));
        }
        Ok(Json(Value::Object(customer)).into_response())
    })
}

/// `GET /customers/{id}`.
pub(super) async fn get(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let account = account(&headers);
    let found = world.with(|state, _| find(&state.books.xendit, &account, &id));
    if found.is_null() {
        return Err(ApiError::new(404, "DATA_NOT_FOUND", "Customer not found"));
    }
    Ok(Json(found).into_response())
}

/// `GET /customers?reference_id=`.
pub(super) async fn list(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Query(query): Query<std::collections::HashMap<String, String>>,
) -> Result<Response, ApiError> {
    let Some(reference) = query.get("reference_id") else {
        return Err(ApiError::new(
            400,
            "API_VALIDATION_ERROR",
            "request/query must have required property 'reference_id'",
        ));
    };
    let account = account(&headers);
    let found = world.with(|state, _| by_reference(&state.books.xendit, &account, reference).cloned());
    let data: Vec<Value> = found.into_iter().map(Value::Object).collect();
    Ok(Json(json!({"data": data, "has_more": false})).into_response())
}

/// The customer inside a session's request: made anew each time, and refused when its reference is known.
pub(super) fn inline(
    books: &mut Books,
    account: &str,
    customer: &Value,
    now: i64,
) -> Result<String, ApiError> {
    let reference = customer.get("reference_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let used = (account.to_owned(), reference.clone());
    if books.inline_references.contains(&used) || by_reference(books, account, &reference).is_some() {
        return Err(ApiError::new(409, "DUPLICATE_ERROR", format!("customer: {DUPLICATE}")));
    }
    books.inline_references.push(used);
    let customer = store(books, account, object(customer), now);
    Ok(customer.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
}

pub(super) fn exists(books: &Books, account: &str, id: &str) -> bool {
    !find(books, account, id).is_null()
}

fn store(books: &mut Books, account: &str, mut customer: Map<String, Value>, now: i64) -> Map<String, Value> {
    customer.insert("id".to_owned(), format!("cust-{}", Uuid::new_v4()).into());
    customer.insert("created".to_owned(), iso(now).into());
    customer.insert("updated".to_owned(), iso(now).into());
    customer.retain(|_, value| !value.is_null());
    books.customers.push((account.to_owned(), customer.clone()));
    customer
}

fn find(books: &Books, account: &str, id: &str) -> Value {
    let mut rows = books.customers.iter().filter(|(owner, _)| owner == account);
    let found = rows.find(|(_, customer)| customer.get("id").and_then(Value::as_str) == Some(id));
    found.map_or(Value::Null, |(_, customer)| Value::Object(customer.clone()))
}

fn by_reference<'a>(books: &'a Books, account: &str, reference: &str) -> Option<&'a Map<String, Value>> {
    let mut rows = books.customers.iter().filter(|(owner, _)| owner == account);
    rows.find(|(_, customer)| customer.get("reference_id").and_then(Value::as_str) == Some(reference))
        .map(|(_, customer)| customer)
}

fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get("api-version").map(axum::http::HeaderValue::as_bytes) {
        None | Some(b"2020-10-31" | b"2020-05-19") => Ok(()),
        Some(_) => Err(ApiError::new(400, "UNSUPPORTED_CONTENT_TYPE", "The api-version is not supported")),
    }
}

fn check(body: &Map<String, Value>) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    let body = Value::Object(body.clone());
    let mut between = |pointer: &str, min: usize, max: usize, required: bool| {
        let wrong = match body.pointer(pointer) {
            None | Some(Value::Null) => required,
            Some(Value::String(text)) => !(min..=max).contains(&text.chars().count()),
            Some(_) => true,
        };
        if wrong {
            problems
                .push((format!("/body{pointer}"), format!("must be a string of {min} to {max} characters")));
        }
    };
    between("/reference_id", 1, 255, true);
    between("/email", 3, 50, false);
    between("/mobile_number", 7, 16, false);
    match body.pointer("/type").and_then(Value::as_str) {
        Some("INDIVIDUAL") => between("/individual_detail/given_names", 1, 50, true),
        Some("BUSINESS") => between("/business_detail/business_name", 1, 255, true),
        _ => {
            problems.push(("/body/type".to_owned(), "must be equal to one of the allowed values".to_owned()));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ApiError::schema(&problems)) }
}
