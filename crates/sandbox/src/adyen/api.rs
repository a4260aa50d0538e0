//! The API: JSON in, JSON out.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::books::{Session, new_id};
use super::cards::choose;
use super::validate::{self, Answer, error};
use super::{modifications, payments, push_token, refuse, save};
use crate::clock::iso;
use crate::server::{SandboxState, World};

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/v72/{*path}", any(answer))
}

async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap_or_default();
    world.pass_time();
    let (status, value) = if world.gateway().is_authorized(&world, &parts.headers) {
        let call = Call {
            method: parts.method,
            path: parts.uri.path().trim_start_matches("/v72/").to_owned(),
            query: query(parts.uri.query().unwrap_or_default()),
            body: body.to_vec(),
        };
        world.with(|state, now| once(&world, state, now, &call, header(&parts.headers, "idempotency-key")))
    } else {
        error(401, "000", "HTTP Status Response - Unauthorized")
    };
    if status == 201 && world.with(|state, _| state.books.adyen.complete_on_create) {
        // The customer was quicker than this answer: its webhooks are sent before the answer is.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    let psp_reference = value["pspReference"].as_str().unwrap_or_default().to_owned();
    (status, [("pspreference", psp_reference)], Json(value)).into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn query(text: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

struct Call {
    method: Method,
    path: String,
    query: HashMap<String, String>,
    body: Vec<u8>,
}

/// The same key gives the same answer, and never another call.
fn once(world: &World, state: &mut SandboxState, now: i64, call: &Call, key: Option<&str>) -> Answer {
    let Some(key) = key.filter(|_| call.method == Method::POST) else {
        return handle(world, state, now, call).unwrap_or_else(|refusal| refusal);
    };
    if key.len() > 64 {
        return error(422, "702", "Idempotency-Key must have at most 64 characters");
    }
    if let Some((path, body, answer)) = state.books.adyen.idempotency.get(key) {
        if (path, body) == (&call.path, &call.body) {
            return answer.clone();
        }
        return error(422, "704", "This idempotency key was used for another request");
    }
    let answer = handle(world, state, now, call).unwrap_or_else(|refusal| refusal);
    let kept = (call.path.clone(), call.body.clone(), answer.clone());
    state.books.adyen.idempotency.insert(key.to_owned(), kept);
    answer
}

fn handle(world: &World, state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let path: Vec<&str> = call.path.split('/').collect();
    match (&call.method, path.as_slice()) {
        (&Method::POST, ["sessions"]) => new_session(world, state, now, call),
        (&Method::GET, ["sessions", id]) => session_result(state, id, call),
        (&Method::POST, ["payments"]) => {
            let (asked, shopper) = validate::payment(&json_body(call)?)?;
            let page = |link: &str| {
                world.base_url.join(&format!("redirect/{link}")).map(String::from).unwrap_or_default()
            };
            payments::create(state, asked, &shopper, &page, now)
        }
        (&Method::POST, ["payments", "details"]) => details(state, now, call),
        (&Method::POST, ["payments", payment, collection]) => {
            modifications::ask(state, (payment, collection), &json_body(call)?, now)
        }
        (&Method::GET, ["storedPaymentMethods"]) => {
            let shopper = shopper(call)?;
            let methods = state.books.adyen.methods_of(shopper);
            let account = &call.query["merchantAccount"];
            let body = json!({"merchantAccount": account, "shopperReference": shopper, "storedPaymentMethods": methods});
            Ok((200, body))
        }
        (&Method::DELETE, ["storedPaymentMethods", id]) => {
            let shopper = shopper(call)?;
            let found = state.books.adyen.method(id).filter(|method| method["shopperReference"] == shopper);
            let method = found.ok_or_else(|| error(422, "803", "PaymentDetail not found"))?;
            method["disabled"] = true.into();
            let method = method.clone();
            push_token(state, "disabled", &new_id(16), &method, now);
            Ok((204, Value::Null))
        }
        _ => Err(error(404, "000", "HTTP Status Response - Not Found")),
    }
}

/// The shopper that a call about stored methods names, at the account's merchant account.
fn shopper(call: &Call) -> Result<&str, Answer> {
    let given = |name: &str| call.query.get(name).map(String::as_str);
    validate::merchant_account(given("merchantAccount"))?;
    let shopper = given("shopperReference").filter(|shopper| shopper.len() >= 3);
    shopper.ok_or_else(|| error(422, "14_004", "Missing required field: shopperReference"))
}

fn json_body(call: &Call) -> Result<Value, Answer> {
    serde_json::from_slice(&call.body).map_err(|_| error(400, "702", "Unable to parse the request"))
}

fn new_session(world: &World, state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let mut object = json_body(call)?;
    let expires_at = validate::session(&object, now)?;
    let link = uuid::Uuid::new_v4().simple().to_string();
    let id = format!("CS{}", new_id(16));
    object["id"] = id.clone().into();
    object["expiresAt"] = iso(expires_at).into();
    if object["mode"] == "hosted" {
        let url = world.base_url.join(&format!("pay/{link}")).map(String::from).unwrap_or_default();
        object["url"] = url.into();
    } else {
        object["mode"] = "embedded".into();
        object["sessionData"] = format!("Ab02b4c0!{}", new_id(80)).into();
    }
    let answer = object.clone();
    object["status"] = "active".into();
    state.books.adyen.sessions.push(Session::new(object, expires_at, link));
    if state.books.adyen.complete_on_create
        && let Some(chosen) = choose(None)
    {
        save(state, &id, &chosen, now);
    }
    Ok((201, answer))
}

/// The status that a result stands for, which is that of the moment when it was handed out.
fn session_result(state: &mut SandboxState, id: &str, call: &Call) -> Result<Answer, Answer> {
    let session = state.books.adyen.session(id).filter(|session| session.text("id") == id);
    let result = call.query.get("sessionResult");
    let found = session.and_then(|session| Some((session.status_of(result?)?, session.text("reference"))));
    let (status, reference) = found.ok_or_else(|| error(422, "702", "Invalid session result"))?;
    Ok((200, json!({"id": id, "reference": reference, "status": status})))
}

/// What came of a redirect. A result is used once.
fn details(state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let body = json_body(call)?;
    let result = body.pointer("/details/redirectResult").and_then(Value::as_str).unwrap_or_default();
    if let Some(of_a_payment) = payments::details(state, result, now) {
        return of_a_payment;
    }
    let invalid = || error(422, "14_006", "Invalid redirectResult");
    let session = state.books.adyen.session_by_redirect(result).ok_or_else(invalid)?;
    let chosen = session.redirects.remove(result).ok_or_else(invalid)?;
    let (id, reference) = (session.text("id").to_owned(), session.text("reference").to_owned());
    let code = match chosen {
        Some(chosen) if save(state, &id, &chosen, now).is_some() => "Authorised",
        Some(_) => return Err(error(422, "702", "The session is over")),
        None => {
            refuse(state, &id, "3D Not Authenticated", now);
            "Refused"
        }
    };
    Ok((200, json!({"resultCode": code, "merchantReference": reference, "pspReference": new_id(16)})))
}
