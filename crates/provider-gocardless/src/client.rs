//! The calls, as HTTP: authentication, version, JSON in envelopes, and what a repeated creation is answered with.

use billfold_core::provider::CallContext;
use billfold_core::secret::ExposeSecret;
use billfold_core::{Error, Result};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};

use crate::config::Config;
use crate::failure::{self, Effect};
use crate::wire::{self, Answer};

/// The version of the API that this crate was written for, and the only one there is.
pub(crate) const VERSION: &str = "2015-07-06";

/// One call to the gateway.
struct Call {
    method: Method,
    path: String,
    idempotency_key: Option<String>,
    body: Option<Value>,
}

/// Fetches an object by its id, which must be plain.
pub(crate) async fn get<T: Answer>(config: &Config, cx: &CallContext, id: &str) -> Result<T> {
    let path = format!("/{}/{id}", T::ENVELOPE);
    let call = Call { method: Method::GET, path, idempotency_key: None, body: None };
    read(cx, Effect::None, &send(config, cx, call).await?)
}

/// Does something with an object that is the same when done twice.
pub(crate) async fn act<T: Answer>(config: &Config, cx: &CallContext, id: &str, action: &str) -> Result<T> {
    let path = format!("/{}/{id}/actions/{action}", T::ENVELOPE);
    let body = Some(json!({"data": {}}));
    let call = Call { method: Method::POST, path, idempotency_key: None, body };
    read(cx, Effect::None, &send(config, cx, call).await?)
}

/// Makes an object, once for each key: when the gateway has made it before, what it made is fetched.
pub(crate) async fn create<T: Answer>(
    config: &Config,
    cx: &CallContext,
    idempotency_key: String,
    fields: Value,
) -> Result<T> {
    let call = Call {
        method: Method::POST,
        path: format!("/{}", T::ENVELOPE),
        idempotency_key: Some(idempotency_key),
        body: Some(json!({T::ENVELOPE: fields})),
    };
    let response = send(config, cx, call).await?;
    match failure::conflicting(&response).filter(|id| is_plain(id)) {
        Some(made) => get(config, cx, &made).await,
        None => read(cx, Effect::Creates, &response),
    }
}

async fn send(config: &Config, cx: &CallContext, call: Call) -> Result<Response<Bytes>> {
    cx.send(request(config, call)?).await
}

fn read<T: Answer>(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Result<T> {
    if !response.status().is_success() {
        return Err(failure::from_response(cx, effect, response));
    }
    let mut body = serde_json::from_slice::<Value>(response.body()).unwrap_or_default();
    let object = body.get_mut(T::ENVELOPE).map(Value::take);
    object.and_then(wire::from_object).ok_or_else(|| failure::unreadable(cx, effect, response))
}

fn request(config: &Config, call: Call) -> Result<Request<Bytes>> {
    let url = format!("{}{}", config.base_url.as_str().trim_end_matches('/'), call.path);
    let mut request = Request::builder()
        .method(call.method)
        .uri(url)
        .header(ACCEPT, "application/json")
        .header("gocardless-version", VERSION)
        .header(AUTHORIZATION, authorization(config)?);
    if call.body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if let Some(key) = call.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    let body = call.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    request.body(body).map_err(|_| Error::internal("a request to the gateway is malformed"))
}

fn authorization(config: &Config) -> Result<HeaderValue> {
    let value = HeaderValue::from_str(&format!("Bearer {}", config.access_token.expose_secret()));
    let mut value = value.map_err(|_| Error::internal("the access token cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An id of the gateway with this prefix, fit for a path.
pub(crate) fn is_id(id: &str, prefix: &str) -> bool {
    id.len() > prefix.len() && id.starts_with(prefix) && is_plain(id)
}

/// What can stand in a path as it is.
pub(crate) fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 255 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
