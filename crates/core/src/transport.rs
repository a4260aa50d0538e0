//! How providers reach their gateway. They build an `http::Request`; the transport sets time-outs,
//! refuses redirects, caps bodies and says, when it fails, whether the gateway may have acted.

#[cfg(feature = "reqwest")]
pub mod reqwest;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// Whether the request may have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// No byte of the request was sent: it did not happen.
    NotSent,
    /// It may have happened.
    OutcomeUnknown,
}

/// A request that brought no usable answer. `message` names the trouble, never the URL's query nor
/// a header.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Whether the gateway may have acted.
    pub reached: Reached,
    /// The trouble: `timed out`, `connection refused`, `the answer is larger than 1048576 bytes`.
    pub message: String,
}

/// Sends one HTTP request and gives its answer, whatever its status; a redirect is an answer too
/// and is not followed.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `request`, waiting no longer than `timeout` for the whole answer.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> Result<http::Response<Bytes>, TransportError>;
}

/// Whether a URL's host is this machine: `localhost`, `127.0.0.0/8` or `[::1]`.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a configured address can be called: `https`, or plain `http` to this machine in development, with
/// nothing secret in it. The error says what would be right.
pub fn check_address(url: &url::Url, development: bool) -> Result<(), &'static str> {
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let Some(host) = url.host_str().filter(|_| bare) else {
        return Err("expected scheme, host and nothing secret, such as https://kms.example.com");
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(host) && development => Ok(()),
        "http" if is_loopback(host) => Err("plain HTTP needs development mode, even to this machine"),
        _ => Err("expected an https URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, development: bool, allowed: bool) {
        assert_eq!(check_address(&address.parse().unwrap(), development).is_ok(), allowed, "{address}");
    }

    #[test]
    fn addresses_are_https_or_this_machine_in_development() {
        check("https://kms.example.com", false, true);
        check("https://kms.example.com:8200/prefix", true, true);
        check("http://127.0.0.1:8200", true, true);
        check("http://[::1]:8200", true, true);
        check("http://127.0.0.1:8200", false, false);
        check("http://kms.example.com", true, false);
        check("https://user@kms.example.com", true, false);
        check("https://:secret@kms.example.com", true, false);
        check("https://kms.example.com/?token=secret", true, false);
        check("https://kms.example.com/#secret", true, false);
        check("mailto:kms@example.com", true, false);
        check("unix:/run/kms.sock", true, false);
    }
}
