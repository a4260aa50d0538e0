//! `/v1/charges`, and the charges of a payment method and of a customer.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use billfold_core::id::{ChargeId, CustomerId, PaymentMethodId};
use billfold_core::store::ChargeFilter;
use billfold_core::view::ChargeView;
use billfold_core::{Attempt, StartCharge, StartRefund};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{created, list};
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, QueryPairs, SameIntent};
use crate::problem::Problem;

pub(super) fn collection() -> MethodRouter<App> {
    get(index)
}

pub(super) fn item() -> MethodRouter<App> {
    get(show)
}

pub(super) fn of_method() -> MethodRouter<App> {
    post(charge_method)
}

pub(super) fn of_customer() -> MethodRouter<App> {
    post(charge_customer)
}

pub(super) fn capture_route() -> MethodRouter<App> {
    post(capture)
}

pub(super) fn cancel_route() -> MethodRouter<App> {
    post(cancel)
}

pub(super) fn refunds_route() -> MethodRouter<App> {
    post(refund)
}

pub(super) fn collect_route() -> MethodRouter<App> {
    post(collect)
}

/// A charge of a customer, with every charge that the request led to, in their order.
#[derive(Serialize)]
struct CustomerCharge {
    #[serde(flatten)]
    charge: ChargeView,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capture {
    /// Minor units; everything when left out.
    #[serde(default)]
    amount: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Collect {
    #[serde(default)]
    return_url: Option<Url>,
}

async fn index(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after", "customer_id", "payment_method_id"])?;
    let filter = ChargeFilter {
        customer: query.get::<CustomerId>("customer_id")?,
        method: query.get::<PaymentMethodId>("payment_method_id")?,
    };
    let (page, limit) = query.page()?;
    Ok(list(app.billfold.list_charges(caller.tenant(), filter, page).await?, limit))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChargeId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.get_charge(caller.tenant(), id).await?).into_response())
}

async fn charge_method(
    State(app): State<App>,
    caller: Caller,
    PathId(method): PathId<PaymentMethodId>,
    SameIntent(intent): SameIntent,
    JsonBody(request): JsonBody<StartCharge>,
) -> Result<Response, Problem> {
    let request = StartCharge { intent, ..request };
    let charge = app.billfold.charge_method(caller.tenant(), method, request).await?;
    Ok(created("/v1/charges", &charge.id, &charge))
}

async fn charge_customer(
    State(app): State<App>,
    caller: Caller,
    PathId(customer): PathId<CustomerId>,
    SameIntent(intent): SameIntent,
    JsonBody(request): JsonBody<StartCharge>,
) -> Result<Response, Problem> {
    let request = StartCharge { intent, ..request };
    let (charge, attempts) = app.billfold.charge_customer(caller.tenant(), customer, request).await?;
    Ok(created("/v1/charges", &charge.id.clone(), &CustomerCharge { charge, attempts }))
}

async fn capture(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChargeId>,
    JsonBody(body): JsonBody<Capture>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.capture_charge(caller.tenant(), id, body.amount).await?).into_response())
}

async fn cancel(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChargeId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.cancel_charge(caller.tenant(), id).await?).into_response())
}

async fn refund(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChargeId>,
    SameIntent(intent): SameIntent,
    JsonBody(request): JsonBody<StartRefund>,
) -> Result<Response, Problem> {
    let request = StartRefund { intent, ..request };
    let charge = app.billfold.refund_charge(caller.tenant(), id, request).await?;
    Ok(created("/v1/charges", &charge.id, &charge))
}

async fn collect(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChargeId>,
    SameIntent(intent): SameIntent,
    JsonBody(body): JsonBody<Collect>,
) -> Result<Response, Problem> {
    let session = app.billfold.collect_anew(caller.tenant(), id, body.return_url, intent).await?;
    Ok(created("/v1/sessions", &session.id, &session))
}
