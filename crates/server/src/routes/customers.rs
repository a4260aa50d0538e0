//! `/v1/customers`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use billfold_core::id::CustomerId;
use billfold_core::provider::CustomerProfile;
use billfold_core::view::CustomerView;
use billfold_core::{Error, ErrorKind};
use serde::Deserialize;

use super::{created, list};
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, QueryPairs};
use crate::problem::Problem;

pub(super) fn collection() -> MethodRouter<App> {
    get(index).post(save)
}

pub(super) fn item() -> MethodRouter<App> {
    get(show)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaveCustomer {
    reference: String,
    #[serde(default)]
    given_names: Option<String>,
    #[serde(default)]
    surname: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    mobile_number: Option<String>,
}

/// Makes the customer with this reference, or updates the one there is: 201 or 200.
async fn save(
    State(app): State<App>,
    caller: Caller,
    JsonBody(body): JsonBody<SaveCustomer>,
) -> Result<Response, Problem> {
    let SaveCustomer { reference, given_names, surname, email, mobile_number } = body;
    let profile = CustomerProfile { given_names, surname, email, mobile_number };
    // Its times do not tell a new customer from one that was not changed, or changed at once.
    let known = found(&app, &caller, &reference).await?.is_some();
    let customer = app.billfold.save_customer(caller.tenant(), &reference, profile).await?;
    if known {
        return Ok((StatusCode::OK, Json(customer)).into_response());
    }
    Ok(created("/v1/customers", &customer.id, &customer))
}

async fn found(app: &App, caller: &Caller, reference: &str) -> Result<Option<CustomerView>, Error> {
    match app.billfold.find_customer(caller.tenant(), reference).await {
        Ok(customer) => Ok(Some(customer)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn index(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after", "reference"])?;
    let (page, limit) = query.page()?;
    if let Some(reference) = query.get::<String>("reference")? {
        return Ok(list(found(&app, &caller, &reference).await?.into_iter().collect(), limit));
    }
    Ok(list(app.billfold.list_customers(caller.tenant(), page).await?, limit))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<CustomerId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.get_customer(caller.tenant(), id).await?).into_response())
}
