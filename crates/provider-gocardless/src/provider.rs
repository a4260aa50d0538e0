//! The calls that core makes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::capability::Capabilities;
use billfold_core::error::Retry;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, CreateSession, Deletion, ProviderMethod, ProviderSession,
    ProviderSessionStatus, ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider,
    WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::Settings;
use billfold_core::{Error, ErrorKind, Result};

use crate::capabilities::{abilities, capabilities};
use crate::client::{act, create, get, is_id};
use crate::config::Config;
use crate::options::Options;
use crate::wire::{BillingRequest, Flow};
use crate::{failure, mandates, map, validate, webhook};

/// What ids of billing requests begin with.
const PREFIX: &str = "BRQ";
/// A well-formed id of a billing request that no account has: asking about it proves the credentials.
const NO_REQUEST: &str = "BRQ00000000000000";

/// One account at GoCardless.
pub struct GoCardless {
    pub(crate) config: Config,
    capabilities: Capabilities,
    pub(crate) abilities: ChargeAbilities,
}

/// Builds the provider from its settings table.
pub(crate) fn build(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
    let config = Config::read(settings)?;
    Ok(Arc::new(GoCardless { config, capabilities: capabilities(), abilities: abilities() }))
}

impl GoCardless {
    /// A billing request as core sees it, with the mandate that came of it.
    async fn session(&self, cx: &CallContext, request: &BillingRequest) -> Result<ProviderSession> {
        let mapped = map::session(request);
        let mut mapped = mapped.ok_or_else(|| failure::contradiction(cx, "the billing request has no id"))?;
        if let (ProviderSessionStatus::Completed, Some(mandate)) = (mapped.status, request.mandate()) {
            mapped.methods.push(mandates::fetch(&self.config, cx, mandate).await?);
        }
        Ok(mapped)
    }

    async fn fetch(&self, cx: &CallContext, reference: &str) -> Result<ProviderSession> {
        if !is_id(reference, PREFIX) {
            return Err(failure::no_such_id());
        }
        let request: BillingRequest = get(&self.config, cx, reference).await?;
        self.session(cx, &request).await
    }

    /// Makes the billing request, or finds the one that was made under this key, and a flow through it.
    async fn create(&self, cx: &CallContext, request: &CreateSession) -> Result<ProviderSession> {
        let options = Options::read(request.provider_options.as_ref());
        let options = options.map_err(|problem| Error::invalid(problem.pointer, problem.message))?;
        let fields = map::billing_request(request, &options);
        let made: BillingRequest = create(&self.config, cx, cx.idempotency_key.clone(), fields).await?;
        // Something was made, whatever the answer names that cannot be asked about.
        let mut session = self.session(cx, &made).await.map_err(|error| match error.retry() {
            Retry::Never => error.with_retry(Retry::OutcomeUnknown),
            _ => error,
        })?;
        if session.status != ProviderSessionStatus::Active {
            return Ok(session);
        }
        // Each call makes another flow, under one key too; they all lead through the one billing request.
        let fields = map::flow(request, &session.reference);
        let flow: Flow = create(&self.config, cx, format!("{}-flow", cx.idempotency_key), fields).await?;
        let (next, ends) = map::way(&flow);
        if next.is_none() {
            return Err(failure::contradiction(cx, "the flow leads nowhere"));
        }
        session.next = next;
        session.expires_at = ends.filter(|end| *end < request.expires_at);
        Ok(session)
    }
}

#[async_trait]
impl TokenizationProvider for GoCardless {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        let plain_return = request.success_url.scheme() != "https" || request.cancel_url.scheme() != "https";
        if plain_return && !self.config.local {
            let message = "customers come back over https only: server.public_url must be an https URL";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        validate::request(request)
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        let made = self.create(cx, &request).await;
        // Something was made, whatever is wrong with the answer.
        made.map_err(|error| match error.kind() {
            ErrorKind::GatewayProtocol => error.with_retry(Retry::OutcomeUnknown),
            _ => error,
        })
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        self.fetch(cx, &session.reference).await
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let reference = &session.reference;
        if !is_id(reference, PREFIX) {
            return Err(failure::no_such_id());
        }
        match act::<BillingRequest>(&self.config, cx, reference, "cancel").await {
            Ok(ended) => self.session(cx, &ended).await,
            // It was over before; how is the answer. If it is still open, something else was refused.
            Err(error) if failure::is_refused(&error) => {
                let found = self.fetch(cx, reference).await?;
                if found.status == ProviderSessionStatus::Active { Err(error) } else { Ok(found) }
            }
            Err(error) => Err(error),
        }
    }

    /// What is appended to the return URL tells nothing that the gateway would not tell better.
    fn read_return(&self, _request: &ReturnRequest) -> ReturnHint {
        ReturnHint::default()
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        webhook::read(&self.config.webhook_secrets, delivery)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        mandates::fetch(&self.config, cx, token.token.expose_secret()).await
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        let id = token.token.expose_secret();
        if !is_id(id, mandates::PREFIX) {
            return Ok(Deletion::AlreadyGone);
        }
        mandates::cancel(&self.config, cx, id).await
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        match self.fetch(cx, NO_REQUEST).await {
            Err(error) if !failure::is_missing(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for GoCardless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoCardless").field("base_url", &self.config.base_url.as_str()).finish_non_exhaustive()
    }
}
