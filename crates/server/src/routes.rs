//! Every route, in one table: the router is made from it, so no route can miss its access rule.

mod customers;
mod gateways;
mod health;
mod inbox;
mod keys;
mod methods;
mod returns;
mod sessions;
mod webhooks;

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Json, Router, middleware};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;

use crate::App;
use crate::auth::authenticate;
use crate::observe::{bounded, observe, panicked};
use crate::problem::Problem;

/// Longer than the longest gateway call; whoever waits longer has gone.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone; the handler decides by what it is shown (a webhook's secret, a return's nonce).
    Public,
    /// A tenant, by API key.
    Tenant,
}

/// One path.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// As axum writes it, `/v1/sessions/{id}`.
    pub path: &'static str,
    /// The methods that it answers.
    pub methods: &'static [&'static str],
    /// Who may call it.
    pub access: Access,
    handlers: fn() -> MethodRouter<App>,
}

const fn tenant(
    path: &'static str,
    methods: &'static [&'static str],
    handlers: fn() -> MethodRouter<App>,
) -> Route {
    Route { path, methods, access: Access::Tenant, handlers }
}

const fn public(
    path: &'static str,
    methods: &'static [&'static str],
    handlers: fn() -> MethodRouter<App>,
) -> Route {
    Route { path, methods, access: Access::Public, handlers }
}

/// The authorisation table.
pub const ROUTES: &[Route] = &[
    tenant("/v1/sessions", &["GET", "POST"], sessions::collection),
    tenant("/v1/sessions/{id}", &["GET"], sessions::item),
    tenant("/v1/sessions/{id}/cancel", &["POST"], sessions::cancel_route),
    tenant("/v1/customers", &["GET", "POST"], customers::collection),
    tenant("/v1/customers/{id}", &["GET"], customers::item),
    tenant("/v1/customers/{id}/payment-methods", &["GET"], methods::of_customer),
    tenant("/v1/payment-methods/{id}", &["DELETE", "GET", "PATCH"], methods::item),
    tenant("/v1/providers", &["GET"], gateways::providers_route),
    tenant("/v1/gateways", &["GET"], gateways::collection),
    tenant("/v1/gateways/{name}/check", &["POST"], gateways::check_route),
    tenant("/v1/deliveries", &["GET"], inbox::deliveries_route),
    tenant("/v1/events", &["GET"], inbox::events_route),
    tenant("/v1/api-keys", &["GET", "POST"], keys::collection),
    tenant("/v1/api-keys/{id}/revoke", &["POST"], keys::revoke_route),
    public("/webhooks/{gateway}", &["POST"], webhooks::route),
    public("/return/{session}/{nonce}", &["GET"], returns::route),
    public("/healthz", &["GET"], health::live_route),
    public("/readyz", &["GET"], health::ready_route),
];

/// The whole API.
pub(crate) fn router(app: &App) -> Router {
    let of = |access: Access| {
        let chosen = ROUTES.iter().filter(move |route| route.access == access);
        chosen.fold(Router::new(), |router, route| router.route(route.path, (route.handlers)()))
    };
    let tenants = of(Access::Tenant).route_layer(middleware::from_fn_with_state(app.clone(), authenticate));
    of(Access::Public)
        .merge(tenants)
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not answer this method",
            )
        })
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such path"))
        .with_state(app.clone())
        .layer(middleware::from_fn_with_state(REQUEST_TIMEOUT, bounded))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(observe))
}

/// A page of objects.
#[derive(Serialize)]
struct List<T> {
    data: Vec<T>,
    has_more: bool,
}

/// A list from rows that may be one more than asked for.
fn list<T: Serialize>(mut rows: Vec<T>, limit: usize) -> Response {
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Json(List { data: rows, has_more }).into_response()
}

/// 201 with the address of what was made.
fn created<T: Serialize>(path: &str, id: &impl std::fmt::Display, body: &T) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, format!("{path}/{id}"))], Json(body)).into_response()
}
