//! The calls that core makes. A session is known by our own reference, which is also the shopper's at the gateway:
//! so one list tells what it saved, whoever asks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::capability::{Capabilities, MethodKind};
use billfold_core::error::Retry;
use billfold_core::id::SessionId;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, CreateSession, Deletion, ProviderMethod,
    ProviderMethodStatus, ProviderSession, ProviderSessionStatus, ReturnHint, ReturnRequest, SessionRef,
    TokenRef, TokenizationProvider, WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::secret::{ExposeSecret, sha256};
use billfold_core::settings::Settings;
use billfold_core::{Error, Result};

use crate::capabilities::{abilities, capabilities};
use crate::client::{Call, is_method_id, send, send_for_nothing};
use crate::config::Config;
use crate::evidence::Evidence;
use crate::failure::Effect;
use crate::options::Options;
use crate::wire::{DetailsResult, Session, SessionResult, StoredMethods, SubmitDetails};
use crate::{failure, map, validate, webhook, wire};

/// A shopper that no account has: asking for their methods proves the credentials.
const NO_SHOPPER: &str = "billfold-check";

/// One merchant account at Adyen.
pub struct Adyen {
    pub(crate) config: Config,
    capabilities: Capabilities,
    pub(crate) abilities: ChargeAbilities,
}

/// Builds the provider from its settings table.
pub(crate) fn build(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
    let config = Config::read(settings)?;
    let capabilities = capabilities(!config.standard_keys.is_empty());
    Ok(Arc::new(Adyen { config, capabilities, abilities: abilities() }))
}

/// Whether this is one of our sessions. Other systems may use the same merchant account.
pub(crate) fn is_ours(reference: &str) -> bool {
    reference.parse::<SessionId>().is_ok()
}

impl Adyen {
    async fn list(&self, cx: &CallContext, shopper: &str) -> Result<StoredMethods> {
        let query =
            [("merchantAccount", self.config.merchant_account.as_str()), ("shopperReference", shopper)];
        send(&self.config, cx, Call::get("/storedPaymentMethods", &query)).await
    }

    /// The stored methods of a session.
    async fn methods(&self, cx: &CallContext, reference: &str) -> Result<Vec<ProviderMethod>> {
        let answer = self.list(cx, reference).await?;
        map::methods(reference, answer).map_err(|problem| match problem {
            map::NotAList::Unreadable => failure::contradiction(cx, "the answer lists no methods"),
            map::NotAList::Contradiction => {
                failure::contradiction(cx, "the methods of another shopper were answered")
            }
        })
    }

    /// The session with what it saved; `otherwise` is how it stands when that is nothing.
    async fn with_methods(
        &self,
        cx: &CallContext,
        reference: &str,
        otherwise: ProviderSessionStatus,
    ) -> Result<ProviderSession> {
        let methods = self.methods(cx, reference).await?;
        let status = if methods.is_empty() { otherwise } else { ProviderSessionStatus::Completed };
        let mut session = ProviderSession::new(reference, status);
        session.echo.reference = Some(reference.to_owned());
        session.methods = methods;
        Ok(session)
    }

    /// What the gateway makes of what a browser brought. Its refusal says nothing of the session: the result may
    /// be used up, or somebody's invention.
    async fn judged(
        &self,
        cx: &CallContext,
        reference: &str,
        evidence: &Evidence,
    ) -> Result<Option<ProviderSessionStatus>> {
        let judged = match (&evidence.redirect_result, &evidence.session_id, &evidence.session_result) {
            (Some(redirect_result), _, _) => self.submit_details(cx, reference, redirect_result).await,
            (None, Some(id), Some(result)) => self.session_result(cx, reference, id, result).await,
            _ => return Ok(None),
        };
        match judged {
            Err(error) if failure::is_refusal(&error) => Ok(None),
            judged => judged,
        }
    }

    /// Finishes a payment whose redirect brought the customer here instead of to the merchant's page.
    async fn submit_details(
        &self,
        cx: &CallContext,
        reference: &str,
        redirect_result: &str,
    ) -> Result<Option<ProviderSessionStatus>> {
        let answer: DetailsResult = send(&self.config, cx, details_call(cx, redirect_result)?).await?;
        let ours = answer.merchant_reference.as_deref() == Some(reference);
        Ok(ours.then(|| map::redirect_status(answer.result_code.as_deref())))
    }

    /// The id is the browser's word: only a result that carries our reference is that of this session.
    async fn session_result(
        &self,
        cx: &CallContext,
        reference: &str,
        id: &str,
        result: &str,
    ) -> Result<Option<ProviderSessionStatus>> {
        let call = Call::get(&format!("/sessions/{id}"), &[("sessionResult", result)]);
        let answer: SessionResult = send(&self.config, cx, call).await?;
        let ours = answer.reference.as_deref() == Some(reference) && answer.id.as_deref() == Some(id);
        Ok(ours.then(|| map::session_status(answer.status.as_deref())))
    }
}

/// The call that submits what a redirect brought back, once for each result.
pub(crate) fn details_call(cx: &CallContext, redirect_result: &str) -> Result<Call> {
    let digest = hex::encode(&sha256(redirect_result.as_bytes())[..8]);
    let key = format!("details-{}-{digest}", cx.idempotency_key);
    let body = SubmitDetails { details: wire::Details { redirect_result } };
    Call::post("/payments/details", Effect::None, &key, &body)
}

/// Token and shopper of a stored method, fit for a path; `None` for what the gateway cannot have given.
pub(crate) fn parts(token: &TokenRef) -> Option<(&str, &str)> {
    let (id, shopper) = (token.token.expose_secret(), token.customer.as_deref()?);
    (is_method_id(id) && is_ours(shopper)).then_some((id, shopper))
}

#[async_trait]
impl TokenizationProvider for Adyen {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        validate::request(request)
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        let options = Options::read(request.provider_options.as_ref());
        let flow = options.map_err(|problem| Error::invalid(problem.pointer, problem.message))?.flow;
        let Config { merchant_account, theme_id, .. } = &self.config;
        let body = map::create_session(merchant_account, theme_id.as_deref(), flow, &request);
        let call = Call::post("/sessions", Effect::Creates, &cx.idempotency_key, &body)?;
        let answer: Session = send(&self.config, cx, call).await?;
        // Something was made, whatever is wrong with the answer.
        map::made(flow, &request.reference, &answer).ok_or_else(|| {
            failure::contradiction(cx, "the session has no address or no data")
                .with_retry(Retry::OutcomeUnknown)
        })
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let reference = session.reference.as_str();
        if !is_ours(reference) {
            return Err(failure::no_such_id());
        }
        let listed = self.with_methods(cx, reference, ProviderSessionStatus::Active).await?;
        if listed.status == ProviderSessionStatus::Completed {
            return Ok(listed);
        }
        let evidence = Evidence::from_text(session.evidence.as_deref());
        match self.judged(cx, reference, &evidence).await? {
            None => Ok(listed),
            // Done by now, so its token may be there by now.
            Some(ProviderSessionStatus::Processing) => {
                self.with_methods(cx, reference, ProviderSessionStatus::Processing).await
            }
            Some(status) => {
                let mut judged = listed;
                judged.status = status;
                Ok(judged)
            }
        }
    }

    /// The gateway ends no session on demand: it is over here, and what the customer saves all the same is real.
    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        if !is_ours(&session.reference) {
            return Err(failure::no_such_id());
        }
        self.with_methods(cx, &session.reference, ProviderSessionStatus::Canceled).await
    }

    fn read_return(&self, request: &ReturnRequest) -> ReturnHint {
        ReturnHint { evidence: Evidence::from_query(&request.query).and_then(|found| found.to_text()) }
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        webhook::read(&self.config, delivery)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        let (id, shopper) = parts(&token).ok_or_else(failure::no_such_id)?;
        let listed = self.methods(cx, shopper).await?;
        let found = listed.into_iter().find(|method| method.token.token.expose_secret() == id);
        // The list is the whole of one shopper: what is not in it was disabled.
        Ok(found.unwrap_or_else(|| {
            ProviderMethod::new(token.clone(), MethodKind::Card, "unknown", ProviderMethodStatus::Revoked)
        }))
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        if !is_method_id(token.token.expose_secret()) {
            return Ok(Deletion::AlreadyGone);
        }
        let (id, shopper) = parts(&token).ok_or_else(failure::no_such_id)?;
        let query =
            [("shopperReference", shopper), ("merchantAccount", self.config.merchant_account.as_str())];
        let call = Call::delete(&format!("/storedPaymentMethods/{id}"), &query);
        match send_for_nothing(&self.config, cx, call).await {
            Ok(()) => Ok(Deletion::Deleted),
            // Its code for a token that is not there is not documented; its list is.
            Err(refused) if failure::is_refusal(&refused) => {
                match self.fetch_method(cx, token).await?.status {
                    ProviderMethodStatus::Revoked => Ok(Deletion::AlreadyGone),
                    _ => Err(refused),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Only where the standard webhook is set up: nothing else tells of a charge whose answer was lost.
    fn charging(&self) -> Option<&dyn ChargeProvider> {
        (!self.config.standard_keys.is_empty()).then_some(self)
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.list(cx, NO_SHOPPER).await.map(|_| ())
    }
}

impl fmt::Debug for Adyen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adyen").field("base_url", &self.config.base_url.as_str()).finish_non_exhaustive()
    }
}
