//! `/v1/audit`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Deserialize;

use super::list;
use crate::App;
use crate::extract::{Caller, JsonBody, QueryPairs};
use crate::problem::Problem;

pub(super) fn collection() -> MethodRouter<App> {
    get(index)
}

pub(super) fn verify_route() -> MethodRouter<App> {
    post(verify)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    /// The head of an earlier verification.
    #[serde(default)]
    head: Option<String>,
}

async fn index(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after"])?;
    let limit = query.limit()?;
    let after = query.get("after")?.unwrap_or(0);
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(list(app.billfold.list_audit(caller.tenant(), after, limit + 1).await?, size))
}

/// A broken chain is an answer, not an error.
async fn verify(
    State(app): State<App>,
    caller: Caller,
    JsonBody(body): JsonBody<Verify>,
) -> Result<Response, Problem> {
    let verdict = app.billfold.verify_audit(caller.tenant(), body.head.as_deref()).await?;
    Ok(Json(verdict).into_response())
}
