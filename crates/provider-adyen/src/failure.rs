//! What goes wrong at the gateway, by HTTP status first and by code second. The gateway's own words stay out of
//! messages: they may quote what was sent.

use std::time::Duration;

use billfold_core::error::{Fault, Retry};
use billfold_core::provider::CallContext;
use billfold_core::{Error, ErrorKind};
use bytes::Bytes;
use http::Response;
use serde_json::Value;

/// Whether a call makes something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Reading, or something that is the same when done twice.
    None,
    /// Each call makes another object, unless it comes under the same key.
    Creates,
}

/// Contract not found, PaymentDetail not found.
const GONE: [&str; 2] = ["800", "803"];
/// The longest time that the gateway can make us wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

fn fault(cx: &CallContext, response: &Response<Bytes>) -> Fault {
    let body = serde_json::from_slice::<Value>(response.body()).unwrap_or_default();
    let text = |field: &str| body.get(field).and_then(Value::as_str).map(plain);
    Fault {
        gateway: cx.gateway.clone(),
        http_status: Some(response.status().as_u16()),
        code: text("errorCode").or_else(|| text("errorType")).filter(|code| !code.is_empty()),
        request_id: header(response, "pspreference").map(plain).or_else(|| text("pspReference")),
    }
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The error of an answer that is not 2xx.
pub(crate) fn from_response(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Error {
    let fault = fault(cx, response);
    let code = fault.code.clone().map(|code| format!(" ({code})")).unwrap_or_default();
    let passing = header(response, "transient-error").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let error = match response.status().as_u16() {
        401 | 403 => Error::new(
            ErrorKind::GatewayAuthentication,
            format!("the gateway refused our credentials or their roles{code}"),
        ),
        429 => Error::new(ErrorKind::GatewayRateLimited, "the gateway asks to slow down")
            .with_retry(Retry::SameKey { after: Some(wait(response)) }),
        // Nothing was done, and the same key works again.
        400.. if passing => {
            Error::new(ErrorKind::GatewayUnavailable, format!("the gateway asks to try again{code}"))
                .with_retry(Retry::SameKey { after: None })
        }
        400..=499 => Error::new(ErrorKind::GatewayRejected, format!("the gateway refused the request{code}")),
        500.. => {
            let retry = match effect {
                Effect::None => Retry::SameKey { after: None },
                Effect::Creates => Retry::OutcomeUnknown,
            };
            Error::new(ErrorKind::GatewayUnavailable, "the gateway had an error of its own").with_retry(retry)
        }
        _ => Error::new(
            ErrorKind::GatewayProtocol,
            "the gateway answered with a redirect or another unexpected status",
        )
        .with_retry(if_it_acted(effect)),
    };
    error.with_fault(fault)
}

/// The error of a 2xx answer that is not what the gateway documents.
pub(crate) fn unreadable(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Error {
    Error::new(ErrorKind::GatewayProtocol, "the gateway's answer could not be read")
        .with_retry(if_it_acted(effect))
        .with_fault(fault(cx, response))
}

/// An answer that contradicts itself or the request.
pub(crate) fn contradiction(cx: &CallContext, problem: &'static str) -> Error {
    let fault = Fault { gateway: cx.gateway.clone(), ..Fault::default() };
    Error::new(ErrorKind::GatewayProtocol, "the gateway's answer does not match what was asked")
        .with_context("problem", problem)
        .with_fault(fault)
}

/// An id that the gateway cannot have given.
pub(crate) fn no_such_id() -> Error {
    Error::new(ErrorKind::GatewayRejected, "this is not an id of the gateway")
}

/// Whether the gateway itself refused the request. A proxy's error carries no code of the gateway's.
pub(crate) fn is_refusal(error: &Error) -> bool {
    error.kind() == ErrorKind::GatewayRejected && error.fault().is_some_and(|fault| fault.code.is_some())
}

/// Whether a payment was refused because its token is not there any more.
pub(crate) fn is_token_gone(error: &Error) -> bool {
    let code = error.fault().and_then(|fault| fault.code.as_deref());
    is_refusal(error) && code.is_some_and(|code| GONE.contains(&code))
}

fn if_it_acted(effect: Effect) -> Retry {
    match effect {
        Effect::None => Retry::Never,
        Effect::Creates => Retry::OutcomeUnknown,
    }
}

fn wait(response: &Response<Bytes>) -> Duration {
    let seconds = header(response, "retry-after").and_then(|text| text.trim().parse::<u64>().ok());
    Duration::from_secs(seconds.unwrap_or(1).max(1)).min(LONGEST_WAIT)
}

/// Codes and ids go to logs and messages: only what such a thing is made of.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(c)).take(64).collect()
}
