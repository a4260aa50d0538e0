//! The provider: one account at Acme Pay.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::{Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust};
use billfold_core::error::Retry;
use billfold_core::provider::{
    CallContext, CreateSession, CustomerDirectory, Deletion, EnsureCustomer, ProviderMethod, ProviderSession,
    ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider, WebhookBatch, WebhookDelivery,
    WebhookRejection,
};
use billfold_core::settings::Settings;
use billfold_core::{Error, ErrorKind, Result};
use http::Method;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::client::{self, Call, OVER, plain, said};
use crate::config::Config;
use crate::wire::{Customer, NewCustomer, NewSession, Session};
use crate::{map, tokens, webhook};

struct AcmePay {
    config: Config,
    capabilities: Capabilities,
}

/// What the registration names.
pub(crate) fn build(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
    Ok(Arc::new(AcmePay { config: Config::read(settings)?, capabilities: capabilities()? }))
}

fn capabilities() -> Result<Capabilities> {
    let misspelt = || Error::internal("a country or currency of Acme Pay's is misspelt");
    let card = Channel {
        code: "CARD".to_owned(),
        name: "Cards".to_owned(),
        kind: MethodKind::Card,
        country: "ID".parse().map_err(|_| misspelt())?,
        currencies: vec!["IDR".parse().map_err(|_| misspelt())?],
        merchant_initiated: true,
    };
    Ok(Capabilities {
        name: crate::NAME.to_owned(),
        channels: vec![card],
        webhook_trust: Trust::Signed,
        session_lifetime: SessionLifetime {
            min: Duration::from_mins(10),
            default: Duration::from_mins(30),
            max: Duration::from_hours(24),
        },
        metadata: MetadataLimits { keys: 20, key_length: 40, value_length: 80 },
        merchant_initiated_needs_terms: false,
        remote_deletion: true,
        webhook_refusal: Capabilities::WEBHOOK_REFUSAL,
    })
}

impl AcmePay {
    async fn send<T: DeserializeOwned>(&self, cx: &CallContext, call: Call) -> Result<T> {
        client::send(&self.config.api_key, cx, call).await
    }
}

#[async_trait]
impl TokenizationProvider for AcmePay {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        match request.provider_options {
            None => Ok(()),
            Some(_) => Err(Error::invalid("/provider_options", "Acme Pay has none; leave it out")),
        }
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        let body = NewSession {
            reference: &request.reference,
            customer: request.gateway_customer.as_deref().unwrap_or_default(),
            currency: request.currency.to_string(),
            country: request.country.to_string(),
            channels: &request.channels,
            metadata: &request.metadata,
            return_url: request.success_url.as_str(),
            cancel_url: request.cancel_url.as_str(),
            expires_at: request.expires_at.to_string(),
        };
        let made = self.send(cx, Call::post("/sessions", &body)?.that_creates()).await?;
        // It answered 2xx: something is there, whatever the answer lacks.
        map::session(made).map_err(|error| error.with_retry(Retry::OutcomeUnknown))
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let path = format!("/sessions/{}", plain(&session.reference)?);
        map::session(self.send(cx, Call::new(Method::GET, path)).await?)
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let path = format!("/sessions/{}/cancel", plain(&session.reference)?);
        match self.send::<Session>(cx, Call::new(Method::POST, path)).await {
            Ok(canceled) => map::session(canceled),
            // How it ended is the answer.
            Err(error) if said(&error, OVER) => self.fetch_session(cx, session).await,
            Err(error) => Err(error),
        }
    }

    /// Acme Pay tells nothing in the address.
    fn read_return(&self, _request: &ReturnRequest) -> ReturnHint {
        ReturnHint::default()
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        webhook::read(self.config.webhook_secrets(), delivery)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        tokens::fetch(&self.config.api_key, cx, &token.token).await
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        tokens::delete(&self.config.api_key, cx, &token.token).await
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.send::<IgnoredAny>(cx, Call::new(Method::GET, "/account")).await.map(|_| ())
    }

    fn customers(&self) -> Option<&dyn CustomerDirectory> {
        Some(self)
    }
}

#[async_trait]
impl CustomerDirectory for AcmePay {
    async fn ensure(&self, cx: &CallContext, customer: EnsureCustomer) -> Result<String> {
        // It answers with the customer that it has under the reference, if there is one.
        let call = Call::post("/customers", &NewCustomer { reference: &customer.reference })?;
        let customer: Customer = self.send(cx, call).await?;
        customer.id.ok_or_else(|| Error::new(ErrorKind::GatewayProtocol, "the gateway's customer has no id"))
    }
}

impl fmt::Debug for AcmePay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcmePay(..)")
    }
}
