//! The merchant's site: a small program that knows nothing but the REST API, as any shop would.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use billfold_sandbox::SandboxControl;
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::page;
use super::world::World;
use crate::client::ApiClient;
use billfold_sandbox::Stage;

struct Shop {
    stage: &'static Stage,
    api: ApiClient,
    /// Only for the strip that shows what happened behind the scenes.
    gateway: SandboxControl,
    own_address: String,
    customer: String,
}

/// Serves the shop until `stop`.
#[expect(clippy::disallowed_methods, reason = "the demo waits for its one task itself")]
pub(super) fn serve(
    listener: TcpListener,
    world: &World,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let shop = Shop {
        stage: world.stage,
        api: ApiClient::remote(world.server.clone(), world.api_key.clone())?,
        gateway: world.control(),
        own_address: world.shop_url(""),
        customer: world.customer.clone(),
    };
    let router = Router::new()
        .route("/", get(home))
        .route("/save/{offer}", post(save))
        .route("/done", get(home))
        .route("/default/{id}", post(make_default))
        .route("/remove/{id}", post(remove))
        .with_state(Arc::new(shop));
    Ok(tokio::spawn(async move {
        let serving = axum::serve(listener, router).into_future();
        let _ = stop.run_until_cancelled(serving).await;
    }))
}

/// An error as the shop shows it.
struct Failure(anyhow::Error);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::BAD_GATEWAY, Html(page::failure(&format!("{:#}", self.0)))).into_response()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

/// The list of methods; after a return, also how the session ended.
async fn home(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Html<String>, Failure> {
    let session = match query.get("session_id") {
        // The status in the query is only what the browser says; the API knows.
        Some(id) if is_id(id) => Some(shop.api.get(&format!("/v1/sessions/{id}")).await?),
        _ => None,
    };
    let found = shop.api.get(&format!("/v1/customers?reference={}", shop.customer)).await?;
    let methods = match found.pointer("/data/0/id").and_then(Value::as_str) {
        Some(id) => shop.api.get(&format!("/v1/customers/{id}/payment-methods?limit=100")).await?,
        None => json!({"data": []}),
    };
    let methods = methods.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(Html(page::home(
        shop.stage,
        session.as_ref(),
        &methods,
        &shop.gateway.requests(),
        &shop.gateway.deliveries(),
    )))
}

async fn save(State(shop): State<Arc<Shop>>, Path(offer): Path<String>) -> Result<Response, Failure> {
    let Some(offer) = shop.stage.offers.iter().find(|known| known.id == offer) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let customer = json!({
        "reference": shop.customer, "given_names": "Lorem", "surname": "Ipsum",
        "email": "lorem@example.com", "mobile_number": "+6281234567890",
    });
    let body = shop.stage.request(&customer, offer, &format!("{}/done", shop.own_address));
    let session = shop.api.post("/v1/sessions", Some(body)).await?;
    let url = session.pointer("/next/url").and_then(Value::as_str).unwrap_or("/");
    Ok(Redirect::to(url).into_response())
}

async fn make_default(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Redirect, Failure> {
    change(&shop, Method::PATCH, &id, Some(json!({"is_default": true}))).await
}

async fn remove(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Redirect, Failure> {
    change(&shop, Method::DELETE, &id, None).await
}

async fn change(shop: &Shop, method: Method, id: &str, body: Option<Value>) -> Result<Redirect, Failure> {
    if is_id(id) {
        shop.api.call(method, &format!("/v1/payment-methods/{id}"), body).await?;
    }
    Ok(Redirect::to("/"))
}

fn is_id(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
