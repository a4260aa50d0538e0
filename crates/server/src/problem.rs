//! Errors as RFC 9457 problem details. One exhaustive match decides status and code; what is private
//! in an error goes to the log and nowhere else.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use billfold_core::error::{FieldError, Retry};
use billfold_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// Where the codes are explained; `type` is this and the code.
const TYPE_BASE: &str = "https://docs.billfold.dev/errors#";

/// An error on its way to the client. The `instance` is added when the request's id is known.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// A problem as it is kept: one that asks for patience never is.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredProblem {
    code: String,
    detail: String,
    errors: Vec<FieldError>,
}

impl From<&Problem> for StoredProblem {
    fn from(problem: &Problem) -> Self {
        let Problem { code, detail, errors, .. } = problem.clone();
        Self { code: code.into_owned(), detail, errors }
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Whether somebody did not prove who they are.
    pub(crate) fn is_unproven(&self) -> bool {
        self.code == "unauthenticated"
    }

    /// One that was kept, with the status of its answer.
    pub(crate) fn from_stored(stored: StoredProblem, status: StatusCode) -> Self {
        let StoredProblem { code, detail, errors } = stored;
        Self { status, code: code.into(), detail, errors, retry_after: None }
    }

    /// The finished answer for the request with this id.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let body = Body {
            r#type: format!("{TYPE_BASE}{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: &self.code,
            detail: &self.detail,
            instance: request_id,
            errors: &self.errors,
            retry_after: self.retry_after,
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // RFC 9110 wants a challenge in every 401.
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The body is written by the outermost layer, which knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, code) = classify(&error);
        if status.is_server_error() {
            tracing::error!(error = %error.log_line(), code, "request failed");
        } else {
            tracing::debug!(error = %error.log_line(), code, "request refused");
        }
        let session = error.context().iter().find(|(key, _)| *key == "session").map(|(_, id)| id.as_str());
        let mut detail = error.message().to_owned();
        if let Some(id) = session {
            detail = format!("{detail}; the session is {id}");
        }
        let retry_after = match error.retry() {
            Retry::SameKey { after } => Some(after.map_or(1, |after| after.as_secs().max(1))),
            Retry::Never | Retry::OutcomeUnknown => None,
        };
        Self { status, code: code.into(), detail, errors: error.fields().to_vec(), retry_after }
    }
}

fn classify(error: &Error) -> (StatusCode, &'static str) {
    match error.kind() {
        ErrorKind::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        ErrorKind::Gone => (StatusCode::GONE, "gone"),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
        ErrorKind::Unsupported => (StatusCode::UNPROCESSABLE_ENTITY, "unsupported"),
        ErrorKind::GatewayRejected => (StatusCode::BAD_GATEWAY, "gateway_rejected"),
        ErrorKind::GatewayAuthentication => (StatusCode::BAD_GATEWAY, "gateway_authentication"),
        ErrorKind::GatewayRateLimited => (StatusCode::SERVICE_UNAVAILABLE, "gateway_rate_limited"),
        ErrorKind::GatewayUnavailable if error.retry() == Retry::OutcomeUnknown => {
            (StatusCode::GATEWAY_TIMEOUT, "gateway_outcome_unknown")
        }
        ErrorKind::GatewayUnavailable => (StatusCode::BAD_GATEWAY, "gateway_unavailable"),
        ErrorKind::GatewayProtocol => (StatusCode::BAD_GATEWAY, "gateway_protocol"),
        ErrorKind::Configuration => (StatusCode::INTERNAL_SERVER_ERROR, "configuration"),
        ErrorKind::Store => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
        ErrorKind::Vault => (StatusCode::INTERNAL_SERVER_ERROR, "vault"),
        ErrorKind::KeysUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}
