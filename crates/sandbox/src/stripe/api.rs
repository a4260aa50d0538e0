//! The API: form bodies in, JSON out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::books::{Books, Session, new_id};
use super::form::{Answer, Fields, error};
use super::{complete_in, is_authorized, payments, push, refunds};
use crate::server::{SandboxState, World};

const MINUTE: i64 = 60_000;
/// The types of payment method that this sandbox can save.
const TYPES: [&str; 5] = ["card", "sepa_debit", "us_bank_account", "bacs_debit", "au_becs_debit"];

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new().route("/v1/{*path}", any(answer))
}

async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap_or_default();
    world.pass_time();
    let (status, value) = if !is_authorized(&world, &parts.headers) {
        error(401, "api_key_invalid", "Invalid API Key provided")
    } else if header(&parts.headers, "stripe-version").is_none() {
        // The real one would take the account's own version, which nobody can test against.
        error(400, "version_missing", "This sandbox wants a Stripe-Version header")
    } else {
        let call = Call {
            method: parts.method,
            path: parts.uri.path().trim_start_matches("/v1/").to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: body.to_vec(),
        };
        world.with(|state, now| once(&world, state, now, &call, header(&parts.headers, "idempotency-key")))
    };
    let early = status == 200 && world.with(|state, _| state.books.stripe.complete_on_create);
    if early {
        // The customer was quicker than this answer: its webhooks are sent before the answer is.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(value)).into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

pub(super) struct Call {
    pub(super) method: Method,
    path: String,
    pub(super) query: String,
    pub(super) body: Vec<u8>,
}

/// The same key gives the same answer, and never another body.
fn once(world: &World, state: &mut SandboxState, now: i64, call: &Call, key: Option<&str>) -> Answer {
    let key = key.filter(|_| call.method == Method::POST).map(|key| format!("{} {key}", call.path));
    let known = key.as_ref().and_then(|key| state.books.stripe.idempotency.get(key));
    match known {
        Some((body, answer)) if *body == call.body => return answer.clone(),
        Some(_) => {
            let message = "Keys for idempotent requests can only be used with the same parameters";
            return error(400, "idempotency_error", message);
        }
        None => {}
    }
    let answer = handle(world, state, now, call).unwrap_or_else(|refusal| refusal);
    if let Some(key) = key {
        state.books.stripe.idempotency.insert(key, (call.body.clone(), answer.clone()));
    }
    answer
}

fn handle(world: &World, state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let path: Vec<&str> = call.path.split('/').collect();
    match path.as_slice() {
        ["payment_intents", rest @ ..] => return payments::handle(world, state, now, call, rest),
        ["refunds", rest @ ..] => return refunds::handle(state, now, call, rest),
        _ => {}
    }
    let books = &mut state.books.stripe;
    let nothing = |known: &[&str]| Fields::read(&call.body, known).map(|_| ());
    match (&call.method, path.as_slice()) {
        (&Method::POST, ["customers"]) => new_customer(books, now, call),
        (&Method::POST, ["checkout", "sessions"]) => new_session(world, state, now, call),
        (&Method::POST, ["setup_intents"]) => new_intent(state, now, call),
        (&Method::GET, ["checkout", "sessions", id]) => {
            let expand = call.query.contains("setup_intent.payment_method");
            let session = books.session(id).ok_or_else(no_such)?.object.clone();
            Ok((200, if expand { expanded_session(books, session) } else { session }))
        }
        (&Method::POST, ["checkout", "sessions", id, "expire"]) => {
            nothing(&[])?;
            let session = books.session(id).ok_or_else(no_such)?;
            if !session.is_open() {
                let message = "Only Checkout Sessions with a status in [\"open\"] can be expired";
                return Err(error(400, "checkout_session_not_open", message));
            }
            Books::end(session, "expired");
            let object = session.object.clone();
            push(state, "checkout.session.expired", &object, now);
            Ok((200, object))
        }
        (&Method::GET, ["setup_intents", id]) => {
            let intent = books.intent(id).ok_or_else(no_such)?.clone();
            Ok((
                200,
                if call.query.contains("payment_method") { expanded_intent(books, intent) } else { intent },
            ))
        }
        (&Method::POST, ["setup_intents", id, "cancel"]) => {
            nothing(&[])?;
            let of_session = books.sessions.iter().any(|session| session.object["setup_intent"] == **id);
            if books.intent(id).is_none() {
                return Err(no_such());
            }
            if of_session || !books.is_open(id) {
                return Err(error(
                    400,
                    "setup_intent_unexpected_state",
                    "This SetupIntent cannot be canceled",
                ));
            }
            let intent = books.intent(id).ok_or_else(no_such)?;
            intent["status"] = "canceled".into();
            let object = intent.clone();
            push(state, "setup_intent.canceled", &object, now);
            Ok((200, object))
        }
        (&Method::GET, ["payment_methods", id]) => Ok((200, books.method(id).ok_or_else(no_such)?.clone())),
        (&Method::POST, ["payment_methods", id, "detach"]) => {
            nothing(&[])?;
            let method = books.method(id).ok_or_else(no_such)?;
            if method["customer"].is_null() {
                let message = "The payment method is not attached to a customer";
                return Err(error(400, "payment_method_unexpected_state", message));
            }
            method["customer"] = Value::Null;
            let object = method.clone();
            push(state, "payment_method.detached", &object, now);
            Ok((200, object))
        }
        _ => Err(error(404, "url_invalid", "Unrecognized request URL")),
    }
}

pub(super) fn no_such() -> Answer {
    error(404, "resource_missing", "No such object")
}

fn new_customer(books: &mut Books, now: i64, call: &Call) -> Result<Answer, Answer> {
    let fields = Fields::read(&call.body, &["name", "email", "phone", "metadata[]"])?;
    let object = json!({
        "id": new_id("cus_"), "object": "customer", "name": fields.get("name"), "email": fields.get("email"),
        "phone": fields.get("phone"), "metadata": fields.metadata("metadata")?, "livemode": false, "balance": 0,
        "created": now / 1000, "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
    });
    books.customers.push(object.clone());
    Ok((200, object))
}

pub(super) fn customer(books: &Books, fields: &Fields) -> Result<Value, Answer> {
    let Some(id) = fields.get("customer") else { return Ok(Value::Null) };
    let known = books.customers.iter().any(|customer| customer["id"] == id);
    if known { Ok(id.into()) } else { Err(error(400, "resource_missing", "No such customer")) }
}

fn types(given: Vec<String>) -> Result<Vec<String>, Answer> {
    if let Some(unknown) = given.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
        let message = format!("The payment method type {unknown} is invalid or not activated");
        return Err(error(400, "parameter_invalid", &message));
    }
    Ok(given)
}

fn new_session(world: &World, state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let known = [
        "mode",
        "currency",
        "customer",
        "client_reference_id",
        "success_url",
        "cancel_url",
        "expires_at",
        "allowed_payment_method_types[]",
        "setup_intent_data[]",
    ];
    let fields = Fields::read(&call.body, &known)?;
    if fields.need("mode")? != "setup" {
        return Err(error(
            400,
            "parameter_invalid",
            "This sandbox saves payment methods: mode must be setup",
        ));
    }
    let mut offered = types(fields.list("allowed_payment_method_types"))?;
    if offered.is_empty() {
        let currency = fields.need("currency")?;
        offered.push("card".to_owned());
        offered.extend((currency == "eur").then(|| "sepa_debit".to_owned()));
    }
    for field in ["success_url", "cancel_url"] {
        check_url(fields.need(field)?)?;
    }
    let expires_at = match fields.get("expires_at") {
        None => now + 24 * 60 * MINUTE,
        Some(text) => text.parse::<i64>().ok().and_then(|at| at.checked_mul(1000)).unwrap_or(0),
    };
    // A request takes its time; what was half an hour ahead when it was sent is accepted.
    if expires_at < now + 30 * MINUTE - 2_000 || expires_at > now + 24 * 60 * MINUTE + 2_000 {
        return Err(error(
            400,
            "parameter_invalid",
            "expires_at must be between 30 minutes and 24 hours from now",
        ));
    }
    let customer = customer(&state.books.stripe, &fields)?;
    let metadata = fields.metadata("setup_intent_data[metadata]")?;
    let intent = json!({
        "customer": customer, "usage": "off_session", "metadata": metadata, "payment_method_types": offered,
        "created": now / 1000,
    });
    let intent = state.books.stripe.new_intent(&intent);
    let (id, link) = (new_id("cs_test_"), uuid::Uuid::new_v4().simple().to_string());
    let url = world.base_url.join(&format!("pay/{link}")).map(String::from).unwrap_or_default();
    let object = json!({
        "id": id, "object": "checkout.session", "mode": "setup", "status": "open", "url": url,
        "client_reference_id": fields.get("client_reference_id"), "customer": customer,
        "currency": fields.get("currency"), "expires_at": expires_at / 1000, "created": now / 1000,
        "setup_intent": intent, "success_url": fields.get("success_url"), "cancel_url": fields.get("cancel_url"),
        "livemode": false, "metadata": {}, "payment_method_types": offered, "payment_status": "no_payment_required",
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "custom_fields": [], "shipping_options": [], "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
    });
    let challenges = std::collections::HashMap::new();
    state.books.stripe.sessions.push(Session {
        object: object.clone(),
        expires_at,
        link,
        last_failure: None,
        challenges,
    });
    if state.books.stripe.complete_on_create {
        complete_in(state, &id, None, None, now);
    }
    Ok((200, object))
}

fn new_intent(state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let known = [
        "customer",
        "usage",
        "allowed_payment_method_types[]",
        "automatic_payment_methods[enabled]",
        "metadata[]",
    ];
    let fields = Fields::read(&call.body, &known)?;
    let usage = fields.get("usage").unwrap_or("off_session");
    if !["off_session", "on_session"].contains(&usage) {
        return Err(error(400, "parameter_invalid", "usage must be off_session or on_session"));
    }
    let mut offered = types(fields.list("allowed_payment_method_types"))?;
    if offered.is_empty() {
        offered.push("card".to_owned());
    }
    let metadata = fields.metadata("metadata")?;
    let customer = customer(&state.books.stripe, &fields)?;
    let intent = json!({
        "customer": customer, "usage": usage, "metadata": metadata, "payment_method_types": offered,
        "created": now / 1000,
    });
    let id = state.books.stripe.new_intent(&intent);
    let object = state.books.stripe.intent(&id).ok_or_else(no_such)?.clone();
    if state.books.stripe.complete_on_create {
        complete_in(state, &id, None, None, now);
    }
    Ok((200, object))
}

pub(super) fn check_url(text: &str) -> Result<(), Answer> {
    let parsed = url::Url::parse(text).ok();
    let good = parsed.is_some_and(|url| {
        let local = ["127.0.0.1", "localhost", "[::1]"].contains(&url.host_str().unwrap_or_default());
        url.scheme() == "https" || (url.scheme() == "http" && local)
    });
    if good { Ok(()) } else { Err(error(400, "url_invalid", "Not a valid URL")) }
}

fn expanded_intent(books: &mut Books, mut intent: Value) -> Value {
    let id = intent["payment_method"].as_str().unwrap_or_default().to_owned();
    if let Some(method) = books.method(&id) {
        intent["payment_method"] = method.clone();
    }
    intent
}

fn expanded_session(books: &mut Books, mut session: Value) -> Value {
    let id = session["setup_intent"].as_str().unwrap_or_default().to_owned();
    if let Some(intent) = books.intent(&id).cloned() {
        session["setup_intent"] = expanded_intent(books, intent);
    }
    session
}
