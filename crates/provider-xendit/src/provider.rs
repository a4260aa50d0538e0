//! The calls that core makes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::capability::Capabilities;
use billfold_core::error::Retry;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, CreateSession, CustomerDirectory, Deletion, ProviderMethod,
    ProviderMethodStatus, ProviderSession, ProviderSessionStatus, ReturnHint, ReturnRequest, SessionRef,
    TokenRef, TokenizationProvider, WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::Settings;
use billfold_core::{Error, ErrorKind, Result};

use crate::capabilities::{capabilities, charge_abilities};
use crate::client::{Call, is_plain_id, send};
use crate::config::{Config, Customers};
use crate::wire::{self, TOKENS_VERSION};
use crate::{failure, map, validate, webhook};

/// A well-formed session id that no account has: asking about it proves the credentials.
const NO_SESSION: &str = "ps-000000000000000000000000";

/// One account at Xendit.
pub struct Xendit {
    config: Config,
    capabilities: Capabilities,
    abilities: ChargeAbilities,
}

/// Builds the provider from its settings table.
pub(crate) fn build(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
    let (capabilities, abilities) = (capabilities(), charge_abilities());
    Ok(Arc::new(Xendit { config: Config::read(settings)?, capabilities, abilities }))
}

impl Xendit {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn charge_abilities(&self) -> &ChargeAbilities {
        &self.abilities
    }

    async fn get_session(&self, cx: &CallContext, reference: &str) -> Result<wire::Session> {
        self.session_call(cx, Call::get(format!("/sessions/{reference}")), reference).await
    }

    async fn session_call(&self, cx: &CallContext, call: Call<'_>, reference: &str) -> Result<wire::Session> {
        if !is_plain_id(reference) {
            return Err(Error::new(ErrorKind::GatewayRejected, "this is not an id of the gateway"));
        }
        let session: wire::Session = send(&self.config, cx, call).await?;
        self.check_business(cx, session.business_id.as_deref())?;
        Ok(session)
    }

    async fn get_token(&self, cx: &CallContext, id: &str) -> Result<wire::Token> {
        if !is_plain_id(id) {
            return Err(Error::new(ErrorKind::GatewayRejected, "this is not an id of the gateway"));
        }
        let call = Call::get(format!("/v3/payment_tokens/{id}")).version(TOKENS_VERSION);
        let token: wire::Token = send(&self.config, cx, call).await?;
        self.check_business(cx, token.business_id.as_deref())?;
        Ok(token)
    }

    pub(crate) fn check_business(&self, cx: &CallContext, said: Option<&str>) -> Result<()> {
        match (&self.config.business_id, said) {
            (Some(ours), Some(said)) if ours != said => {
                Err(failure::contradiction(cx, "it belongs to another business"))
            }
            _ => Ok(()),
        }
    }

    fn mapped(cx: &CallContext, session: &wire::Session) -> Result<ProviderSession> {
        map::session(session).ok_or_else(|| failure::contradiction(cx, "the session has no id"))
    }

    /// A completed session with its token. A session is completed when its token exists, but the
    /// two are kept apart at the gateway: as long as the token cannot be had, it is not over.
    async fn with_methods(&self, cx: &CallContext, session: &wire::Session) -> Result<ProviderSession> {
        let mut mapped = Self::mapped(cx, session)?;
        if mapped.status != ProviderSessionStatus::Completed {
            return Ok(mapped);
        }
        let Some(id) = &session.payment_token_id else {
            mapped.status = ProviderSessionStatus::Processing;
            return Ok(mapped);
        };
        match self.get_token(cx, id).await {
            Ok(token) => {
                let method =
                    map::method(&token).ok_or_else(|| failure::contradiction(cx, "the token has no id"))?;
                if method.token.token.expose_secret() != id {
                    return Err(failure::contradiction(cx, "another token was answered"));
                }
                mapped.methods.push(method);
            }
            Err(error) if failure::is_not_found(&error) => {
                mapped.status = ProviderSessionStatus::Processing;
            }
            Err(error) => return Err(error),
        }
        Ok(mapped)
    }
}

#[async_trait]
impl TokenizationProvider for Xendit {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        let plain_return = request.success_url.scheme() != "https" || request.cancel_url.scheme() != "https";
        if plain_return && !self.config.local {
            let message =
                "the gateway sends customers back over https only: server.public_url must be an https URL";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        validate::request(request)
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        let body = map::create_session(&request, self.config.customers);
        let body = body.map_err(|problem| Error::invalid(problem.pointer, problem.message))?;
        let session: wire::Session = send(&self.config, cx, Call::post("/sessions").json(&body)?).await?;
        let made = self.check_business(cx, session.business_id.as_deref());
        // Something was made, whatever is wrong with the answer.
        made.and_then(|()| Self::mapped(cx, &session))
            .map_err(|error| error.with_retry(Retry::OutcomeUnknown))
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let session = self.get_session(cx, &session.reference).await?;
        self.with_methods(cx, &session).await
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let reference = session.reference;
        let call = Call::repeatable_post(format!("/sessions/{reference}/cancel"));
        match self.session_call(cx, call, &reference).await {
            Ok(canceled) => Self::mapped(cx, &canceled),
            // It was over before; how is the answer. If it is still open, something else was refused.
            Err(error)
                if matches!(failure::status(&error), Some(403 | 409 | 422))
                    && failure::code(&error).is_some() =>
            {
                let session = self.get_session(cx, &reference).await?;
                let found = self.with_methods(cx, &session).await?;
                if found.status == ProviderSessionStatus::Active { Err(error) } else { Ok(found) }
            }
            Err(error) => Err(error),
        }
    }

    /// Nothing is appended to return URLs that would be worth reading.
    fn read_return(&self, _request: &ReturnRequest) -> ReturnHint {
        ReturnHint::default()
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        webhook::read(&self.config.callback_tokens, delivery)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        let token = self.get_token(cx, token.token.expose_secret()).await?;
        map::method(&token).ok_or_else(|| failure::contradiction(cx, "the token has no id"))
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        let id = token.token.expose_secret();
        if !is_plain_id(id) {
            return Ok(Deletion::AlreadyGone);
        }
        let call = Call::repeatable_post(format!("/v3/payment_tokens/{id}/cancel")).version(TOKENS_VERSION);
        match send::<wire::Token>(&self.config, cx, call).await {
            Ok(_) => Ok(Deletion::Deleted),
            Err(error) if failure::is_not_found(&error) => Ok(Deletion::AlreadyGone),
            Err(error)
                if matches!(
                    failure::code(&error),
                    Some("INELIGIBLE_TRANSACTION_STATUS" | "INACTIVE_PAYMENT_REQUEST")
                ) =>
            {
                self.gone_or_not_yet(cx, token).await
            }
            Err(error) => Err(error),
        }
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        match self.get_session(cx, NO_SESSION).await {
            Ok(_) => Ok(()),
            Err(error) if failure::is_not_found(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn customers(&self) -> Option<&dyn CustomerDirectory> {
        match self.config.customers {
            Customers::Directory => Some(self),
            Customers::Inline => None,
        }
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
}

impl Xendit {
    /// Only an active token can be canceled: one that ended needs it no more, one that is still pending may
    /// become active and has to be canceled then.
    async fn gone_or_not_yet(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        match self.fetch_method(cx, token).await?.status {
            ProviderMethodStatus::Failed | ProviderMethodStatus::Expired | ProviderMethodStatus::Revoked => {
                Ok(Deletion::AlreadyGone)
            }
            ProviderMethodStatus::Pending | ProviderMethodStatus::Active | ProviderMethodStatus::Unknown => {
                let message = "the gateway cannot cancel the token yet";
                Err(Error::new(ErrorKind::GatewayRejected, message)
                    .with_retry(Retry::SameKey { after: None }))
            }
        }
    }
}

impl fmt::Debug for Xendit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xendit").field("base_url", &self.config.base_url.as_str()).finish_non_exhaustive()
    }
}
