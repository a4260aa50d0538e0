//! How a webhook reaches its receiver.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

/// What a receiver said. Its body is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` as sent.
    pub retry_after: Option<String>,
}

/// Why there is no answer. Names neither URL nor address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The name leads to an address that must not be called; nothing was sent.
    #[error("the address must not be called")]
    ForbiddenAddress,
    /// The name could not be resolved.
    #[error("the name could not be resolved")]
    Dns,
    /// Nobody accepted the connection.
    #[error("the connection could not be made")]
    Connect,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    Tls,
    /// There was no answer in time.
    #[error("timed out")]
    Timeout,
    /// The connection broke before there was an answer.
    #[error("the connection broke")]
    Broken,
}

/// Sends webhooks to addresses that a merchant chose, and to no others than those that may be called: whoever may
/// configure an endpoint must not reach what only this server reaches.
#[async_trait]
pub trait WebhookSender: fmt::Debug + Send + Sync {
    /// Whether an endpoint may have this URL, as far as can be told without a question to anybody. The error says
    /// what would be right.
    fn check_url(&self, url: &Url) -> Result<(), String>;

    /// Sends one request. A redirect is an answer and is not followed.
    async fn send(&self, request: http::Request<Bytes>) -> Result<SentAnswer, SendError>;
}
