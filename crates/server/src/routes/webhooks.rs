//! `/webhooks/{gateway}`: the body is read up to its cap, verified, sealed, stored, acknowledged. A
//! gateway that gets no answer in time may never send again, so this route answers within five
//! seconds whatever happens.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use billfold_core::ErrorKind;
use billfold_core::name::GatewayName;
use billfold_core::provider::WebhookDelivery;

use crate::App;
use crate::extract::{PathId, read_body};
use crate::problem::Problem;

/// The largest webhook, in bytes: some gateways put a few hundred events into one.
const MAX_WEBHOOK: usize = 512 * 1024;
const DEADLINE: Duration = Duration::from_millis(4500);
const _: () = assert!(DEADLINE.as_secs() < 5, "some gateways give up after five seconds, for good");

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
    let acknowledgement = match app.billfold.receive(gateway, delivery).await {
        Ok(acknowledgement) => acknowledgement,
        Err(error) if error.kind() == ErrorKind::Unauthenticated => {
            let wanted = StatusCode::from_u16(app.billfold.webhook_refusal(gateway));
            // What is not a refusal would tell the gateway that its webhook was taken.
            let wanted = wanted.ok().filter(StatusCode::is_client_error);
            return Err(Problem::from(error).with_status(wanted.unwrap_or(StatusCode::UNAUTHORIZED)));
        }
        Err(error) => return Err(error.into()),
    };
    let status = StatusCode::from_u16(acknowledgement.status).unwrap_or(StatusCode::OK);
    Ok((status, acknowledgement.body).into_response())
}
