//! A record of every request that the gateway's API received.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// One request, as received.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedRequest {
    /// When, by the sandbox's clock, RFC 3339.
    pub at: String,
    /// `POST`.
    pub method: String,
    /// `/sessions`.
    pub path: String,
    /// The query, raw.
    pub query: String,
    /// Headers by lower-case name; `authorization` and `x-api-key` say only whether the key was right.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON if it is JSON, an object if it is a form, else text, else null.
    pub body: Value,
    /// The status of the answer; 0 when there was none.
    pub status: u16,
}

/// Bodies are kept as what they are; a form as an object of its fields.
pub(crate) fn body_value(headers: &axum::http::HeaderMap, body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        let fields = url::form_urlencoded::parse(body);
        return fields.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect();
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// Headers for the record; the key itself is not kept.
pub(crate) fn header_map(headers: &axum::http::HeaderMap, authorized: bool) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let text = if name == "authorization" {
            let scheme = text.split(' ').next().unwrap_or_default();
            let scheme = if scheme == "Bearer" { scheme } else { "Basic" };
            format!("{scheme} ({} key)", if authorized { "the right" } else { "a wrong" })
        } else if name == "x-api-key" {
            format!("({} key)", if authorized { "the right" } else { "a wrong" })
        } else {
            text
        };
        map.insert(name.as_str().to_owned(), text);
    }
    map
}
