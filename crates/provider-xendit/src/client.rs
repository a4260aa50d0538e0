//! The calls, as HTTP: authentication, versions, JSON.

use base64::Engine as _;
use billfold_core::Result;
use billfold_core::provider::CallContext;
use billfold_core::secret::ExposeSecret;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde::Serialize;

use crate::config::Config;
use crate::failure::{self, Effect};
use crate::wire::Answer;

/// One call to the gateway.
pub(crate) struct Call<'a> {
    method: Method,
    path: String,
    effect: Effect,
    version: Option<&'static str>,
    idempotency_key: Option<&'a str>,
    body: Bytes,
}

impl<'a> Call<'a> {
    /// A call that only reads.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            effect: Effect::None,
            version: None,
            idempotency_key: None,
            body: Bytes::new(),
        }
    }

    /// A call that changes something, and that may be repeated without harm.
    pub(crate) fn repeatable_post(path: impl Into<String>) -> Self {
        Self { method: Method::POST, ..Self::get(path) }
    }

    /// A call that makes something, each time anew.
    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self { effect: Effect::Creates, ..Self::repeatable_post(path) }
    }

    pub(crate) fn version(mut self, version: &'static str) -> Self {
        self.version = Some(version);
        self
    }

    pub(crate) fn idempotency_key(mut self, key: &'a str) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    pub(crate) fn json<T: Serialize>(mut self, body: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(body);
        self.body = bytes
            .map_err(|_| billfold_core::Error::internal("a request could not be written as JSON"))?
            .into();
        Ok(self)
    }
}

/// Sends a call and reads its answer; whatever is not 2xx with JSON is an error.
pub(crate) async fn send<T: Answer>(config: &Config, cx: &CallContext, call: Call<'_>) -> Result<T> {
    let effect = call.effect;
    let response = cx.send(request(config, call)?).await?;
    read(cx, effect, &response)
}

fn read<T: Answer>(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Result<T> {
    if !response.status().is_success() {
        return Err(failure::from_response(cx, effect, response));
    }
    let form = serde_json::from_slice::<serde_json::Value>(response.body()).ok();
    let form = form.filter(|value| value.is_object() || (T::MAY_BE_LIST && value.is_array()));
    // Read from the text and not from that value, in which amounts would have become floating-point numbers.
    let read = form.and_then(|_| serde_json::from_slice(response.body()).ok());
    read.ok_or_else(|| failure::unreadable(cx, effect, response))
}

fn request(config: &Config, call: Call<'_>) -> Result<Request<Bytes>> {
    let url = format!("{}{}", config.base_url.as_str().trim_end_matches('/'), call.path);
    let mut request = Request::builder().method(call.method).uri(url).header(ACCEPT, "application/json");
    request = request.header(AUTHORIZATION, authorization(config)?);
    if !call.body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if let Some(version) = call.version {
        request = request.header("api-version", version);
    }
    if let Some(key) = call.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    if let Some(user) = &config.for_user_id {
        request = request.header("for-user-id", user);
    }
    request
        .body(call.body)
        .map_err(|_| billfold_core::Error::internal("a request to the gateway is malformed"))
}

/// HTTP Basic: the key as user, no password.
fn authorization(config: &Config) -> Result<HeaderValue> {
    let plain = format!("{}:", config.secret_key.expose_secret());
    let encoded = base64::engine::general_purpose::STANDARD.encode(plain);
    let value = HeaderValue::from_str(&format!("Basic {encoded}"));
    let mut value = value.map_err(|_| billfold_core::Error::internal("the API key cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An id in a path. The gateway's ids are plain; anything else is not one.
pub(crate) fn is_plain_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
