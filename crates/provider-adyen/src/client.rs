//! The calls, as HTTP: authentication, version, JSON bodies.

use billfold_core::provider::CallContext;
use billfold_core::secret::{ExposeSecret, sha256};
use billfold_core::{Error, Result};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::config::Config;
use crate::failure::{self, Effect};
use crate::wire::Answer;

/// The version of the API that this crate was written for.
pub(crate) const VERSION: &str = "v72";
/// The longest key that the gateway takes.
const LONGEST_KEY: usize = 64;

/// One call to the gateway.
pub(crate) struct Call {
    method: Method,
    path: String,
    effect: Effect,
    idempotency_key: Option<String>,
    body: Bytes,
}

impl Call {
    /// A call that only reads.
    pub(crate) fn get(path: &str, query: &[(&str, &str)]) -> Self {
        let path = format!("{path}?{}", Serializer::new(String::new()).extend_pairs(query).finish());
        Self { method: Method::GET, path, effect: Effect::None, idempotency_key: None, body: Bytes::new() }
    }

    /// A call that deletes, which is the same when done twice.
    pub(crate) fn delete(path: &str, query: &[(&str, &str)]) -> Self {
        Self { method: Method::DELETE, ..Self::get(path, query) }
    }

    /// A call that does something once for each key. The gateway keeps keys for the whole company account and not
    /// by endpoint, so a key is of one kind of call alone.
    pub(crate) fn post(path: &str, effect: Effect, key: &str, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(body).map_err(|_| Error::internal("a request could not be written"))?;
        Ok(Self {
            method: Method::POST,
            path: path.to_owned(),
            effect,
            idempotency_key: Some(fitting(key)),
            body: body.into(),
        })
    }
}

/// The key, or its digest where the gateway would not take it.
fn fitting(key: &str) -> String {
    if key.len() <= LONGEST_KEY { key.to_owned() } else { hex::encode(sha256(key.as_bytes())) }
}

/// Sends a call and reads its answer; whatever is not 2xx with a JSON object is an error.
pub(crate) async fn send<T: Answer>(config: &Config, cx: &CallContext, call: Call) -> Result<T> {
    let effect = call.effect;
    let response = answered(config, cx, call).await?;
    let value = serde_json::from_slice::<Value>(response.body()).ok().filter(Value::is_object);
    let value = value.and_then(|value| serde_json::from_value(value).ok());
    value.ok_or_else(|| failure::unreadable(cx, effect, &response))
}

/// Sends a call that is answered with nothing.
pub(crate) async fn send_for_nothing(config: &Config, cx: &CallContext, call: Call) -> Result<()> {
    let effect = call.effect;
    let response = answered(config, cx, call).await?;
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(());
    }
    Err(failure::unreadable(cx, effect, &response))
}

async fn answered(config: &Config, cx: &CallContext, call: Call) -> Result<Response<Bytes>> {
    let effect = call.effect;
    let response = cx.send(request(config, call)?).await?;
    if response.status().is_success() {
        Ok(response)
    } else {
        Err(failure::from_response(cx, effect, &response))
    }
}

fn request(config: &Config, call: Call) -> Result<Request<Bytes>> {
    let url = format!("{}/{VERSION}{}", config.base_url.as_str().trim_end_matches('/'), call.path);
    let mut request = Request::builder()
        .method(call.method)
        .uri(url)
        .header(ACCEPT, "application/json")
        .header("x-api-key", api_key(config)?);
    if !call.body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if let Some(key) = call.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    request.body(call.body).map_err(|_| Error::internal("a request to the gateway is malformed"))
}

fn api_key(config: &Config) -> Result<HeaderValue> {
    let value = HeaderValue::from_str(config.api_key.expose_secret());
    let mut value = value.map_err(|_| Error::internal("the API key cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An id of a stored payment method, fit for a path.
pub(crate) fn is_method_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_the_gateway() {
        for (key, expected) in [("ses_1", 5), (&"k".repeat(64), 64), (&"k".repeat(65), 64)] {
            assert_eq!(fitting(key).len(), expected);
        }
        assert_ne!(fitting(&"k".repeat(65)), fitting(&"k".repeat(66)));
    }
}
