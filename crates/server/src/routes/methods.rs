//! `/v1/payment-methods` and a customer's list of them.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use billfold_core::Error;
use billfold_core::id::{CustomerId, PaymentMethodId};
use serde::Deserialize;

use super::list;
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, QueryPairs};
use crate::problem::Problem;

pub(super) fn of_customer() -> MethodRouter<App> {
    get(index)
}

pub(super) fn item() -> MethodRouter<App> {
    get(show).patch(change).delete(remove)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeMethod {
    is_default: bool,
}

async fn index(
    State(app): State<App>,
    caller: Caller,
    PathId(customer): PathId<CustomerId>,
    query: QueryPairs,
) -> Result<Response, Problem> {
    let (page, limit) = query.only(&["limit", "after"])?.page()?;
    Ok(list(app.billfold.list_methods(caller.tenant(), customer, page).await?, limit))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<PaymentMethodId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.get_method(caller.tenant(), id).await?).into_response())
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<PaymentMethodId>,
    JsonBody(body): JsonBody<ChangeMethod>,
) -> Result<Response, Problem> {
    if !body.is_default {
        return Err(Error::invalid("/is_default", "make another method the default instead").into());
    }
    Ok(Json(app.billfold.set_default(caller.tenant(), id).await?).into_response())
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<PaymentMethodId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.delete_method(caller.tenant(), id).await?).into_response())
}
