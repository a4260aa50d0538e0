//! `/v1/erasures`, and `DELETE /v1/customers/{id}`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get};
use billfold_core::Error;
use billfold_core::erasure::{ErasureState, ErasureView};
use billfold_core::id::{CustomerId, ErasureId};
use serde::Deserialize;

use super::list;
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, QueryPairs};
use crate::problem::Problem;

pub(super) fn collection() -> MethodRouter<App> {
    get(index).post(erase)
}

pub(super) fn item() -> MethodRouter<App> {
    get(show)
}

pub(super) fn customer() -> MethodRouter<App> {
    delete(erase_customer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    #[serde(default)]
    customer_id: Option<CustomerId>,
    #[serde(default)]
    owner: Option<String>,
}

async fn erase(
    State(app): State<App>,
    caller: Caller,
    JsonBody(body): JsonBody<Erase>,
) -> Result<Response, Problem> {
    let (tenant, by) = (caller.tenant(), &caller.0.actor);
    let erasure = match (body.customer_id, body.owner) {
        (Some(id), None) => app.billfold.erase_customer(tenant, id, by).await?,
        (None, Some(owner)) => app.billfold.erase_owner(tenant, &owner, by).await?,
        _ => return Err(Error::invalid("", "expected a customer_id or an owner").into()),
    };
    Ok(answer(&erasure))
}

async fn erase_customer(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<CustomerId>,
) -> Result<Response, Problem> {
    Ok(answer(&app.billfold.erase_customer(caller.tenant(), id, &caller.0.actor).await?))
}

/// 202 while a gateway does not let go.
fn answer(erasure: &ErasureView) -> Response {
    let status = match erasure.state {
        ErasureState::Done => StatusCode::OK,
        ErasureState::Pending => StatusCode::ACCEPTED,
    };
    (status, Json(erasure)).into_response()
}

async fn index(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let (page, limit) = query.only(&["limit", "after"])?.page()?;
    Ok(list(app.billfold.list_erasures(caller.tenant(), page).await?, limit))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ErasureId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.get_erasure(caller.tenant(), id).await?).into_response())
}
