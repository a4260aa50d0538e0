//! `/healthz` and `/readyz`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::json;

use crate::App;
use crate::problem::Problem;

pub(super) fn live_route() -> MethodRouter<App> {
    get(live)
}

pub(super) fn ready_route() -> MethodRouter<App> {
    get(ready)
}

/// The process answers.
async fn live() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// The database answers, with the schema that this program knows.
async fn ready(State(app): State<App>) -> Response {
    match app.billfold.store().ping().await {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the database does not answer")
                .retry_after(1)
                .into_response()
        }
    }
}
