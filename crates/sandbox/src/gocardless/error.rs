//! Errors in the gateway's form: a type, a status, and what is wrong in a list.

use serde_json::{Value, json};

/// Status and body.
pub(super) type Answer = (u16, Value);

/// The body of an error.
pub(super) fn body(status: u16, kind: &str, error: Value) -> Value {
    json!({"error": {
        "code": status, "type": kind, "message": error["message"], "request_id": uuid::Uuid::new_v4().to_string(),
        "documentation_url": "https://developer.gocardless.com/api-reference/#making-requests-errors",
        "errors": [error],
    }})
}

/// The API was used wrongly.
pub(super) fn usage(status: u16, reason: &str, message: &str) -> Answer {
    (status, body(status, "invalid_api_usage", json!({"reason": reason, "message": message})))
}

pub(super) fn no_such() -> Answer {
    usage(404, "resource_not_found", "Resource not found")
}

/// The object does not allow this where it stands.
pub(super) fn state(reason: &str, message: &str) -> Answer {
    (422, body(422, "invalid_state", json!({"reason": reason, "message": message})))
}

/// The same key came before, and made this.
pub(super) fn conflict(made: &str) -> Answer {
    let error = json!({
        "reason": "idempotent_creation_conflict", "message": "A resource has already been created with this key",
        "links": {"conflicting_resource_id": made},
    });
    (409, body(409, "invalid_state", error))
}

/// A field is wrong.
pub(super) fn field(field: &str, message: &str) -> Answer {
    (422, body(422, "validation_failed", json!({"field": field, "message": message})))
}
