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
    gateways: Vec<Counter>,
    api: ApiClient,
    own_address: String,
    customer: String,
}

/// A gateway, as the shop knows it.
pub(super) struct Counter {
    pub(super) name: &'static str,
    pub(super) stage: &'static Stage,
    /// Only for the strip that shows what happened behind the scenes.
    pub(super) control: SandboxControl,
}

/// Everything that the shop's page shows.
pub(super) struct Shown<'a> {
    pub(super) gateways: &'a [Counter],
    /// The session that the customer came back from.
    pub(super) session: Option<&'a Value>,
    /// The charge that the customer came back from, or that was just made.
    pub(super) charge: Option<&'a Value>,
    pub(super) methods: &'a [Value],
    pub(super) charges: &'a [Value],
}

/// Serves the shop until `stop`.
#[expect(clippy::disallowed_methods, reason = "the demo waits for its one task itself")]
pub(super) fn serve(
    listener: TcpListener,
    world: &World,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let shop = Shop {
        gateways: world
            .gateways
            .iter()
            .map(|gateway| Counter {
                name: gateway.name(),
                stage: gateway.stage(),
                control: gateway.control(),
            })
            .collect(),
        api: ApiClient::remote(world.server.clone(), world.api_key.clone())?,
        own_address: world.shop_url(""),
        customer: world.customer.clone(),
    };
    let router = Router::new()
        .route("/", get(home))
        .route("/save/{gateway}/{offer}", post(save))
        .route("/pay/{method}/{purchase}", post(pay))
        .route("/refund/{charge}", post(refund))
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

/// The lists of methods and payments; after a return, also how the session or the payment ended.
async fn home(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Html<String>, Failure> {
    // The status in the query is only what the browser says; the API knows.
    let named = async |key: &str, path: &str| match query.get(key) {
        Some(id) if is_id(id) => shop.api.get(&format!("{path}/{id}")).await.map(Some),
        _ => Ok(None),
    };
    let session = named("session_id", "/v1/sessions").await?;
    let charge = named("charge_id", "/v1/charges").await?;
    let found = shop.api.get(&format!("/v1/customers?reference={}", shop.customer)).await?;
    let (mut methods, mut charges) = (Vec::new(), Vec::new());
    if let Some(id) = found.pointer("/data/0/id").and_then(Value::as_str) {
        methods = rows(shop.api.get(&format!("/v1/customers/{id}/payment-methods?limit=100")).await?);
        charges = rows(shop.api.get(&format!("/v1/charges?customer_id={id}&limit=10")).await?);
    }
    let shown = Shown {
        gateways: &shop.gateways,
        session: session.as_ref(),
        charge: charge.as_ref(),
        methods: &methods,
        charges: &charges,
    };
    Ok(Html(page::home(&shown)))
}

fn rows(list: Value) -> Vec<Value> {
    match list {
        Value::Object(mut fields) => match fields.remove("data") {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

async fn save(
    State(shop): State<Arc<Shop>>,
    Path((gateway, offer)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let counter = shop.gateways.iter().find(|known| known.name == gateway);
    let offered = counter
        .and_then(|counter| Some((counter, counter.stage.offers.iter().find(|known| known.id == offer)?)));
    let Some((counter, offer)) = offered else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let customer = json!({
        "reference": shop.customer, "given_names": "Lorem", "surname": "Ipsum",
        "email": "lorem@example.com", "mobile_number": "+6281234567890",
    });
    let back = format!("{}/done", shop.own_address);
    let body = counter.stage.request(counter.name, &customer, offer, &back);
    let session = shop.api.post("/v1/sessions", Some(body)).await?;
    let url = session.pointer("/next/url").and_then(Value::as_str).unwrap_or("/");
    Ok(Redirect::to(url).into_response())
}

/// The customer pays with a method, or the shop charges it without them.
async fn pay(
    State(shop): State<Arc<Shop>>,
    Path((method, purchase)): Path<(String, String)>,
) -> Result<Response, Failure> {
    if !is_id(&method) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let saved = shop.api.get(&format!("/v1/payment-methods/{method}")).await?;
    let gateway = saved.get("gateway").and_then(Value::as_str).unwrap_or_default();
    let counter = shop.gateways.iter().find(|known| known.name == gateway);
    let bought = counter.and_then(|counter| {
        Some((counter, counter.stage.purchases.iter().find(|known| known.id == purchase)?))
    });
    let Some((counter, purchase)) = bought else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let body = counter.stage.payment(purchase, &format!("{}/done", shop.own_address));
    let charge = shop.api.post(&format!("/v1/payment-methods/{method}/charges"), Some(body)).await?;
    let id = charge.get("id").and_then(Value::as_str).unwrap_or_default();
    let shown = format!("/done?charge_id={id}");
    Ok(Redirect::to(charge.pointer("/next/url").and_then(Value::as_str).unwrap_or(&shown)).into_response())
}

async fn refund(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Redirect, Failure> {
    if is_id(&id) {
        shop.api.post(&format!("/v1/charges/{id}/refunds"), Some(json!({}))).await?;
    }
    Ok(Redirect::to(&format!("/done?charge_id={id}")))
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
