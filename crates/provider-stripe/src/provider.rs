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
use crate::client::{Call, is_id, send};
use crate::config::Config;
use crate::options::{Flow, Options};
use crate::wire::{PaymentMethod, Session, SetupIntent};
use crate::{failure, map, validate, webhook};

/// A well-formed session id that no account has: asking about it proves the credentials.
const NO_SESSION: &str = "cs_test_00000000";

/// One account at Stripe.
pub struct Stripe {
    config: Config,
    capabilities: Capabilities,
    abilities: ChargeAbilities,
}

/// Builds the provider from its settings table.
pub(crate) fn build(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
    let (capabilities, abilities) = (capabilities(), charge_abilities());
    Ok(Arc::new(Stripe { config: Config::read(settings)?, capabilities, abilities }))
}

/// Which object a session is at the gateway: its id says so.
fn flow_of(reference: &str) -> Result<Flow> {
    if is_id(reference, "cs_") {
        return Ok(Flow::Checkout);
    }
    is_id(reference, "seti_").then_some(Flow::SetupIntent).ok_or_else(failure::no_such_id)
}

impl Stripe {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn charge_abilities(&self) -> &ChargeAbilities {
        &self.abilities
    }

    async fn session_call(&self, cx: &CallContext, flow: Flow, call: Call) -> Result<ProviderSession> {
        let mapped = match flow {
            Flow::Checkout => map::session(&send::<Session>(&self.config, cx, call).await?),
            Flow::SetupIntent => map::intent(&send::<SetupIntent>(&self.config, cx, call).await?),
        };
        mapped.ok_or_else(|| failure::contradiction(cx, "the session has no id"))
    }

    async fn method_call(&self, cx: &CallContext, call: Call, id: &str) -> Result<ProviderMethod> {
        let method = map::method(&send::<PaymentMethod>(&self.config, cx, call).await?);
        let method = method.ok_or_else(|| failure::contradiction(cx, "the payment method has no id"))?;
        if method.token.token.expose_secret() != id {
            return Err(failure::contradiction(cx, "another payment method was answered"));
        }
        Ok(method)
    }
}

#[async_trait]
impl TokenizationProvider for Stripe {
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
        let options = Options::read(request.provider_options.as_ref());
        let options = options.map_err(|problem| Error::invalid(problem.pointer, problem.message))?;
        let (path, form) = match options.flow {
            Flow::Checkout => ("/v1/checkout/sessions", map::checkout_session(&request)),
            Flow::SetupIntent => ("/v1/setup_intents", map::setup_intent(&request)),
        };
        let call = Call::post(path, cx.idempotency_key.clone(), &form);
        let made = self.session_call(cx, options.flow, call).await;
        // Something was made, whatever is wrong with the answer.
        made.map_err(|error| match error.kind() {
            ErrorKind::GatewayProtocol => error.with_retry(Retry::OutcomeUnknown),
            _ => error,
        })
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let (reference, flow) = (&session.reference, flow_of(&session.reference)?);
        let call = match flow {
            Flow::Checkout => {
                Call::get(format!("/v1/checkout/sessions/{reference}"), &["setup_intent.payment_method"])
            }
            Flow::SetupIntent => Call::get(format!("/v1/setup_intents/{reference}"), &["payment_method"]),
        };
        self.session_call(cx, flow, call).await
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let (reference, flow) = (&session.reference, flow_of(&session.reference)?);
        let path = match flow {
            Flow::Checkout => format!("/v1/checkout/sessions/{reference}/expire"),
            Flow::SetupIntent => format!("/v1/setup_intents/{reference}/cancel"),
        };
        match self.session_call(cx, flow, Call::repeatable_post(path)).await {
            Ok(mut ended) => {
                // The gateway has one word for the end by time and for the end on demand.
                if ended.status == ProviderSessionStatus::Expired {
                    ended.status = ProviderSessionStatus::Canceled;
                }
                Ok(ended)
            }
            // It was over before; how is the answer. If it is still open, something else was refused.
            Err(error) if failure::is(&error, 400) => {
                let found = self.fetch_session(cx, session).await?;
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
        let id = token.token.expose_secret();
        if !is_id(id, "pm_") {
            return Err(failure::no_such_id());
        }
        self.method_call(cx, Call::get(format!("/v1/payment_methods/{id}"), &[]), id).await
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        let id = token.token.expose_secret();
        if !is_id(id, "pm_") {
            return Ok(Deletion::AlreadyGone);
        }
        let call = Call::repeatable_post(format!("/v1/payment_methods/{id}/detach"));
        match self.method_call(cx, call, id).await {
            Ok(_) => Ok(Deletion::Deleted),
            Err(error) if failure::is(&error, 404) => Ok(Deletion::AlreadyGone),
            Err(error) if failure::is(&error, 400) => match self.fetch_method(cx, token).await {
                Ok(method) if method.status == ProviderMethodStatus::Revoked => Ok(Deletion::AlreadyGone),
                Ok(_) => Err(error),
                Err(missing) if failure::is(&missing, 404) => Ok(Deletion::AlreadyGone),
                Err(other) => Err(other),
            },
            Err(error) => Err(error),
        }
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        match self.fetch_session(cx, SessionRef::new(NO_SESSION)).await {
            Err(error) if !failure::is(&error, 404) => Err(error),
            _ => Ok(()),
        }
    }

    fn customers(&self) -> Option<&dyn CustomerDirectory> {
        Some(self)
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("base_url", &self.config.base_url.as_str()).finish_non_exhaustive()
    }
}
