//! `/webhooks/{gateway}`: the body is read up to its cap, verified, sealed, stored, acknowledged. A
//! gateway that gets no answer in time may never send again, so this route answers within five
//! seconds whatever happens.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use billfold_core::name::GatewayName;
use billfold_core::provider::WebhookDelivery;

use crate::App;
use crate::extract::{PathId, read_body};
use crate::problem::Problem;

/// The largest webhook, in bytes.
const MAX_WEBHOOK: usize = 256 * 1024;
const DEADLINE: Duration = Duration::from_millis(4500);

pub(super) fn route() -> MethodRouter<App> {
    post(receive)
}

async fn receive(
    State(app): State<App>,
    PathId(gateway): PathId<GatewayName>,
    request: Request,
) -> Result<Response, Problem> {
    match tokio::time::timeout(DEADLINE, store(&app, &gateway, request)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => {
            let detail = "the webhook could not be stored in time; send it again";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(30))
        }
    }
}

async fn store(app: &App, gateway: &GatewayName, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, MAX_WEBHOOK).await?;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let delivery = WebhookDelivery::new(body, parts.headers, query, app.billfold.clock().now());
    let acknowledgement = app.billfold.receive(gateway, delivery).await?;
    let status = StatusCode::from_u16(acknowledgement.status).unwrap_or(StatusCode::OK);
    Ok((status, acknowledgement.body).into_response())
}
