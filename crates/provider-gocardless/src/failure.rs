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

/// The gateway counts requests by the minute.
const USUAL_WAIT: u64 = 60;
/// The longest time that the gateway can make us wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_default()
}

fn fault(cx: &CallContext, response: &Response<Bytes>) -> Fault {
    let body = body(response);
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(plain);
    let header = response.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    Fault {
        gateway: cx.gateway.clone(),
        http_status: Some(response.status().as_u16()),
        code: text("/error/errors/0/reason").or_else(|| text("/error/type")),
        request_id: text("/error/request_id").or_else(|| header.map(plain)),
    }
}

/// The object that the gateway made before under the same key, when that is why it makes none now.
pub(crate) fn conflicting(response: &Response<Bytes>) -> Option<String> {
    if !response.status().is_client_error() {
        return None;
    }
    let body = body(response);
    let errors = body.pointer("/error/errors").and_then(Value::as_array);
    let conflict =
        errors.into_iter().flatten().find(|error| error["reason"] == "idempotent_creation_conflict");
    conflict?.pointer("/links/conflicting_resource_id")?.as_str().map(str::to_owned)
}

/// The error of an answer that is not 2xx.
pub(crate) fn from_response(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Error {
    let fault = fault(cx, response);
    let code = fault.code.clone().map(|code| format!(" ({code})")).unwrap_or_default();
    let error = match response.status().as_u16() {
        401 | 403 => Error::new(
            ErrorKind::GatewayAuthentication,
            format!("the gateway refused our credentials or their permissions{code}"),
        ),
        429 => Error::new(ErrorKind::GatewayRateLimited, "the gateway asks to slow down")
            .with_retry(Retry::SameKey { after: Some(wait(response)) }),
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
    let fields = complaints(response);
    let error = if fields.is_empty() { error } else { error.with_context("fields", fields.join(", ")) };
    error.with_fault(fault)
}

/// The names of the fields that the gateway complains about, for the log; not what it says of them.
fn complaints(response: &Response<Bytes>) -> Vec<String> {
    let body = body(response);
    let errors = body.pointer("/error/errors").and_then(Value::as_array);
    let names = errors.into_iter().flatten().filter_map(|error| error["field"].as_str());
    names.map(plain).filter(|name| !name.is_empty()).take(8).collect()
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

/// Whether the gateway itself says that there is no such object. A proxy's error carries no code of the gateway's.
pub(crate) fn is_missing(error: &Error) -> bool {
    own_status(error) == Some(404)
}

/// Whether the gateway itself refused because of where the object stands.
pub(crate) fn is_refused(error: &Error) -> bool {
    own_status(error).is_some_and(|status| [400, 409, 422].contains(&status))
}

/// Why a payment is refused whose mandate is over.
pub(crate) const INACTIVE: &str = "mandate_is_inactive";
/// Why a refund is refused when something else was given back before than its request says.
pub(crate) const OTHER_TOTAL: &str = "total_amount_confirmation_invalid";

/// Whether the gateway itself refused for this reason.
pub(crate) fn is_for(error: &Error, reason: &str) -> bool {
    is_refused(error) && error.fault().is_some_and(|fault| fault.code.as_deref() == Some(reason))
}

fn own_status(error: &Error) -> Option<u16> {
    error.fault().filter(|fault| fault.code.is_some()).and_then(|fault| fault.http_status)
}

fn if_it_acted(effect: Effect) -> Retry {
    match effect {
        Effect::None => Retry::Never,
        Effect::Creates => Retry::OutcomeUnknown,
    }
}

fn wait(response: &Response<Bytes>) -> Duration {
    let text = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let seconds = text.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(USUAL_WAIT).max(1);
    Duration::from_secs(seconds).min(LONGEST_WAIT)
}

/// Codes and ids go to logs and messages: only what such a thing is made of.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(c)).take(64).collect()
}
