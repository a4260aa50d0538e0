//! `/v1/providers` and `/v1/gateways`, `/v1/gateways/explain` and `/v1/gateways/{name}/check`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use billfold_core::Error;
use billfold_core::capability::{Channel, Trust, Usage};
use billfold_core::gateway::Gateway;
use billfold_core::name::GatewayName;
use billfold_core::provider::{ChargeAbilities, ChargeProvider};
use billfold_core::routing::Wanted;
use billfold_core::settings::Mode;
use serde::Serialize;

use super::list;
use crate::App;
use crate::extract::{Caller, PathId, QueryPairs};
use crate::problem::Problem;

pub(super) fn providers_route() -> MethodRouter<App> {
    get(providers)
}

pub(super) fn collection() -> MethodRouter<App> {
    get(index)
}

pub(super) fn explain_route() -> MethodRouter<App> {
    get(explain)
}

pub(super) fn check_route() -> MethodRouter<App> {
    post(check)
}

#[derive(Serialize)]
struct ProviderView {
    object: &'static str,
    provider: &'static str,
    name: &'static str,
    settings_example: &'static str,
}

#[derive(Serialize)]
struct GatewayView<'a> {
    object: &'static str,
    gateway: &'a GatewayName,
    provider: &'a str,
    name: &'a str,
    mode: Mode,
    /// What to enter in the gateway's dashboard.
    webhook_url: String,
    webhook_trust: Trust,
    remote_deletion: bool,
    usages: [Usage; 4],
    channels: &'a [Channel],
    /// What it can do with charges; `null` where it charges nothing.
    charges: Option<&'a ChargeAbilities>,
}

async fn providers(State(app): State<App>, _caller: Caller) -> Response {
    let view = app.registry.iter().map(|provider| ProviderView {
        object: "provider",
        provider: provider.kind,
        name: provider.name,
        settings_example: provider.settings_example,
    });
    list(view.collect(), usize::MAX)
}

async fn index(State(app): State<App>, caller: Caller) -> Response {
    let views: Vec<_> = app.billfold.gateways(caller.tenant()).map(|gateway| view(&app, gateway)).collect();
    list(views, usize::MAX)
}

fn view<'a>(app: &App, gateway: &'a Gateway) -> GatewayView<'a> {
    let capabilities = gateway.capabilities();
    let base = app.public_url.as_str().trim_end_matches('/');
    GatewayView {
        object: "gateway",
        gateway: &gateway.name,
        provider: &gateway.kind,
        name: &capabilities.name,
        mode: gateway.mode,
        webhook_url: format!("{base}/webhooks/{}", gateway.name),
        webhook_trust: capabilities.webhook_trust,
        remote_deletion: capabilities.remote_deletion,
        usages: Usage::ALL,
        channels: &capabilities.channels,
        charges: gateway.provider.charging().map(ChargeProvider::abilities),
    }
}

/// Which gateway a session would get that names none, and why.
async fn explain(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["country", "currency", "usage", "kinds", "channels", "mode"])?;
    let wanted = Wanted {
        country: query.required("country")?,
        currency: query.required("currency")?,
        usage: query.required("usage")?,
        kinds: query.several("kinds")?,
        channels: query.several("channels")?,
        mode: query.get("mode")?,
    };
    Ok(Json(app.billfold.explain_gateways(caller.tenant(), &wanted)).into_response())
}

#[derive(Serialize)]
struct CheckView {
    object: &'static str,
    gateway: GatewayName,
    ok: bool,
    problem: Option<String>,
}

/// Asks the gateway whether the credentials work. That they do not is an answer, not an error.
async fn check(
    State(app): State<App>,
    caller: Caller,
    PathId(name): PathId<GatewayName>,
) -> Result<Response, Problem> {
    let found = app.billfold.gateways(caller.tenant()).find(|gateway| gateway.name == name).cloned();
    let gateway = found.ok_or_else(|| Error::not_found("gateway"))?;
    let problem = gateway.check(app.billfold.clock()).await.err().map(|error| error.message().to_owned());
    Ok(Json(CheckView { object: "gateway_check", gateway: name, ok: problem.is_none(), problem })
        .into_response())
}
