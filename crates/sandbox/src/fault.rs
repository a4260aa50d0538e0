//! Faults on order: the next requests that match get what was ordered instead of, or after, the
//! real answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::gateway::Gateway;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing happens, and no answer comes.
    TimeoutBefore,
    /// It happens, and no answer comes.
    TimeoutAfter,
    /// Nothing happens; an error of this status.
    Status(u16),
    /// Nothing happens; an HTML page of this status, as proxies send.
    Html(u16),
    /// It happens; the answer stops in the middle of its JSON.
    TruncatedJson,
    /// Nothing happens; a redirect to another host.
    Redirect,
    /// Nothing happens; 429 with the rate-limit headers.
    RateLimited,
    /// It happens; the answer comes this many milliseconds later.
    Delay(u64),
    /// It happens; the connection breaks while the answer is sent.
    Reset,
    /// It happens; the answer is 4 MiB long.
    Oversize,
}

/// Orders a fault for the next `times` requests that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    /// `POST`; any method when left out.
    #[serde(default)]
    pub method: Option<String>,
    /// The beginning of the path, `/sessions`.
    #[serde(default)]
    pub path_prefix: String,
    /// How often; once when left out.
    #[serde(default = "once")]
    pub times: u32,
    /// What goes wrong.
    pub fault: Fault,
}

fn once() -> u32 {
    1
}

impl FaultOrder {
    /// One fault for the next request of a method and path.
    pub fn once(method: &str, path_prefix: &str, fault: Fault) -> Self {
        Self { method: Some(method.to_owned()), path_prefix: path_prefix.to_owned(), times: 1, fault }
    }

    pub(crate) fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && path.starts_with(&self.path_prefix)
    }
}

impl Fault {
    /// Whether the request still has its effect.
    pub(crate) const fn acts(self) -> bool {
        matches!(
            self,
            Self::TimeoutAfter | Self::TruncatedJson | Self::Delay(_) | Self::Reset | Self::Oversize
        )
    }

    /// The answer instead of `real`, which is `None` when nothing happened.
    pub(crate) async fn answer(self, gateway: &dyn Gateway, real: Option<Response>) -> Response {
        let real = real.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response());
        match self {
            Self::TimeoutBefore | Self::TimeoutAfter => {
                // Longer than any client waits; the server's stop ends it.
                tokio::time::sleep(Duration::from_mins(2)).await;
                real
            }
            Self::Status(status) => error(gateway, status, "SERVER_ERROR", "An unexpected error occurred"),
            Self::Html(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                (status, [("content-type", "text/html")], "<html><body><h1>Bad gateway</h1></body></html>")
                    .into_response()
            }
            Self::TruncatedJson => {
                let (parts, body) = real.into_parts();
                let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
                let mut cut = Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)));
                cut.headers_mut().remove("content-length");
                cut
            }
            Self::Redirect => {
                (StatusCode::FOUND, [("location", "http://127.0.0.1:9/stolen")]).into_response()
            }
            Self::RateLimited => {
                let mut answer =
                    error(gateway, 429, "RATE_LIMIT_EXCEEDED", "You have exceeded the rate limit");
                for (name, value) in
                    [("rate-limit-limit", "60"), ("rate-limit-remaining", "0"), ("rate-limit-reset", "12.5")]
                {
                    answer.headers_mut().insert(name, HeaderValue::from_static(value));
                }
                answer
            }
            Self::Delay(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                real
            }
            Self::Reset => {
                let broken = std::io::Error::other("ordered by the control API");
                Body::from_stream(tokio_util::io::ReaderStream::new(Broken(Some(broken)))).into_response()
            }
            Self::Oversize => format!("{{\"padding\":\"{}\"}}", "x".repeat(4 * 1024 * 1024)).into_response(),
        }
    }
}

/// A body that fails at once.
struct Broken(Option<std::io::Error>);

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(self.0.take().map_or(Ok(()), Err))
    }
}

/// An error in the gateway's own form.
fn error(gateway: &dyn Gateway, status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(gateway.error(code, message))).into_response()
}
