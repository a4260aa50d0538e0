//! What a provider is given to make a call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Fault, Result, Retry};
use crate::transport::{Reached, Transport};

/// The surroundings of one provider call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallContext {
    /// Where requests go.
    pub transport: Arc<dyn Transport>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long one HTTP request may take.
    pub timeout: Duration,
    /// The same for every attempt at one thing; pass it on where the gateway takes one.
    pub idempotency_key: String,
    /// The gateway's configured name, for errors.
    pub gateway: String,
}

impl CallContext {
    /// A context with the default time-out of 15 seconds.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        gateway: impl Into<String>,
        idempotency_key: impl Into<String>,
    ) -> Self {
        Self {
            transport,
            clock,
            timeout: Duration::from_secs(15),
            idempotency_key: idempotency_key.into(),
            gateway: gateway.into(),
        }
    }

    /// Sends a request. A failure to get an answer becomes [`ErrorKind::GatewayUnavailable`] with
    /// [`Retry::SameKey`] when nothing was sent, and [`Retry::OutcomeUnknown`] otherwise.
    pub async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        self.transport.send(request, self.timeout).await.map_err(|error| {
            let retry = match error.reached {
                Reached::NotSent => Retry::SameKey { after: None },
                Reached::OutcomeUnknown => Retry::OutcomeUnknown,
            };
            Error::new(ErrorKind::GatewayUnavailable, "the gateway could not be reached in time")
                .with_retry(retry)
                .with_fault(Fault { gateway: self.gateway.clone(), ..Fault::default() })
                .with_source(error)
        })
    }
}
