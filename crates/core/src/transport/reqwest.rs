//! The transport for real gateways: reqwest over rustls, one connection pool.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{Reached, Transport, TransportError, is_loopback};
use crate::error::{Error, ErrorKind};

/// The largest answer that is read, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends over HTTPS; over plain HTTP only to loopback addresses, and only when built for development.
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    plain_http_to_loopback: bool,
}

impl ReqwestTransport {
    /// A transport that refuses plain HTTP.
    pub fn new() -> Result<Self, Error> {
        Self::build(false, None)
    }

    /// A transport that also speaks plain HTTP, to loopback addresses alone.
    pub fn for_development() -> Result<Self, Error> {
        Self::build(true, None)
    }

    /// A transport that trusts the certificates of this PEM text and no others: for a service with an
    /// authority of its own.
    pub fn trusting_only(authorities: &str) -> Result<Self, Error> {
        let unreadable = || Error::new(ErrorKind::Configuration, "expected certificates in PEM form");
        let certificates = reqwest::Certificate::from_pem_bundle(authorities.as_bytes());
        let certificates = certificates.map_err(|error| unreadable().with_source(error))?;
        if certificates.is_empty() {
            return Err(unreadable());
        }
        Self::build(false, Some(certificates))
    }

    fn build(
        plain_http_to_loopback: bool,
        authorities: Option<Vec<reqwest::Certificate>>,
    ) -> Result<Self, Error> {
        // The first call in a process decides; a provider installed earlier by the embedder stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder();
        if let Some(authorities) = authorities {
            builder = builder.tls_certs_only(authorities);
        }
        let client = builder
            .user_agent(concat!("billfold/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .https_only(!plain_http_to_loopback)
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Configuration, "the HTTPS client could not start").with_source(error)
            })?;
        Ok(Self { client, plain_http_to_loopback })
    }

    fn check_target(&self, uri: &http::Uri) -> Result<(), TransportError> {
        let plain = uri.scheme() != Some(&http::uri::Scheme::HTTPS);
        if plain && !(self.plain_http_to_loopback && uri.host().is_some_and(is_loopback)) {
            return Err(not_sent("plain HTTP is spoken only to loopback addresses, and only in development"));
        }
        Ok(())
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.check_target(request.uri())?;
        let mut request =
            reqwest::Request::try_from(request).map_err(|_| not_sent("the request is malformed"))?;
        *request.timeout_mut() = Some(timeout);
        let mut response = self.client.execute(request).await.map_err(|error| describe(&error))?;
        let mut head = http::Response::builder().status(response.status());
        if let Some(headers) = head.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(unknown(format!("the answer is larger than {MAX_RESPONSE_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        head.body(body.freeze()).map_err(|_| unknown("the answer is malformed".to_owned()))
    }
}

fn describe(error: &reqwest::Error) -> TransportError {
    if error.is_connect() {
        return not_sent("the connection could not be made");
    }
    unknown(
        if error.is_timeout() { "timed out" } else { "the connection broke before the answer was complete" }
            .to_owned(),
    )
}

fn not_sent(message: &str) -> TransportError {
    TransportError { reached: Reached::NotSent, message: message.to_owned() }
}

fn unknown(message: String) -> TransportError {
    TransportError { reached: Reached::OutcomeUnknown, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, development: bool, allowed: bool) {
        let transport = ReqwestTransport::build(development, None).unwrap();
        assert_eq!(transport.check_target(&uri.parse().unwrap()).is_ok(), allowed, "{uri}");
    }

    #[test]
    fn plain_http_is_for_loopback_in_development() {
        check("https://api.example.com/x", false, true);
        check("http://127.0.0.1:1/x", false, false);
        check("http://127.0.0.1:1/x", true, true);
        check("http://[::1]:1/x", true, true);
        check("http://localhost/x", true, true);
        check("http://localhost.example.com/x", true, false);
        check("http://10.0.0.1/x", true, false);
    }
    #[test]
    fn authorities_are_certificates() {
        for wrong in ["", "-----BEGIN CERTIFICATE-----", "not PEM at all"] {
            assert!(ReqwestTransport::trusting_only(wrong).is_err(), "{wrong:?}");
        }
    }
}
