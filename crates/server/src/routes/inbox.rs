//! `/v1/deliveries` and `/v1/events`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use billfold_core::Error;
use billfold_core::id::DeliveryId;
use billfold_core::store::DeliveryState;

use super::list;
use crate::App;
use crate::extract::{Caller, PathId, QueryPairs};
use crate::problem::Problem;

pub(super) fn deliveries_route() -> MethodRouter<App> {
    get(deliveries)
}

pub(super) fn replay_route() -> MethodRouter<App> {
    post(replay)
}

pub(super) fn events_route() -> MethodRouter<App> {
    get(events)
}

async fn deliveries(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after", "state"])?;
    let (page, limit) = query.page()?;
    let state = query.get::<String>("state")?.map(|text| delivery_state(&text)).transpose()?;
    Ok(list(app.billfold.list_deliveries(caller.tenant(), state, page).await?, limit))
}

async fn replay(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<DeliveryId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.replay_delivery(&caller.0, id).await?).into_response())
}

fn delivery_state(text: &str) -> Result<DeliveryState, Error> {
    DeliveryState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = DeliveryState::ALL.iter().map(|state| state.as_str()).collect();
        Error::invalid("/state", format!("expected one of {}", known.join(", ")))
    })
}

async fn events(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after"])?;
    let limit = query.limit()?;
    let after = query.get("after")?.unwrap_or(0);
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(list(app.billfold.list_events(caller.tenant(), after, limit + 1).await?, size))
}
