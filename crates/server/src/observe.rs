//! Around every request: an id, a span, one line in the log, security headers, problem bodies.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use tracing::Instrument as _;

use crate::idempotency::REPLAYED;
use crate::problem::Problem;
use crate::source::{SourceLimit, per_source};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer than the longest gateway call; whoever waits longer has gone.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Everything that is around a request. It is one layer, for whatever is below a layer is copied for each request.
pub(crate) async fn around(
    State(sources): State<Arc<SourceLimit>>,
    request: Request,
    next: Next,
) -> Response {
    let answer = |request| contained(bounded(REQUEST_TIMEOUT, next.run(request)));
    observe(request, |request| per_source(&sources, request, answer)).await
}

/// Paths are logged as routes, never as sent: they may hold a nonce.
async fn observe<F>(request: Request, answer: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let id = request_id(&request);
    let route =
        request.extensions().get::<MatchedPath>().map_or("(no route)", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = %id, method = %request.method(), route = %route);
    let began = tokio::time::Instant::now();
    let mut response = answer(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let given = response.headers().clone();
        response = problem.render(&id);
        for name in [header::ALLOW, REPLAYED] {
            if let Some(value) = given.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(status = response.status().as_u16(), millis, "answered"));
    secure(&mut response);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The client's own id if it is harmless, else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    given.filter(harmless).map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned)
}

fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Gives up a request that takes longer than `limit`.
pub(crate) async fn bounded(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(limit, answer).await {
        Ok(response) => response,
        Err(_elapsed) => {
            tracing::error!("a request was given up");
            let detail = "the request took too long; it may have had an effect";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", detail).into_response()
        }
    }
}

/// A panic ends the request, and nothing else.
pub(crate) async fn contained(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(panicked)
}

/// What a panic in a handler becomes; the panic's own text stays inside.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "an internal error occurred").into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn a_request_that_takes_too_long_becomes_a_problem() {
        let never = |_| bounded(Duration::from_millis(20), std::future::pending());
        let response = observe(Request::new(Body::empty()), never).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["status"], &problem["code"]), (&504.into(), &"timed_out".into()));
    }
}
