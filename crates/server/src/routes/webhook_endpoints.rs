//! `/v1/webhook-endpoints`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use billfold_core::clock::Timestamp;
use billfold_core::id::{EndpointDeliveryId, WebhookEndpointId};
use billfold_core::outgoing::{EndpointDeliveryState, WebhookEndpointView};
use billfold_core::secret::ExposeSecret;
use billfold_core::store::ReplayFilter;
use billfold_core::{ChangeEndpoint, CreateEndpoint, EndpointSecret, Error};
use serde::{Deserialize, Serialize};

use super::list;
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, PathIds, QueryPairs, SameIntent};
use crate::problem::Problem;

pub(super) fn collection() -> MethodRouter<App> {
    get(index).post(create)
}

pub(super) fn item() -> MethodRouter<App> {
    get(show).patch(change).delete(remove)
}

pub(super) fn rotate_route() -> MethodRouter<App> {
    post(rotate)
}

pub(super) fn test_route() -> MethodRouter<App> {
    post(test)
}

pub(super) fn deliveries_route() -> MethodRouter<App> {
    get(deliveries)
}

pub(super) fn delivery_route() -> MethodRouter<App> {
    get(delivery)
}

pub(super) fn replay_route() -> MethodRouter<App> {
    post(replay)
}

pub(super) fn replay_one_route() -> MethodRouter<App> {
    post(replay_one)
}

/// The two answers that hold a secret.
#[derive(Serialize)]
struct WithSecret {
    #[serde(flatten)]
    endpoint: WebhookEndpointView,
    secret: String,
}

impl From<EndpointSecret> for WithSecret {
    fn from(made: EndpointSecret) -> Self {
        Self { endpoint: made.endpoint, secret: made.secret.expose_secret().to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// How long the old secret signs as well.
    #[serde(default)]
    overlap_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// Only deliveries made then or later.
    #[serde(default)]
    since: Option<Timestamp>,
    /// Only deliveries of later events.
    #[serde(default)]
    after_sequence: Option<i64>,
    /// Those that were delivered as well.
    #[serde(default)]
    include_delivered: bool,
}

/// How much is sent again.
#[derive(Serialize)]
struct Replayed {
    object: &'static str,
    endpoint_id: WebhookEndpointId,
    replayed: usize,
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    SameIntent(intent): SameIntent,
    JsonBody(body): JsonBody<CreateEndpoint>,
) -> Result<Response, Problem> {
    let body = CreateEndpoint { intent, ..body };
    let made = app.billfold.create_webhook_endpoint(&caller.0, body).await?;
    let location = format!("/v1/webhook-endpoints/{}", made.endpoint.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(WithSecret::from(made))).into_response())
}

async fn index(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let (page, limit) = query.only(&["limit", "after"])?.page()?;
    Ok(list(app.billfold.list_webhook_endpoints(caller.tenant(), page).await?, limit))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<WebhookEndpointId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.get_webhook_endpoint(caller.tenant(), id).await?).into_response())
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<WebhookEndpointId>,
    JsonBody(body): JsonBody<ChangeEndpoint>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.change_webhook_endpoint(&caller.0, id, body).await?).into_response())
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<WebhookEndpointId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.delete_webhook_endpoint(&caller.0, id).await?).into_response())
}

async fn rotate(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<WebhookEndpointId>,
    SameIntent(intent): SameIntent,
    JsonBody(body): JsonBody<Rotate>,
) -> Result<Response, Problem> {
    let overlap = body.overlap_seconds.map(Duration::from_secs);
    let rotated = app.billfold.rotate_webhook_secret(&caller.0, id, overlap, intent.as_ref()).await?;
    Ok(Json(WithSecret::from(rotated)).into_response())
}

async fn test(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<WebhookEndpointId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.test_webhook_endpoint(caller.tenant(), id).await?).into_response())
}

async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<WebhookEndpointId>,
    query: QueryPairs,
) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after", "state"])?;
    let (page, limit) = query.page()?;
    let state = query.get::<String>("state")?.map(|text| delivery_state(&text)).transpose()?;
    Ok(list(app.billfold.list_endpoint_deliveries(caller.tenant(), id, state, page).await?, limit))
}

async fn delivery(
    State(app): State<App>,
    caller: Caller,
    PathIds(id, delivery): PathIds<WebhookEndpointId, EndpointDeliveryId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.get_endpoint_delivery(caller.tenant(), id, delivery).await?).into_response())
}

fn delivery_state(text: &str) -> Result<EndpointDeliveryState, Error> {
    EndpointDeliveryState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = EndpointDeliveryState::ALL.iter().map(|state| state.as_str()).collect();
        Error::invalid("/state", format!("expected one of {}", known.join(", ")))
    })
}

async fn replay_one(
    State(app): State<App>,
    caller: Caller,
    PathIds(id, delivery): PathIds<WebhookEndpointId, EndpointDeliveryId>,
) -> Result<Response, Problem> {
    let replayed = app.billfold.replay_endpoint_delivery(caller.tenant(), id, delivery).await?;
    Ok(Json(replayed).into_response())
}

async fn replay(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<WebhookEndpointId>,
    JsonBody(body): JsonBody<Replay>,
) -> Result<Response, Problem> {
    if body.since.is_none() && body.after_sequence.is_none() {
        return Err(Error::invalid("", "expected since, after_sequence, or both").into());
    }
    let filter = ReplayFilter {
        after_sequence: body.after_sequence.unwrap_or(0),
        since: body.since,
        delivered_too: body.include_delivered,
    };
    let replayed = app.billfold.replay_endpoint_deliveries(caller.tenant(), id, filter).await?;
    let answer = Replayed { object: "webhook_replay", endpoint_id: id, replayed };
    Ok(Json(answer).into_response())
}
