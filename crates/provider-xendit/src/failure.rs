//! What goes wrong at the gateway, by HTTP status first and by code second. The gateway's own words
//! stay out of messages: they may quote what was sent.

use std::time::Duration;

use billfold_core::error::{Fault, Retry};
use billfold_core::provider::CallContext;
use billfold_core::{Error, ErrorKind};
use bytes::Bytes;
use http::{HeaderMap, Response};

use crate::wire::{self, ErrorBody};

/// Whether a call makes something new each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Reading, or something that is the same when done twice.
    None,
    /// Each call makes another object.
    Creates,
}

/// The longest time that the gateway can make us wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The error of an answer that is not 2xx.
pub(crate) fn from_response(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Error {
    let status = response.status().as_u16();
    let body = serde_json::from_slice(response.body())
        .ok()
        .and_then(wire::from_object::<ErrorBody>)
        .unwrap_or_default();
    let paths = paths(&body);
    let fault = Fault {
        gateway: cx.gateway.clone(),
        http_status: Some(status),
        code: body.error_code.map(|code| plain(&code)),
        request_id: header(response.headers(), "request-id").map(plain),
    };
    let code = fault.code.clone().map(|code| format!(" ({code})")).unwrap_or_default();
    let error = match (status, fault.code.as_deref()) {
        (403, Some("REFUND_NOT_SUPPORTED" | "PARTIAL_REFUND_NOT_SUPPORTED")) => {
            Error::new(ErrorKind::GatewayRejected, format!("the gateway refused the request{code}"))
        }
        // It is not documented with which status an address outside the key's allow-list is refused.
        (401 | 403, _) | (400..=499, Some("UNAUTHORIZED_SENDER_IP")) => Error::new(
            ErrorKind::GatewayAuthentication,
            format!("the gateway refused our credentials or their permissions{code}"),
        ),
        (429, _) | (400, Some("PAYMENT_REQUEST_RATE_LIMITED")) => {
            Error::new(ErrorKind::GatewayRateLimited, "the gateway asks to slow down")
                .with_retry(Retry::SameKey { after: Some(wait(response.headers())) })
        }
        (500.., _) | (400..=499, Some("TEMPORARILY_UNAVAILABLE")) => {
            Error::new(ErrorKind::GatewayUnavailable, "the gateway had an error of its own")
                .with_retry(repeat(effect))
        }
        (400..=499, _) => {
            Error::new(ErrorKind::GatewayRejected, format!("the gateway refused the request{code}"))
        }
        _ => Error::new(
            ErrorKind::GatewayProtocol,
            "the gateway answered with a redirect or another unexpected status",
        )
        .with_retry(repeat_if_it_acted(effect)),
    };
    let error = if paths.is_empty() { error } else { error.with_context("paths", paths) };
    error.with_fault(fault)
}

/// The error of a 2xx answer that is not what the gateway documents.
pub(crate) fn unreadable(cx: &CallContext, effect: Effect, response: &Response<Bytes>) -> Error {
    let fault = Fault {
        gateway: cx.gateway.clone(),
        http_status: Some(response.status().as_u16()),
        code: None,
        request_id: header(response.headers(), "request-id").map(plain),
    };
    let error = Error::new(ErrorKind::GatewayProtocol, "the gateway's answer could not be read");
    error.with_retry(repeat_if_it_acted(effect)).with_fault(fault)
}

/// An answer that contradicts itself or the request.
pub(crate) fn contradiction(cx: &CallContext, problem: &'static str) -> Error {
    let fault = Fault { gateway: cx.gateway.clone(), ..Fault::default() };
    Error::new(ErrorKind::GatewayProtocol, "the gateway's answer does not match what was asked")
        .with_context("problem", problem)
        .with_fault(fault)
}

/// The HTTP status of an error, when the gateway answered at all.
pub(crate) fn status(error: &Error) -> Option<u16> {
    error.fault().and_then(|fault| fault.http_status)
}

/// Whether the gateway itself says that there is no such object. A 404 without its code may be anyone's,
/// such as that of a proxy.
pub(crate) fn is_not_found(error: &Error) -> bool {
    status(error) == Some(404) && code(error).is_some()
}

/// The gateway's own code, when it gave one.
pub(crate) fn code(error: &Error) -> Option<&str> {
    error.fault().and_then(|fault| fault.code.as_deref())
}

fn repeat(effect: Effect) -> Retry {
    match effect {
        Effect::None => Retry::SameKey { after: None },
        Effect::Creates => Retry::OutcomeUnknown,
    }
}

fn repeat_if_it_acted(effect: Effect) -> Retry {
    match effect {
        Effect::None => Retry::Never,
        Effect::Creates => Retry::OutcomeUnknown,
    }
}

/// `Rate-Limit-Reset` is seconds, sometimes with a fraction; rounded up without floating point.
fn wait(headers: &HeaderMap) -> Duration {
    let text =
        header(headers, "rate-limit-reset").or_else(|| header(headers, "retry-after")).unwrap_or_default();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = whole.trim().parse::<u64>().unwrap_or(1);
    let more = u64::from(fraction.bytes().any(|b| (b'1'..=b'9').contains(&b)));
    Duration::from_secs(seconds.saturating_add(more).max(1)).min(LONGEST_WAIT)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The fields that the gateway complains about, for the log.
fn paths(body: &ErrorBody) -> String {
    let errors = body.errors.as_array().map(Vec::as_slice).unwrap_or_default();
    let paths = errors.iter().filter_map(|error| error.get("path")?.as_str()).take(10).map(plain);
    paths.collect::<Vec<_>>().join(" ")
}

/// Codes and ids are plain words; anything longer or stranger is cut.
fn plain(text: impl AsRef<str>) -> String {
    text.as_ref().trim().chars().filter(char::is_ascii_graphic).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, http::HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn waiting_is_rounded_up_and_bounded() {
        for (name, value, seconds) in [
            ("rate-limit-reset", "12.5", 13),
            ("rate-limit-reset", "12.0", 12),
            ("rate-limit-reset", "0.2", 1),
            ("rate-limit-reset", "soon", 1),
            ("retry-after", "7", 7),
            ("rate-limit-reset", "99999999", 3600),
        ] {
            assert_eq!(wait(&headers(name, value)), Duration::from_secs(seconds), "{value}");
        }
        assert_eq!(wait(&HeaderMap::new()), Duration::from_secs(1));
    }
}
