//! The provider: requests out, answers in, no state.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::{Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust};
use billfold_core::error::{Fault, Retry};
use billfold_core::payment_method::{Display, last_four};
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, CreateSession, CustomerDirectory, Deletion, Echo,
    EnsureCustomer, NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession, ProviderSessionStatus,
    ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider, WebhookBatch, WebhookDelivery,
    WebhookRejection,
};
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::settings::{Mode, Settings};
use billfold_core::{Error, ErrorKind, Result};
use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{Customer, NewSession, Session, Token};
use super::charging::abilities;
use super::webhook::{self, Proof};

/// The gateway's name for people.
const NAME: &str = "HTTP reference";
/// The gateway's address. There is nothing there; a transport in memory answers.
const BASE_URL: &str = "https://reference.example";

/// The error codes that mean something to us.
const CODES: [&str; 4] = ["not_found", "over", "replaced", "too_much"];
/// How many replacements of a token are followed.
const LONGEST_CHAIN: usize = 8;

/// One account at the reference gateway.
pub struct HttpProvider {
    api_key: SecretString,
    webhook_secrets: Vec<SecretString>,
    proof: Proof,
    capabilities: Capabilities,
    pub(super) abilities: ChargeAbilities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    api_key: String,
    webhook_secret: String,
    #[serde(default)]
    previous_webhook_secret: Option<String>,
    proof: Proof,
}

/// Builds the provider from its settings: `api_key` (`test_…` or `live_…`), `webhook_secret`,
/// `previous_webhook_secret` while it is changed, and `proof`.
pub fn build(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
    let table: Table = settings.parse()?;
    let prefix = match settings.mode {
        Mode::Test => "test_",
        Mode::Live => "live_",
    };
    if !table.api_key.starts_with(prefix) {
        return Err(settings.wrong(".api_key", &format!("expected a key that starts with {prefix}")));
    }
    let secrets = [
        (".webhook_secret", Some(table.webhook_secret)),
        (".previous_webhook_secret", table.previous_webhook_secret),
    ];
    let mut webhook_secrets = Vec::new();
    for (key, secret) in secrets {
        let Some(secret) = secret else { continue };
        if secret.trim().is_empty() {
            return Err(settings.wrong(key, "must not be empty"));
        }
        webhook_secrets.push(SecretString::from(secret));
    }
    let capabilities = capabilities(table.proof);
    Ok(Arc::new(HttpProvider {
        api_key: table.api_key.into(),
        webhook_secrets,
        proof: table.proof,
        capabilities,
        abilities: abilities(table.proof),
    }))
}

fn capabilities(proof: Proof) -> Capabilities {
    let channel = |code: &str, kind, currencies: &[&str], merchant_initiated| {
        Some(Channel {
            code: code.to_owned(),
            name: code.to_owned(),
            kind,
            country: "ID".parse().ok()?,
            currencies: currencies.iter().map(|code| code.parse().ok()).collect::<Option<_>>()?,
            merchant_initiated,
        })
    };
    let channels = [
        // Two decimals, none and three: amounts are not all alike.
        channel("CARD", MethodKind::Card, &["IDR", "JPY", "KWD"], true),
        channel("PURSE", MethodKind::Wallet, &["IDR"], false),
    ];
    Capabilities {
        name: NAME.to_owned(),
        channels: channels.into_iter().flatten().collect(),
        webhook_trust: if proof == Proof::Token { Trust::Hint } else { Trust::Signed },
        webhook_refusal: Capabilities::WEBHOOK_REFUSAL,
        session_lifetime: SessionLifetime {
            min: Duration::from_mins(10),
            default: Duration::from_mins(30),
            max: Duration::from_hours(24),
        },
        metadata: MetadataLimits { keys: 20, key_length: 40, value_length: 80 },
        merchant_initiated_needs_terms: false,
        remote_deletion: true,
    }
}

/// Whether a call makes something each time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Repeatable,
    Creates,
}

impl HttpProvider {
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        cx: &CallContext,
        effect: Effect,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T> {
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|_| Error::internal("a request could not be written"))?.unwrap_or_default();
        let mut authorization =
            http::HeaderValue::from_str(&format!("Bearer {}", self.api_key.expose_secret()))
                .map_err(|_| Error::internal("the API key cannot be sent"))?;
        authorization.set_sensitive(true);
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{BASE_URL}{path}"))
            .header("authorization", authorization)
            .header("idempotency-key", &cx.idempotency_key)
            .body(Bytes::from(body))
            .map_err(|_| Error::internal("a request is malformed"))?;
        let response = cx.send(request).await?;
        let value = serde_json::from_slice::<Value>(response.body()).ok().filter(Value::is_object);
        let code = value.as_ref().and_then(|value| value.get("error")?.as_str());
        let fault = Fault {
            gateway: cx.gateway.clone(),
            http_status: Some(response.status().as_u16()),
            code: code.filter(|code| CODES.contains(code)).map(str::to_owned),
            ..Fault::default()
        };
        if !response.status().is_success() {
            return Err(refusal(effect, response.status().as_u16()).with_fault(fault));
        }
        value.and_then(|value| serde_json::from_value(value).ok()).ok_or_else(|| unreadable(effect, fault))
    }

    /// The token that is now where this one was.
    async fn current(&self, cx: &CallContext, token: &str) -> Result<Token> {
        let contradiction = || Error::new(ErrorKind::GatewayProtocol, "the gateway's token makes no sense");
        let mut id = token.to_owned();
        for _ in 0..LONGEST_CHAIN {
            let path = format!("/tokens/{}", plain(&id)?);
            let token: Token = self.call(cx, Effect::Repeatable, Method::GET, &path, None::<&()>).await?;
            if token.id.as_deref() != Some(id.as_str()) {
                return Err(contradiction());
            }
            let Some(next) = token.replaced_by.clone() else { return Ok(token) };
            id = next;
        }
        Err(contradiction())
    }

    async fn delete(&self, cx: &CallContext, token: &str) -> Result<Deletion> {
        let path = format!("/tokens/{}", plain(token)?);
        self.call::<Token>(cx, Effect::Repeatable, Method::DELETE, &path, None::<&()>).await?;
        Ok(Deletion::Deleted)
    }

    async fn session(
        &self,
        cx: &CallContext,
        method: Method,
        reference: &str,
        action: &str,
    ) -> Result<Session> {
        let path = format!("/sessions/{}{action}", plain(reference)?);
        self.call(cx, Effect::Repeatable, method, &path, None::<&()>).await
    }
}

fn unreadable(effect: Effect, fault: Fault) -> Error {
    let retry = if effect == Effect::Creates { Retry::OutcomeUnknown } else { Retry::Never };
    Error::new(ErrorKind::GatewayProtocol, "the gateway's answer could not be read")
        .with_retry(retry)
        .with_fault(fault)
}

fn refusal(effect: Effect, status: u16) -> Error {
    let unavailable = match effect {
        Effect::Repeatable => Retry::SameKey { after: None },
        Effect::Creates => Retry::OutcomeUnknown,
    };
    match status {
        401 | 403 => Error::new(ErrorKind::GatewayAuthentication, "the gateway refused our credentials"),
        429 => Error::new(ErrorKind::GatewayRateLimited, "the gateway asks to slow down")
            .with_retry(Retry::SameKey { after: Some(Duration::from_secs(1)) }),
        400..=499 => Error::new(ErrorKind::GatewayRejected, "the gateway refused the request"),
        500.. => Error::new(ErrorKind::GatewayUnavailable, "the gateway had an error of its own")
            .with_retry(unavailable),
        _ => unreadable(effect, Fault::default()),
    }
}

pub(super) fn plain(id: &str) -> Result<&str> {
    let good = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good {
        Ok(id)
    } else {
        Err(Error::new(ErrorKind::GatewayRejected, "this is not an id of the gateway"))
    }
}

/// What the gateway itself says. A 404 without its code may be anyone's, such as that of a proxy.
pub(super) fn code(error: &Error) -> Option<&str> {
    error.fault().and_then(|fault| fault.code.as_deref())
}

fn already_gone(error: Error) -> Result<Deletion> {
    if code(&error) == Some("not_found") { Ok(Deletion::AlreadyGone) } else { Err(error) }
}

fn to_session(session: Session) -> Result<ProviderSession> {
    let contradiction = || Error::new(ErrorKind::GatewayProtocol, "the gateway's session has no id");
    let status = match session.status.as_deref() {
        Some("open") => ProviderSessionStatus::Active,
        Some("completed") => ProviderSessionStatus::Completed,
        Some("expired") => ProviderSessionStatus::Expired,
        Some("canceled") => ProviderSessionStatus::Canceled,
        _ => ProviderSessionStatus::Unknown,
    };
    let mut mapped = ProviderSession::new(session.id.ok_or_else(contradiction)?, status);
    mapped.next = session.url.map(|url| NextAction::Redirect(SecretString::from(url)));
    mapped.expires_at = session.expires_at.and_then(|at| at.parse().ok());
    mapped.echo = Echo {
        reference: session.reference,
        customer: session.customer,
        currency: session.currency,
        country: session.country,
    };
    mapped.methods.extend(session.token.and_then(to_method));
    Ok(mapped)
}

fn to_method(token: Token) -> Option<ProviderMethod> {
    let status = match token.status.as_deref() {
        Some("pending") => ProviderMethodStatus::Pending,
        Some("active") => ProviderMethodStatus::Active,
        Some("revoked") => ProviderMethodStatus::Revoked,
        _ => ProviderMethodStatus::Unknown,
    };
    let mut reference = TokenRef::new(token.id?);
    reference.customer.clone_from(&token.customer);
    let mut method = ProviderMethod::new(reference, MethodKind::Card, "CARD", status);
    let last4 = token.number.as_deref().and_then(last_four);
    method.display = Display { brand: Some("Visa".to_owned()), last4, ..Display::default() };
    method.fingerprint = token.fingerprint.map(SecretString::from);
    method.echo = Echo { reference: token.reference, customer: token.customer, ..Echo::default() };
    Some(method)
}

#[async_trait]
impl TokenizationProvider for HttpProvider {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        match &request.provider_options {
            Some(_) => Err(Error::invalid("/provider_options", "this gateway has none")),
            None => Ok(()),
        }
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        let body = NewSession {
            reference: request.reference,
            customer: request.gateway_customer.unwrap_or_default(),
            currency: request.currency.to_string(),
            country: request.country.to_string(),
            channels: request.channels,
            metadata: request.metadata,
            return_url: request.success_url.to_string(),
            cancel_url: request.cancel_url.to_string(),
            expires_at: request.expires_at.to_string(),
        };
        let made: Session = self.call(cx, Effect::Creates, Method::POST, "/sessions", Some(&body)).await?;
        to_session(made).map_err(|error| error.with_retry(Retry::OutcomeUnknown))
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        to_session(self.session(cx, Method::GET, &session.reference, "").await?)
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        match self.session(cx, Method::POST, &session.reference, "/cancel").await {
            Ok(canceled) => to_session(canceled),
            // It was over before; how is the answer.
            Err(error) if code(&error) == Some("over") => self.fetch_session(cx, session).await,
            Err(error) => Err(error),
        }
    }

    fn read_return(&self, _request: &ReturnRequest) -> ReturnHint {
        ReturnHint::default()
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        webhook::read(self.proof, &self.webhook_secrets, delivery)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        let asked = token.token.expose_secret();
        let current = self.current(cx, asked).await?;
        let replaced = current.id.as_deref() != Some(asked);
        let mut method = to_method(current)
            .ok_or_else(|| Error::new(ErrorKind::GatewayProtocol, "the gateway's token has no id"))?;
        method.replaces = replaced.then(|| token.token.clone());
        Ok(method)
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        match self.delete(cx, token.token.expose_secret()).await {
            // Gone is only what nothing has taken the place of.
            Err(error) if code(&error) == Some("replaced") => {
                let current = self.current(cx, token.token.expose_secret()).await?;
                let deleted = self.delete(cx, current.id.as_deref().unwrap_or_default()).await;
                deleted.or_else(already_gone)
            }
            outcome => outcome.or_else(already_gone),
        }
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.call::<Value>(cx, Effect::Repeatable, Method::GET, "/account", None::<&()>).await.map(|_| ())
    }

    fn customers(&self) -> Option<&dyn CustomerDirectory> {
        Some(self)
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
}

#[async_trait]
impl CustomerDirectory for HttpProvider {
    async fn ensure(&self, cx: &CallContext, customer: EnsureCustomer) -> Result<String> {
        let body = Customer { id: None, reference: customer.reference };
        let made: Customer =
            self.call(cx, Effect::Repeatable, Method::POST, "/customers", Some(&body)).await?;
        made.id.ok_or_else(|| Error::new(ErrorKind::GatewayProtocol, "the gateway's customer has no id"))
    }
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider").field("proof", &self.proof).finish_non_exhaustive()
    }
}
