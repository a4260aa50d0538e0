//! `Idempotency-Key`: a request that is sent again, because its answer was lost, has no second effect.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use billfold_core::idempotency::{Claim, IdempotencyKey, KeyedRequest};
use billfold_core::{Error, Principal};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use crate::App;
use crate::extract::read_body;
use crate::observe::{REQUEST_TIMEOUT, bounded, contained, panicked};
use crate::problem::{Problem, StoredProblem};
use crate::routes::MAX_KEYED_BODY;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says of an answer that it was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const MAX_KEY: usize = 255;
/// Larger answers than any route that takes keys gives.
const MAX_ANSWER: usize = 256 * 1024;
/// Headers of an answer that belong to it and not to the request.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::LOCATION];

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    problem: Option<StoredProblem>,
}

/// Around the handlers of a route that takes keys.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return Ok(next.run(request).await);
    }
    let key = presented(request.headers())?;
    let principal = request.extensions().get::<Principal>().cloned();
    let principal = principal.ok_or_else(|| Error::internal("a key without a caller"))?;
    let (parts, body) = request.into_parts();
    let body = read_body(body, MAX_KEYED_BODY).await?;
    let claim = {
        let header = |name| parts.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
        // Whoever may do less than the first caller is not given what the first caller got.
        let scopes = principal.scopes.to_string();
        let query = parts.uri.query().unwrap_or_default();
        let keyed = KeyedRequest {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            key: &key,
            parts: &[scopes.as_bytes(), query.as_bytes(), header(header::CONTENT_TYPE), &body],
        };
        app.billfold.claim_idempotency_key(&principal.tenant, keyed).await?
    };
    match claim {
        Claim::First(claimed) => {
            let mut request = Request::from_parts(parts, Body::from(body));
            request.extensions_mut().insert(claimed.intent());
            Ok(run(app, *claimed, request, next).await)
        }
        Claim::Answered(answer) => replay(&answer),
        Claim::Running => {
            let detail = "the request with this Idempotency-Key is still running";
            Err(Problem::new(StatusCode::CONFLICT, "idempotency_key_in_use", detail).retry_after(1))
        }
        Claim::Reused => {
            let detail = "another request was sent with this Idempotency-Key; use a new one for each request";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail))
        }
    }
}

fn presented(headers: &HeaderMap) -> Result<String, Error> {
    let mut values = headers.get_all(KEY).iter();
    let only = values.next().filter(|_| values.next().is_none());
    let text = only.and_then(|value| value.to_str().ok()).filter(|text| {
        (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    });
    text.map(str::to_owned).ok_or_else(|| {
        Error::invalid(
            "",
            format!("Idempotency-Key: expected 1 to {MAX_KEY} printable ASCII characters, once"),
        )
    })
}

/// Runs the request to its end, also when the client goes away: what it had done would otherwise be lost, and done
/// again by the next attempt.
async fn run(app: App, claimed: IdempotencyKey, request: Request, next: Next) -> Response {
    let requests = app.requests.clone();
    let work = async move {
        let response = contained(bounded(REQUEST_TIMEOUT, next.run(request))).await;
        if !is_kept(response.status()) {
            release(&app, claimed).await;
            return response;
        }
        keep(&app, claimed, response).await
    };
    let spawned = requests.spawn(work.instrument(tracing::Span::current())).await;
    spawned.unwrap_or_else(|error| panicked(Box::new(error)))
}

/// What may be another answer next time is not kept: the server's own trouble, and what asks for patience. Whoever
/// tries again goes on with the same intent, for what was stored by then stays.
fn is_kept(status: StatusCode) -> bool {
    !status.is_server_error() && ![StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

async fn release(app: &App, claimed: IdempotencyKey) {
    if let Err(error) = app.billfold.release_idempotency_key(claimed).await {
        tracing::warn!(error = %error.log_line(), "an idempotency key stays in use until its lease is over");
    }
}

/// Keeps an answer and gives it back as it was. One that cannot be kept is given all the same: the client has it, and
/// a repeat is told that the request is running until nobody can be sure any more.
async fn keep(app: &App, claimed: IdempotencyKey, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_ANSWER).await else {
        tracing::error!("an answer is too large to be kept for its idempotency key");
        return panicked(Box::new("an answer could not be read"));
    };
    let headers = KEPT.into_iter().filter_map(|name| {
        let value = parts.headers.get(&name)?.to_str().ok()?.to_owned();
        Some((name.to_string(), value))
    });
    let kept = KeptAnswer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        problem: parts.extensions.get::<Problem>().map(StoredProblem::from),
    };
    let stored = match serde_json::to_vec(&kept).map(Zeroizing::new) {
        Ok(bytes) => app.billfold.keep_answer(claimed, subject(&kept.body).as_deref(), &bytes).await,
        Err(_) => Err(Error::internal("an answer could not be written as JSON")),
    };
    drop(Zeroizing::new(kept.body));
    if let Err(error) = stored {
        tracing::error!(error = %error.log_line(), "an answer could not be kept for its idempotency key");
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whom an answer is about: the customer of a session, the owner of a vault record.
fn subject(body: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(body).ok()?;
    let named = answer.get("customer_id").or_else(|| answer.get("owner"));
    named.and_then(serde_json::Value::as_str).map(str::to_owned)
}

/// The answer as it was given; a problem names the request that it answers now.
fn replay(answer: &[u8]) -> Result<Response, Problem> {
    let unreadable = || Error::internal("a kept answer cannot be read");
    let kept: KeptAnswer = serde_json::from_slice(answer).map_err(|_| unreadable())?;
    let status = StatusCode::from_u16(kept.status).map_err(|_| unreadable())?;
    let mut response = match kept.problem {
        Some(problem) => Problem::from_stored(problem, status).into_response(),
        None => (status, Bytes::from(kept.body)).into_response(),
    };
    for (name, value) in kept.headers {
        let name: HeaderName = name.parse().map_err(|_| unreadable())?;
        let value: HeaderValue = value.parse().map_err(|_| unreadable())?;
        response.headers_mut().insert(name, value);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
