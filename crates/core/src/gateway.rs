//! A gateway: one configured account of a provider, with the policy that surrounds its calls.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;

use crate::capability::Capabilities;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Fault, Result, Retry};
use crate::name::{GatewayName, TenantId};
use crate::provider::{CallContext, TokenizationProvider};
use crate::settings::Mode;
use crate::transport::Transport;

/// The longest that one provider call may take, all its requests together.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// One configured account of a provider.
#[derive(Clone)]
pub struct Gateway {
    /// Its name in the configuration.
    pub name: GatewayName,
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// The kind of provider behind it.
    pub kind: String,
    /// Test or live.
    pub mode: Mode,
    /// The provider.
    pub provider: Arc<dyn TokenizationProvider>,
    /// Where its requests go.
    pub transport: Arc<dyn Transport>,
}

impl Gateway {
    /// What it can do.
    pub fn capabilities(&self) -> &Capabilities {
        self.provider.capabilities()
    }

    /// Proves that the credentials work.
    pub async fn check(&self, clock: &Arc<dyn Clock>) -> Result<()> {
        let cx = self.context(clock, "check");
        self.guard("check", self.provider.check(&cx)).await
    }

    pub(crate) fn context(&self, clock: &Arc<dyn Clock>, idempotency_key: impl Into<String>) -> CallContext {
        CallContext::new(self.transport.clone(), clock.clone(), self.name.as_str(), idempotency_key)
    }

    /// Runs a provider's pure function; `None` when it panicked.
    pub(crate) fn contain<T>(&self, call: &'static str, function: impl FnOnce() -> T) -> Option<T> {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(function));
        outcome.inspect_err(|_| tracing::error!(gateway = %self.name, call, "the provider panicked")).ok()
    }

    /// Runs a provider call: bounded in time, its panics contained, its failures logged once.
    pub(crate) async fn guard<T>(
        &self,
        call: &'static str,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let outcome = tokio::time::timeout(CALL_LIMIT, AssertUnwindSafe(future).catch_unwind()).await;
        let result = match outcome {
            Ok(Ok(result)) => result.map_err(Error::in_one_line),
            Ok(Err(_panic)) => {
                Err(Error::internal("the provider panicked").with_retry(Retry::OutcomeUnknown))
            }
            Err(_elapsed) => {
                Err(Error::new(ErrorKind::GatewayUnavailable, "the gateway did not answer in time")
                    .with_retry(Retry::OutcomeUnknown)
                    .with_fault(Fault { gateway: self.name.to_string(), ..Fault::default() }))
            }
        };
        match &result {
            Ok(_) => tracing::debug!(gateway = %self.name, call, "gateway call"),
            Err(error) => {
                tracing::warn!(gateway = %self.name, call, error = %error.log_line(), "gateway call failed");
            }
        }
        result
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("name", &self.name)
            .field("tenant", &self.tenant)
            .field("kind", &self.kind)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
