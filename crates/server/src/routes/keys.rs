//! `/v1/api-keys`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use billfold_core::ApiKeyView;
use billfold_core::id::ApiKeyId;
use billfold_core::scope::Scopes;
use billfold_core::secret::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::list;
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, SameIntent};
use crate::problem::Problem;

pub(super) fn collection() -> MethodRouter<App> {
    get(index).post(issue)
}

pub(super) fn revoke_route() -> MethodRouter<App> {
    post(revoke)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueKey {
    name: String,
    /// What a merchant's backend needs to save payment methods, if left out.
    #[serde(default)]
    scopes: Option<Scopes>,
}

/// The one answer that holds a key's secret.
#[derive(Serialize)]
struct IssuedView {
    #[serde(flatten)]
    key: ApiKeyView,
    secret: String,
}

async fn issue(
    State(app): State<App>,
    caller: Caller,
    SameIntent(intent): SameIntent,
    JsonBody(body): JsonBody<IssueKey>,
) -> Result<Response, Problem> {
    let scopes = body.scopes.unwrap_or_default();
    let issued = app.billfold.issue_api_key_for(&caller.0, &body.name, scopes, intent.as_ref()).await?;
    let view = IssuedView { key: issued.key, secret: issued.secret.expose_secret().to_owned() };
    // No `Location`: there is no address that shows one key.
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

async fn index(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    Ok(list(app.billfold.list_api_keys(caller.tenant()).await?, usize::MAX))
}

async fn revoke(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.revoke_api_key(&caller.0, id).await?).into_response())
}
