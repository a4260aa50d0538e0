//! The way between provider and gateway: everything that passes is kept, and a trial says what goes wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::transport::{Reached, Transport, TransportError};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no connection.
    NotSent,
    /// It is lost, and nobody knows.
    LostBefore,
    /// The gateway acts, and its answer is lost.
    LostAfter,
    /// The gateway acts, and its answer is cut in the middle.
    Truncated,
    /// The gateway acts, and its answer is larger than the transport takes.
    Oversize,
    /// Nothing happens; an answer of this status with a JSON object that says nothing.
    Status(u16),
    /// Nothing happens; a proxy's page of this status.
    Page(u16),
    /// Nothing happens; a redirect to somebody else.
    Redirect,
}

/// Where [`Fault::Redirect`] leads.
pub(super) const ELSEWHERE: &str = "https://elsewhere.example/take";

type Rewrite = Arc<dyn Fn(Value) -> Value + Send + Sync>;

/// A request that passed.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: http::Method,
    pub(super) uri: http::Uri,
}

pub(super) struct Wire {
    gateway: Arc<dyn Transport>,
    faults: Mutex<VecDeque<Fault>>,
    rewrite: Mutex<Option<Rewrite>>,
    seen: Mutex<Vec<Seen>>,
    answers: Mutex<Vec<Value>>,
}

impl Wire {
    pub(super) fn new(gateway: Arc<dyn Transport>) -> Self {
        Self {
            gateway,
            faults: Mutex::default(),
            rewrite: Mutex::default(),
            seen: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// The next requests go wrong like this, one after the other.
    pub(super) fn order(&self, faults: &[Fault]) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults.iter().copied().collect();
    }

    /// Changes every JSON answer from now on.
    pub(super) fn rewrite(&self, change: Option<Rewrite>) {
        *self.rewrite.lock().unwrap_or_else(PoisonError::into_inner) = change;
    }

    /// What passed since the last time.
    pub(super) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The gateway's answers since the last time, as they came.
    pub(super) fn take_answers(&self) -> Vec<Value> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn pass(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, TransportError> {
        let response = self.gateway.send(request, timeout).await?;
        let rewrite = self.rewrite.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Ok(value) = serde_json::from_slice::<Value>(response.body()) else { return Ok(response) };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(value.clone());
        Ok(match rewrite {
            Some(rewrite) => response.map(|_| Bytes::from(rewrite(value).to_string())),
            None => response,
        })
    }
}

fn lost(reached: Reached, message: &str) -> TransportError {
    TransportError { reached, message: message.to_owned() }
}

fn answer(status: u16, content_type: &str, body: &str) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", content_type);
    response.body(Bytes::from(body.to_owned())).expect("an answer")
}

#[async_trait]
impl Transport for Wire {
    async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, TransportError> {
        let seen = Seen { method: request.method().clone(), uri: request.uri().clone() };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(fault) = fault else { return self.pass(request, timeout).await };
        match fault {
            Fault::NotSent => Err(lost(Reached::NotSent, "the connection could not be made")),
            Fault::LostBefore => Err(lost(Reached::OutcomeUnknown, "timed out")),
            Fault::LostAfter => {
                self.pass(request, timeout).await?;
                Err(lost(Reached::OutcomeUnknown, "timed out"))
            }
            Fault::Oversize => {
                self.pass(request, timeout).await?;
                Err(lost(Reached::OutcomeUnknown, "the answer is too large"))
            }
            Fault::Truncated => {
                Ok(self.pass(request, timeout).await?.map(|body| body.slice(..body.len() / 2)))
            }
            Fault::Status(status) => Ok(answer(status, "application/json", "{}")),
            Fault::Page(status) => Ok(answer(status, "text/html", "<html><h1>Bad gateway</h1></html>")),
            Fault::Redirect => {
                let mut response = answer(302, "text/plain", "");
                response.headers_mut().insert("location", http::HeaderValue::from_static(ELSEWHERE));
                Ok(response)
            }
        }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire(..)")
    }
}
