//! The calls, as HTTP: authentication, version, JSON in envelopes, and what a repeated creation is answered with.

use billfold_core::error::Retry;
use billfold_core::provider::CallContext;
use billfold_core::secret::ExposeSecret;
use billfold_core::{Error, Result};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::config::Config;
use crate::failure::{self, Effect};
use crate::wire::{self, Answer};

/// The version of the API that this crate was written for, and the only one there is.
pub(crate) const VERSION: &str = "2015-07-06";

/// How many objects a page of a list has.
const PAGE: &str = "100";

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
        // It is there, whatever becomes of asking for it.
        Some(made) => {
            get(config, cx, &made).await.map_err(|error: Error| error.with_retry(Retry::OutcomeUnknown))
        }
        None => read(cx, Effect::Creates, &response),
    }
}

/// Lists objects; `None` when there are more than so many pages of them.
pub(crate) async fn list<T: Answer>(
    config: &Config,
    cx: &CallContext,
    query: &[(&str, &str)],
    most_pages: usize,
) -> Result<Option<Vec<T>>> {
    let (mut listed, mut after) = (Vec::new(), None::<String>);
    for _ in 0..most_pages {
        let path = format!("/{}?{}", T::ENVELOPE, page(query, after.as_deref()));
        let call = Call { method: Method::GET, path, idempotency_key: None, body: None };
        let response = send(config, cx, call).await?;
        if !response.status().is_success() {
            return Err(failure::from_response(cx, Effect::None, &response));
        }
        let body = serde_json::from_slice::<Value>(response.body()).unwrap_or_default();
        let unreadable = || failure::unreadable(cx, Effect::None, &response);
        let page = body.get(T::ENVELOPE).and_then(Value::as_array).ok_or_else(unreadable)?;
        for object in page {
            listed.push(wire::from_object(object.clone()).ok_or_else(unreadable)?);
        }
        let next = body.pointer("/meta/cursors/after").and_then(Value::as_str);
        match next.filter(|cursor| !cursor.is_empty()) {
            Some(cursor) => after = Some(cursor.to_owned()),
            None => return Ok(Some(listed)),
        }
    }
    Ok(None)
}

/// The query of a page of a list, from the start or after a cursor.
fn page(query: &[(&str, &str)], after: Option<&str>) -> String {
    let mut pairs = Serializer::new(String::new());
    pairs.extend_pairs(query).append_pair("limit", PAGE);
    if let Some(cursor) = after {
        pairs.append_pair("after", cursor);
    }
    pairs.finish()
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
