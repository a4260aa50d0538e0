//! One HTTP call, and what goes wrong with it.

use std::time::Duration;

use billfold_core::error::{Fault, Retry};
use billfold_core::provider::CallContext;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::{Error, ErrorKind, Result};
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::Refusal;

/// Nothing listens there: Acme Pay is invented.
const BASE_URL: &str = "https://api.acme-pay.example";

/// The object was never there, or is not any more.
pub(crate) const NOT_FOUND: &str = "not_found";
/// The session has ended.
pub(crate) const OVER: &str = "over";
/// Another token is in this one's place.
pub(crate) const REPLACED: &str = "replaced";

/// A request to come.
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Bytes,
    /// Whether it makes something each time that it is sent.
    creates: bool,
}

impl Call {
    /// One that may be sent again.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: Bytes::new(), creates: false }
    }

    /// One with a body.
    pub(crate) fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(body).map_err(|_| Error::internal("a request could not be written"))?;
        Ok(Self { body: body.into(), ..Self::new(Method::POST, path) })
    }

    /// The same, of a thing that is made anew each time.
    pub(crate) fn that_creates(self) -> Self {
        Self { creates: true, ..self }
    }

    /// After an answer that does not say whether something was made.
    fn unclear(&self, otherwise: Retry) -> Retry {
        if self.creates { Retry::OutcomeUnknown } else { otherwise }
    }
}

/// Sends a call and reads the object in its answer.
pub(crate) async fn send<T: DeserializeOwned>(
    api_key: &SecretString,
    cx: &CallContext,
    call: Call,
) -> Result<T> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", api_key.expose_secret()))
        .map_err(|_| Error::internal("the API key cannot be sent"))?;
    authorization.set_sensitive(true);
    let request = Request::builder()
        .method(call.method.clone())
        .uri(format!("{BASE_URL}{}", call.path))
        .header("authorization", authorization)
        .header("idempotency-key", &cx.idempotency_key)
        .body(call.body.clone())
        .map_err(|_| Error::internal("a request is malformed"))?;
    let response = cx.send(request).await?;
    let status = response.status();
    let mut fault =
        Fault { gateway: cx.gateway.clone(), http_status: Some(status.as_u16()), ..Fault::default() };
    if status.is_success() {
        // serde reads a list as a struct too; no answer is one.
        let object = response.body().trim_ascii_start().starts_with(b"{");
        let read = object.then(|| serde_json::from_slice(response.body()).ok()).flatten();
        return read.ok_or_else(|| {
            Error::new(ErrorKind::GatewayProtocol, "the gateway's answer could not be read")
                .with_retry(call.unclear(Retry::Never))
                .with_fault(fault)
        });
    }
    let refusal: Refusal = serde_json::from_slice(response.body()).unwrap_or_default();
    // Only what we know: anything else in the answer may quote what was sent.
    let known = [NOT_FOUND, OVER, REPLACED].into_iter().find(|code| refusal.error.as_deref() == Some(code));
    fault.code = known.map(str::to_owned);
    let (kind, message, retry) = match status.as_u16() {
        401 | 403 => (ErrorKind::GatewayAuthentication, "the gateway refused our credentials", Retry::Never),
        429 => (
            ErrorKind::GatewayRateLimited,
            "the gateway asks to slow down",
            Retry::SameKey { after: Some(Duration::from_secs(1)) },
        ),
        400..=499 => (ErrorKind::GatewayRejected, "the gateway refused the request", Retry::Never),
        500.. => (
            ErrorKind::GatewayUnavailable,
            "the gateway had an error of its own",
            call.unclear(Retry::SameKey { after: None }),
        ),
        _ => (ErrorKind::GatewayProtocol, "the gateway sent us elsewhere", call.unclear(Retry::Never)),
    };
    Err(Error::new(kind, message).with_retry(retry).with_fault(fault))
}

/// Whether the gateway itself said so. A 404 without its code may be anybody's, such as a proxy's.
pub(crate) fn said(error: &Error, code: &str) -> bool {
    error.fault().and_then(|fault| fault.code.as_deref()) == Some(code)
}

/// An id that may stand in a path. Some come from webhooks.
pub(crate) fn plain(id: &str) -> Result<&str> {
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain
        .then_some(id)
        .ok_or_else(|| Error::new(ErrorKind::GatewayRejected, "this is no id of the gateway"))
}
