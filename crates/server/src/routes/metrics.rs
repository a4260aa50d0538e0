//! `/metrics`

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use billfold_core::Error;

use crate::App;
use crate::problem::Problem;

pub(super) fn route() -> MethodRouter<App> {
    get(show)
}

/// Not there unless the configuration says so.
async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let metrics = app.metrics.as_ref().ok_or_else(|| Error::not_found("path"))?;
    let text = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, text)], metrics.render()).into_response())
}
