//! `/v1/sessions`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use billfold_core::StartSession;
use billfold_core::id::{CustomerId, SessionId};

use super::{created, list};
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, QueryPairs, SameIntent};
use crate::problem::Problem;

pub(super) fn collection() -> MethodRouter<App> {
    get(index).post(start)
}

pub(super) fn item() -> MethodRouter<App> {
    get(show)
}

pub(super) fn cancel_route() -> MethodRouter<App> {
    post(cancel)
}

async fn start(
    State(app): State<App>,
    caller: Caller,
    SameIntent(intent): SameIntent,
    JsonBody(request): JsonBody<StartSession>,
) -> Result<Response, Problem> {
    let request = StartSession { intent, ..request };
    let session = app.billfold.start_session(caller.tenant(), request).await?;
    Ok(created("/v1/sessions", &session.id, &session))
}

async fn index(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after", "customer_id"])?;
    let customer: Option<CustomerId> = query.get("customer_id")?;
    let (page, limit) = query.page()?;
    Ok(list(app.billfold.list_sessions(caller.tenant(), customer, page).await?, limit))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.get_session(caller.tenant(), id).await?).into_response())
}

async fn cancel(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.cancel_session(caller.tenant(), id).await?).into_response())
}
