//! Errors in the gateway's own words.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error answer.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    errors: Vec<Value>,
}

impl ApiError {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, message: message.into(), errors: Vec::new() }
    }

    /// A body that breaks the schema; each pair is a path and what is wrong there.
    pub(super) fn schema(problems: &[(String, String)]) -> Self {
        let first = problems.first().map(|(path, problem)| {
            // What is missing is missed by what should contain it.
            let container = path.rsplit_once('/').filter(|_| problem.starts_with("must have required"));
            format!("request{} {problem}", container.map_or(path.as_str(), |(container, _)| container))
        });
        let first = first.unwrap_or_default();
        let mut error = Self::new(400, "API_VALIDATION_ERROR", first);
        error.errors =
            problems.iter().map(|(path, problem)| json!({"message": problem, "path": path})).collect();
        error
    }

    pub(super) fn invalid_key() -> Self {
        Self::new(
            401,
            "INVALID_API_KEY",
            "The API key provided is invalid. Please make sure to use the secret/public API key.",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({"error_code": self.code, "message": self.message});
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors);
        }
        (self.status, Json(body)).into_response()
    }
}
