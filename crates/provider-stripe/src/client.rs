//! The calls, as HTTP: authentication, version, form bodies.

use billfold_core::provider::CallContext;
use billfold_core::secret::ExposeSecret;
use billfold_core::{Error, Result};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::config::Config;
use crate::failure::{self, Effect};
use crate::wire::charges::{PaymentError, Refusal};
use crate::wire::{Answer, from_object};

/// The version of the API that this crate was written for; without it the account's own would decide.
pub(crate) const VERSION: &str = "2026-10-28.endive";

/// The fields of a form body, in order.
#[derive(Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.push((key.into(), value.into()));
    }

    pub(crate) fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    pub(crate) fn encode(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// One call to the gateway.
pub(crate) struct Call {
    method: Method,
    path: String,
    effect: Effect,
    idempotency_key: Option<String>,
    body: Bytes,
}

impl Call {
    /// A call that only reads, with these objects in full instead of as ids.
    pub(crate) fn get(path: String, expand: &[&str]) -> Self {
        let mut query = Form::default();
        for field in expand {
            query.add("expand[]", *field);
        }
        let path = if expand.is_empty() { path } else { format!("{path}?{}", query.encode()) };
        Self { method: Method::GET, path, effect: Effect::None, idempotency_key: None, body: Bytes::new() }
    }

    /// A call that changes something, and is the same when done twice.
    pub(crate) fn repeatable_post(path: String) -> Self {
        Self { method: Method::POST, ..Self::get(path, &[]) }
    }

    /// A call that makes something, once for each key.
    pub(crate) fn post(path: &str, idempotency_key: String, form: &Form) -> Self {
        Self {
            effect: Effect::Creates,
            idempotency_key: Some(idempotency_key),
            body: form.encode().into(),
            ..Self::repeatable_post(path.to_owned())
        }
    }
}

/// Sends a call and reads its answer; whatever is not 2xx with a JSON object is an error.
pub(crate) async fn send<T: Answer>(config: &Config, cx: &CallContext, call: Call) -> Result<T> {
    let effect = call.effect;
    let response = cx.send(request(config, call)?).await?;
    read(cx, effect, &response)
}

/// An answer to a call that a bank may refuse.
pub(crate) enum Answered<T> {
    /// It was done, or is under way.
    Done(T),
    /// The bank, or the gateway for it, refused.
    Refused(Box<PaymentError>),
}

/// The same for a call that a bank may refuse: that is an answer, and no error.
pub(crate) async fn send_refusable<T: Answer>(
    config: &Config,
    cx: &CallContext,
    call: Call,
) -> Result<Answered<T>> {
    let effect = call.effect;
    let response = cx.send(request(config, call)?).await?;
    match refusal(&response) {
        Some(error) => Ok(Answered::Refused(Box::new(error))),
        None => read(cx, effect, &response).map(Answered::Done),
    }
}

/// 402 with the error of a card; or a payment method that the gateway does not know any more.
fn refusal(response: &Response<Bytes>) -> Option<PaymentError> {
    let error = from_object::<Refusal>(serde_json::from_slice(response.body()).ok()?)?.error;
    let gone =
        error.code.as_deref() == Some("resource_missing") && error.param.as_deref() == Some("payment_method");
    match response.status().as_u16() {
        402 if error.kind.as_deref() == Some("card_error") => Some(error),
        400 | 404 if gone => Some(error),
        _ => None,
    }
}

fn read<T: Answer>(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Result<T> {
    if !response.status().is_success() {
        return Err(failure::from_response(cx, effect, response));
    }
    let value = serde_json::from_slice::<Value>(response.body()).ok().filter(Value::is_object);
    let value = value.and_then(|value| serde_json::from_value(value).ok());
    value.ok_or_else(|| failure::unreadable(cx, effect, response))
}

fn request(config: &Config, call: Call) -> Result<Request<Bytes>> {
    let url = format!("{}{}", config.base_url.as_str().trim_end_matches('/'), call.path);
    let mut request = Request::builder()
        .method(call.method)
        .uri(url)
        .header(ACCEPT, "application/json")
        .header("stripe-version", VERSION)
        .header(AUTHORIZATION, authorization(config)?);
    if !call.body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    if let Some(key) = call.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    request.body(call.body).map_err(|_| Error::internal("a request to the gateway is malformed"))
}

fn authorization(config: &Config) -> Result<HeaderValue> {
    let value = HeaderValue::from_str(&format!("Bearer {}", config.secret_key.expose_secret()));
    let mut value = value.map_err(|_| Error::internal("the API key cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An id of the gateway with this prefix, fit for a path.
pub(crate) fn is_id(id: &str, prefix: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    id.len() <= 255 && id.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(plain))
}
