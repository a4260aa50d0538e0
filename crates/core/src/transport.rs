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
