//! `/return/{object}/{nonce}`: where the gateway sends the customer's browser. The one GET that may
//! change something: it makes Billfold ask the gateway.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use billfold_core::id::ChargeId;
use billfold_core::provider::ReturnRequest;
use billfold_core::{Error, ErrorKind, Result};

use crate::App;

pub(super) fn route() -> MethodRouter<App> {
    get(come_back).head(look)
}

/// Link scanners and previews ask with HEAD; the address is the customer's to use up.
async fn look() -> StatusCode {
    StatusCode::OK
}

async fn come_back(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    match next_address(&app, path, query).await {
        Ok(address) => (StatusCode::SEE_OTHER, [(header::LOCATION, address.to_string())]).into_response(),
        Err(error) => page(&error),
    }
}

async fn next_address(
    app: &App,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Option<String>,
) -> Result<url::Url> {
    let missing = || Error::not_found("return address");
    let Path((object, nonce)) = path.map_err(|_| missing())?;
    let request = ReturnRequest::new(query.unwrap_or_default());
    if let Ok(charge) = object.parse::<ChargeId>() {
        return app.billfold.on_charge_return(charge, &nonce, request).await;
    }
    let session = object.parse().map_err(|_| missing())?;
    app.billfold.on_return(session, &nonce, request).await
}

/// For a person, so no JSON. The texts are ours; nothing of the request is shown.
fn page(error: &Error) -> Response {
    let (status, title, text) = match error.kind() {
        ErrorKind::Gone => (StatusCode::GONE, "This link was already used", "Please go back to the shop."),
        ErrorKind::NotFound => {
            (StatusCode::NOT_FOUND, "This link is not valid", "Please go back to the shop.")
        }
        _ => {
            tracing::error!(error = %error.log_line(), "a return failed");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "Please try again",
                "We could not check your payment just now. Reload this page in a moment.",
            )
        }
    };
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>body{{font:18px/1.5 system-ui,sans-serif;\
         max-width:32em;margin:15vh auto;padding:0 1em}}</style><h1>{title}</h1><p>{text}</p></html>"
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    (status, [(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}
