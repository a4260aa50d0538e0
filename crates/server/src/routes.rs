//! Every route, in one table: the router is made from it, so no route can miss its access rule.

mod audit;
mod charges;
mod customers;
mod erasures;
mod gateways;
mod health;
mod inbox;
mod keys;
mod methods;
mod metrics;
mod returns;
mod sessions;
mod vault;
mod webhook_endpoints;
mod webhooks;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Json, Router, middleware};
use billfold_core::scope::Scope;
use serde::Serialize;

use crate::App;
use crate::auth::authenticate;
use crate::idempotency::once;
use crate::observe::around;
use crate::problem::Problem;

/// The largest body of a request with an idempotency key, in bytes: that of the route with the largest one.
pub(crate) const MAX_KEYED_BODY: usize = vault::MAX_VAULT_BODY;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone; the handler decides by what it is shown (a webhook's secret, a return's nonce).
    Public,
    /// A tenant, by an API key with this scope.
    Tenant(Scope),
}

/// What a POST does that is sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// It makes another object, unless the client sends an `Idempotency-Key`.
    TakesKey,
    /// It changes nothing more, or does what it does again on purpose; a key is not looked at.
    Harmless,
}

/// One path, and those of its methods that one kind of caller may use.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// As axum writes it, `/v1/sessions/{id}`.
    pub path: &'static str,
    /// The methods that are answered.
    pub methods: &'static [&'static str],
    /// Who may call it.
    pub access: Access,
    /// What a repeated POST does; `None` exactly where there is none, and where gateways call.
    pub repetition: Option<Repetition>,
    handlers: fn() -> MethodRouter<App>,
}

impl Route {
    const fn takes_key(mut self) -> Self {
        self.repetition = Some(Repetition::TakesKey);
        self
    }

    const fn harmless(mut self) -> Self {
        self.repetition = Some(Repetition::Harmless);
        self
    }
}

const fn tenant(
    scope: Scope,
    path: &'static str,
    methods: &'static [&'static str],
    handlers: fn() -> MethodRouter<App>,
) -> Route {
    Route { path, methods, access: Access::Tenant(scope), repetition: None, handlers }
}

const fn public(
    path: &'static str,
    methods: &'static [&'static str],
    handlers: fn() -> MethodRouter<App>,
) -> Route {
    Route { path, methods, access: Access::Public, repetition: None, handlers }
}

/// The authorisation table. A path whose methods need different scopes has a line for each.
pub const ROUTES: &[Route] = &[
    tenant(Scope::Payments, "/v1/sessions", &["GET", "POST"], sessions::collection).takes_key(),
    tenant(Scope::Payments, "/v1/sessions/{id}", &["GET"], sessions::item),
    tenant(Scope::Payments, "/v1/sessions/{id}/cancel", &["POST"], sessions::cancel_route).harmless(),
    tenant(Scope::Payments, "/v1/customers", &["GET", "POST"], customers::collection).harmless(),
    tenant(Scope::Payments, "/v1/customers/{id}", &["GET"], customers::item),
    tenant(Scope::Erase, "/v1/customers/{id}", &["DELETE"], erasures::customer),
    tenant(Scope::Payments, "/v1/customers/{id}/payment-methods", &["GET"], methods::of_customer),
    tenant(Scope::Payments, "/v1/payment-methods/{id}", &["DELETE", "GET", "PATCH"], methods::item),
    tenant(Scope::Charge, "/v1/payment-methods/{id}/charges", &["POST"], charges::of_method).takes_key(),
    tenant(Scope::Charge, "/v1/customers/{id}/charges", &["POST"], charges::of_customer).takes_key(),
    tenant(Scope::Payments, "/v1/charges", &["GET"], charges::collection),
    tenant(Scope::Payments, "/v1/charges/{id}", &["GET"], charges::item),
    tenant(Scope::Charge, "/v1/charges/{id}/capture", &["POST"], charges::capture_route).takes_key(),
    tenant(Scope::Charge, "/v1/charges/{id}/cancel", &["POST"], charges::cancel_route).harmless(),
    tenant(Scope::Charge, "/v1/charges/{id}/refunds", &["POST"], charges::refunds_route).takes_key(),
    tenant(Scope::Payments, "/v1/charges/{id}/collect", &["POST"], charges::collect_route).takes_key(),
    tenant(Scope::Payments, "/v1/providers", &["GET"], gateways::providers_route),
    tenant(Scope::Payments, "/v1/gateways", &["GET"], gateways::collection),
    tenant(Scope::Payments, "/v1/gateways/explain", &["GET"], gateways::explain_route),
    tenant(Scope::Payments, "/v1/gateways/{name}/check", &["POST"], gateways::check_route).harmless(),
    tenant(Scope::Payments, "/v1/deliveries", &["GET"], inbox::deliveries_route),
    tenant(Scope::Payments, "/v1/deliveries/{id}/replay", &["POST"], inbox::replay_route).harmless(),
    tenant(Scope::Payments, "/v1/events", &["GET"], inbox::events_route),
    tenant(Scope::Webhooks, "/v1/webhook-endpoints", &["GET", "POST"], webhook_endpoints::collection)
        .takes_key(),
    tenant(
        Scope::Webhooks,
        "/v1/webhook-endpoints/{id}",
        &["DELETE", "GET", "PATCH"],
        webhook_endpoints::item,
    ),
    tenant(
        Scope::Webhooks,
        "/v1/webhook-endpoints/{id}/rotate-secret",
        &["POST"],
        webhook_endpoints::rotate_route,
    )
    .takes_key(),
    tenant(Scope::Webhooks, "/v1/webhook-endpoints/{id}/test", &["POST"], webhook_endpoints::test_route)
        .harmless(),
    tenant(
        Scope::Webhooks,
        "/v1/webhook-endpoints/{id}/deliveries",
        &["GET"],
        webhook_endpoints::deliveries_route,
    ),
    tenant(
        Scope::Webhooks,
        "/v1/webhook-endpoints/{id}/deliveries/{delivery}",
        &["GET"],
        webhook_endpoints::delivery_route,
    ),
    tenant(
        Scope::Webhooks,
        "/v1/webhook-endpoints/{id}/deliveries/{delivery}/replay",
        &["POST"],
        webhook_endpoints::replay_one_route,
    )
    .harmless(),
    tenant(Scope::Webhooks, "/v1/webhook-endpoints/{id}/replay", &["POST"], webhook_endpoints::replay_route)
        .harmless(),
    tenant(Scope::Admin, "/v1/api-keys", &["GET", "POST"], keys::collection).takes_key(),
    tenant(Scope::Admin, "/v1/api-keys/{id}/revoke", &["POST"], keys::revoke_route).harmless(),
    tenant(Scope::Vault, "/v1/vault/records", &["GET", "POST"], vault::collection).takes_key(),
    tenant(Scope::Vault, "/v1/vault/records/{id}", &["DELETE", "GET", "PUT"], vault::item),
    tenant(Scope::VaultReveal, "/v1/vault/records/{id}/reveal", &["POST"], vault::reveal_route).harmless(),
    tenant(Scope::Erase, "/v1/erasures", &["GET", "POST"], erasures::collection).harmless(),
    tenant(Scope::Erase, "/v1/erasures/{id}", &["GET"], erasures::item),
    tenant(Scope::Admin, "/v1/audit", &["GET"], audit::collection),
    tenant(Scope::Admin, "/v1/audit/verify", &["POST"], audit::verify_route).harmless(),
    public("/webhooks/{gateway}", &["POST"], webhooks::route),
    public("/return/{object}/{nonce}", &["GET"], returns::route),
    public("/healthz", &["GET"], health::live_route),
    public("/readyz", &["GET"], health::ready_route),
    public("/metrics", &["GET"], metrics::route),
];

/// The whole API.
pub(crate) fn router(app: &App) -> Router {
    let guarded = |route: &Route| match route.access {
        Access::Public => (route.handlers)(),
        Access::Tenant(scope) => {
            let gate = middleware::from_fn_with_state((app.clone(), scope), authenticate);
            let handlers = match route.repetition {
                Some(Repetition::TakesKey) => {
                    (route.handlers)().route_layer(middleware::from_fn_with_state(app.clone(), once))
                }
                Some(Repetition::Harmless) | None => (route.handlers)(),
            };
            handlers.route_layer(gate)
        }
    };
    ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, guarded(route)))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not answer this method",
            )
        })
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such path"))
        .with_state(app.clone())
        .layer(middleware::from_fn_with_state(app.sources.clone(), around))
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
