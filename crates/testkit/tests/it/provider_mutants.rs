//! Providers with one flaw each, around the HTTP reference's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::{Capabilities, Trust};
use billfold_core::clock::Timestamp;
use billfold_core::error::Retry;
use billfold_core::payment_method::Display;
use billfold_core::provider::{
    CallContext, ChargeProvider, CreateSession, CustomerDirectory, Deletion, EnsureCustomer, EventSubject,
    NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession, ProviderSessionStatus, ReturnHint,
    ReturnRequest, SessionRef, TokenRef, TokenizationProvider, WebhookBatch, WebhookDelivery,
    WebhookRejection,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::Transport;
use billfold_core::{Error, ErrorKind, Result, StartSession};
use billfold_testkit::provider::{Card, ChargeDriver, Driver, Rotation, SentWebhook, Signer};
use billfold_testkit::reference_http::{HttpReference, Proof};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use crate::charge_mutants::ChargeFlaw;

/// What is wrong with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    DeclaresAChannelTwice,
    DeclaresAForeignChannel,
    DeclaresAWelcomeForForgers,
    DeclaresLongerMetadata,
    TakesHintsForSigned,
    DeclaresNoDeletion,
    DeletesOnlyInWords,
    IgnoresUnknownKeys,
    TakesEmptySecrets,
    TakesTestForLive,
    IgnoresOptions,
    ChecksNothing,
    LeadsNowhere,
    SavesNoDisplay,
    ReadsNoEvents,
    ReadsNoTokenEvents,
    SendsCustomersAway,
    ForgetsWhenRestarted,
    DropsOurReference,
    CallsLateCompletionsExpired,
    CountsAttemptsAsEvents,
    OneKeyForAll,
    MixesCallers,
    HasNoFingerprint,
    MakesCustomersAnew,
    TakesFailedAttemptsForTheEnd,
    EndsSessionsOnLeaving,
    BelievesTheBrowser,
    DoesNotKnowExpired,
    CancelsOnlyInWords,
    FailsToCancelWhatIsOver,
    TakesUnknownForFailed,
    TakesUnknownForCompleted,
    TakesAnySecret,
    TakesEmptyProof,
    TakesAnyOfTwoHeaders,
    ForgetsThePreviousSecret,
    KeepsThePreviousSecret,
    IgnoresTheBody,
    TakesOldWebhooks,
    TakesFutureWebhooks,
    AllowsNoSkew,
    ChecksTheFirstItem,
    RefusesUnknownEvents,
    ActsOnUnknownEvents,
    PanicsOnGarbage,
    TakesGarbage,
    TakesLostForRefused,
    RepeatsByItself,
    HopesForRefused,
    CallsRefusedCredentialsARefusal,
    TakesSlowDownForRefused,
    TakesTroubleForTheEnd,
    FollowsRedirects,
    MakesANewKeyEachTime,
    DoesNotEscape,
    PutsAnythingIntoPaths,
    PanicsOnStrangeAnswers,
    NamesAnotherChannel,
    FailsToDeleteTwice,
    FailsOnUnknownTokens,
    GivesUpDeleting,
    CallsEverythingActive,
    TakesPendingForActive,
    DoesNotSayWhatItReplaces,
    DeletesOnlyWhatWasReplaced,
    PrintsItsKey,
    PrintsTokensInErrors,
    LogsLinks,
    /// A flaw in charging. Providers with another flaw charge nothing, so that each is seen by its own trials.
    Charging(ChargeFlaw),
}

/// Each flaw, an account that shows it, and the trials that see it.
pub(crate) const FLAWS: &[(Flaw, Proof, &[&str])] = &[
    (Flaw::DeclaresAChannelTwice, Proof::Token, &["what is declared is well formed"]),
    (Flaw::DeclaresAForeignChannel, Proof::Token, &["every declared channel is accepted"]),
    (Flaw::DeclaresAWelcomeForForgers, Proof::Token, &["what is declared is well formed"]),
    (Flaw::DeclaresLongerMetadata, Proof::Token, &["declared limits are accepted"]),
    (
        Flaw::TakesHintsForSigned,
        Proof::Token,
        &["webhooks prove what is declared", "an altered webhook changes nothing"],
    ),
    (Flaw::DeclaresNoDeletion, Proof::Token, &["deletion is as declared"]),
    (
        Flaw::DeletesOnlyInWords,
        Proof::Token,
        &[
            "deletion is as declared",
            "deleting twice is no error",
            "an unknown token is gone",
            "a deletion is tried until it is done",
            "a replaced token is the same method",
            "a deletion reaches the token in its place",
        ],
    ),
    (Flaw::IgnoresUnknownKeys, Proof::Token, &["settings are strict and errors show no value"]),
    (Flaw::TakesEmptySecrets, Proof::Token, &["empty secrets are refused"]),
    (Flaw::TakesTestForLive, Proof::Token, &["test and live are not mixed up"]),
    (Flaw::IgnoresOptions, Proof::Token, &["unknown provider options are refused"]),
    (Flaw::ChecksNothing, Proof::Token, &["the check tells a right key from a wrong one"]),
    (Flaw::LeadsNowhere, Proof::Token, &["the customer is told where to go", "nothing prints a secret"]),
    (
        Flaw::SavesNoDisplay,
        Proof::Token,
        &[
            "a webhook saves the method",
            "a return saves the method",
            "a poll after a restart saves the method",
            "a webhook before the answer is not lost",
            "a completion after the end is real",
            "repeated webhooks are one",
            "webhooks may come in any order",
            "a replaced token is the same method",
        ],
    ),
    (
        Flaw::ReadsNoEvents,
        Proof::Token,
        &[
            "deletion is as declared",
            "a webhook saves the method",
            "any one webhook of a completion is enough",
            "a webhook before the answer is not lost",
            "a completion after the end is real",
            "repeated webhooks are one",
            "webhooks may come in any order",
            "a card saved twice is one method",
            "a failed attempt is not the end",
            "leaving the page is not the end",
            "what the browser says is not believed",
            "an unknown status changes nothing",
            "secrets are changed without a gap",
            "a replayed webhook brings nothing back",
            "no answer makes the provider panic",
            "a saved token can be asked about",
            "deleting twice is no error",
            "an unknown token is gone",
            "a deletion is tried until it is done",
            "what the bank takes back is revoked here",
            "what is usable later is pending until then",
            "a replaced token is the same method",
            "a deletion reaches the token in its place",
            "nothing prints a secret",
        ],
    ),
    (
        Flaw::ReadsNoTokenEvents,
        Proof::Token,
        &[
            "any one webhook of a completion is enough",
            "what the bank takes back is revoked here",
            "what is usable later is pending until then",
            "a replaced token is the same method",
        ],
    ),
    (
        Flaw::SendsCustomersAway,
        Proof::Token,
        &[
            "a return saves the method",
            "completions at the same time are kept apart",
            "what the browser says is not believed",
            "a gateway in trouble changes nothing",
        ],
    ),
    (
        Flaw::ForgetsWhenRestarted,
        Proof::Token,
        &[
            "a poll after a restart saves the method",
            "a webhook before the answer is not lost",
            "secrets are changed without a gap",
        ],
    ),
    (
        Flaw::DropsOurReference,
        Proof::Token,
        &[
            "any one webhook of a completion is enough",
            "a webhook before the answer is not lost",
            "a canceled session is over at the gateway",
            "a completion beats a cancellation",
        ],
    ),
    (Flaw::CallsLateCompletionsExpired, Proof::Token, &["a completion after the end is real"]),
    (
        Flaw::CountsAttemptsAsEvents,
        Proof::Token,
        &["repeated webhooks are one", "a replayed webhook brings nothing back"],
    ),
    (Flaw::OneKeyForAll, Proof::Token, &["webhooks may come in any order"]),
    (Flaw::MixesCallers, Proof::Token, &["completions at the same time are kept apart"]),
    (Flaw::HasNoFingerprint, Proof::Token, &["a card saved twice is one method"]),
    (Flaw::MakesCustomersAnew, Proof::Token, &["a customer is made once"]),
    (Flaw::TakesFailedAttemptsForTheEnd, Proof::Token, &["a failed attempt is not the end"]),
    (Flaw::EndsSessionsOnLeaving, Proof::Token, &["leaving the page is not the end"]),
    (Flaw::BelievesTheBrowser, Proof::Token, &["what the browser says is not believed"]),
    (Flaw::DoesNotKnowExpired, Proof::Token, &["a session that the gateway ended is over"]),
    (Flaw::CancelsOnlyInWords, Proof::Token, &["a canceled session is over at the gateway"]),
    (
        Flaw::FailsToCancelWhatIsOver,
        Proof::Token,
        &["a canceled session is over at the gateway", "a completion beats a cancellation"],
    ),
    (Flaw::TakesUnknownForFailed, Proof::Token, &["an unknown status changes nothing"]),
    (Flaw::TakesUnknownForCompleted, Proof::Token, &["an unknown status changes nothing"]),
    (
        Flaw::TakesAnySecret,
        Proof::Token,
        &[
            "a webhook by a wrong secret is refused",
            "a webhook proves itself by one header",
            "secrets are changed without a gap",
        ],
    ),
    (
        Flaw::TakesEmptyProof,
        Proof::Token,
        &[
            "a webhook by a wrong secret is refused",
            "a webhook proves itself by one header",
            "secrets are changed without a gap",
        ],
    ),
    (Flaw::TakesAnyOfTwoHeaders, Proof::Token, &["a webhook proves itself by one header"]),
    (Flaw::ForgetsThePreviousSecret, Proof::Token, &["secrets are changed without a gap"]),
    (Flaw::KeepsThePreviousSecret, Proof::Token, &["secrets are changed without a gap"]),
    (
        Flaw::IgnoresTheBody,
        Proof::Signature,
        &[
            "webhooks prove what is declared",
            "a webhook by a wrong secret is refused",
            "a webhook proves itself by one header",
            "secrets are changed without a gap",
            "an altered webhook changes nothing",
            "an old webhook is refused",
            "a webhook from the future is refused",
        ],
    ),
    (Flaw::TakesOldWebhooks, Proof::Signature, &["an old webhook is refused"]),
    (Flaw::TakesFutureWebhooks, Proof::Signature, &["a webhook from the future is refused"]),
    (
        Flaw::AllowsNoSkew,
        Proof::Signature,
        &[
            "repeated webhooks are one",
            "clocks may differ a little",
            "a replayed webhook brings nothing back",
        ],
    ),
    (
        Flaw::ChecksTheFirstItem,
        Proof::Items,
        &["secrets are changed without a gap", "one forged item spoils the delivery"],
    ),
    (
        Flaw::RefusesUnknownEvents,
        Proof::Token,
        &["webhooks prove what is declared", "unknown events are acknowledged and ignored"],
    ),
    (Flaw::ActsOnUnknownEvents, Proof::Token, &["unknown events are acknowledged and ignored"]),
    (Flaw::PanicsOnGarbage, Proof::Token, &["what cannot be read is refused without a panic"]),
    (Flaw::TakesGarbage, Proof::Token, &["what cannot be read is refused without a panic"]),
    (
        Flaw::TakesLostForRefused,
        Proof::Token,
        &["a webhook before the answer is not lost", "a creation whose end is not known is not a failure"],
    ),
    (
        Flaw::RepeatsByItself,
        Proof::Token,
        &[
            "a webhook before the answer is not lost",
            "a creation whose end is not known is not a failure",
            "a refused creation has failed",
            "the gateway may ask to slow down",
            "a repeated creation makes one session",
        ],
    ),
    (Flaw::HopesForRefused, Proof::Token, &["a refused creation has failed"]),
    (Flaw::CallsRefusedCredentialsARefusal, Proof::Token, &["a refused creation has failed"]),
    (Flaw::TakesSlowDownForRefused, Proof::Token, &["the gateway may ask to slow down"]),
    (Flaw::TakesTroubleForTheEnd, Proof::Token, &["a gateway in trouble changes nothing"]),
    (Flaw::FollowsRedirects, Proof::Token, &["redirects are not followed"]),
    (Flaw::MakesANewKeyEachTime, Proof::Token, &["a repeated creation makes one session"]),
    (Flaw::DoesNotEscape, Proof::Token, &["what the merchant says arrives as it is"]),
    (Flaw::PutsAnythingIntoPaths, Proof::Token, &["an id is never more than an id"]),
    (Flaw::PanicsOnStrangeAnswers, Proof::Token, &["no answer makes the provider panic"]),
    (Flaw::NamesAnotherChannel, Proof::Token, &["a saved token can be asked about"]),
    (
        Flaw::FailsToDeleteTwice,
        Proof::Token,
        &[
            "deleting twice is no error",
            "a deletion is tried until it is done",
            "a deletion reaches the token in its place",
        ],
    ),
    (Flaw::FailsOnUnknownTokens, Proof::Token, &["an unknown token is gone"]),
    (Flaw::GivesUpDeleting, Proof::Token, &["a deletion is tried until it is done"]),
    (Flaw::CallsEverythingActive, Proof::Token, &["what the bank takes back is revoked here"]),
    (Flaw::TakesPendingForActive, Proof::Token, &["what is usable later is pending until then"]),
    (Flaw::DoesNotSayWhatItReplaces, Proof::Token, &["a replaced token is the same method"]),
    (
        Flaw::DeletesOnlyWhatWasReplaced,
        Proof::Token,
        &["a deletion is tried until it is done", "a deletion reaches the token in its place"],
    ),
    (Flaw::PrintsItsKey, Proof::Token, &["nothing prints a secret"]),
    (Flaw::PrintsTokensInErrors, Proof::Token, &["nothing prints a secret"]),
    (Flaw::LogsLinks, Proof::Token, &["nothing prints a secret"]),
];

#[derive(Clone, Default)]
struct Memory {
    known: Arc<Mutex<BTreeSet<String>>>,
    slot: Arc<Mutex<Option<String>>>,
    count: Arc<AtomicU32>,
}

pub(crate) struct MutantDriver {
    flaw: Flaw,
    inner: HttpReference,
}

impl MutantDriver {
    pub(crate) fn new(flaw: Flaw, proof: Proof) -> Self {
        Self { flaw, inner: HttpReference::new(proof) }
    }
}

type Sign = Box<dyn Fn(&[u8], Timestamp) -> SentWebhook + Send + Sync>;

/// A provider with a flaw.
pub(crate) struct Mutant {
    pub(crate) flaw: Flaw,
    pub(crate) inner: Arc<dyn TokenizationProvider>,
    /// Knows the secret that replaces the current one, or no longer the one before it.
    other: Option<Arc<dyn TokenizationProvider>>,
    capabilities: Capabilities,
    memory: Memory,
    key: String,
    sign: Sign,
}

impl Mutant {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// The surroundings of a call under a key that was never used.
    pub(crate) fn next_key(&self, cx: &CallContext) -> CallContext {
        let mut cx = cx.clone();
        let count = self.memory.count.fetch_add(1, Ordering::SeqCst);
        cx.idempotency_key = format!("{}-{count}", cx.idempotency_key);
        cx
    }

    fn observed(&self, cx: &CallContext, mut session: ProviderSession) -> ProviderSession {
        match self.flaw {
            Flaw::HasNoFingerprint => session.methods.iter_mut().for_each(|method| method.fingerprint = None),
            Flaw::SavesNoDisplay => {
                session.methods.iter_mut().for_each(|method| method.display = Display::default());
            }
            Flaw::TakesPendingForActive => {
                let pending = |method: &&mut ProviderMethod| method.status == ProviderMethodStatus::Pending;
                let pending = session.methods.iter_mut().filter(pending);
                pending.for_each(|method| method.status = ProviderMethodStatus::Active);
            }
            Flaw::DoesNotKnowExpired if session.status == ProviderSessionStatus::Expired => {
                session.status = ProviderSessionStatus::Unknown;
            }
            Flaw::TakesUnknownForFailed if session.status == ProviderSessionStatus::Unknown => {
                session.status = ProviderSessionStatus::Failed;
            }
            Flaw::TakesUnknownForCompleted if session.status == ProviderSessionStatus::Unknown => {
                session.status = ProviderSessionStatus::Completed;
                session.methods.iter_mut().for_each(|method| method.status = ProviderMethodStatus::Active);
            }
            Flaw::CallsLateCompletionsExpired
                if session.expires_at.is_some_and(|end| end < cx.clock.now()) =>
            {
                session.status = ProviderSessionStatus::Expired;
            }
            Flaw::LeadsNowhere => session.next = None,
            Flaw::LogsLinks => {
                if let Some(NextAction::Redirect(url)) = &session.next {
                    tracing::info!(url = url.expose_secret(), "the customer's page");
                }
            }
            _ => {}
        }
        session
    }

    fn garbled(&self, error: Error) -> Error {
        let kind = error.kind();
        let new = |kind, retry: Retry| Error::new(kind, "the flaw speaks").with_retry(retry);
        let fault = error.fault().cloned().unwrap_or_default();
        let status = fault.http_status;
        let changed = match (self.flaw, kind) {
            (Flaw::TakesLostForRefused, ErrorKind::GatewayUnavailable)
            | (Flaw::CallsRefusedCredentialsARefusal, ErrorKind::GatewayAuthentication)
            | (Flaw::TakesSlowDownForRefused, ErrorKind::GatewayRateLimited) => {
                new(ErrorKind::GatewayRejected, Retry::Never)
            }
            (Flaw::HopesForRefused, ErrorKind::GatewayRejected) => new(kind, Retry::SameKey { after: None }),
            _ => return error,
        };
        if status.is_some() { changed.with_fault(fault) } else { changed }
    }

    /// A delivery with the proof that it should have had.
    fn proven(&self, delivery: &WebhookDelivery) -> WebhookDelivery {
        let right = (self.sign)(&delivery.body, delivery.received_at);
        WebhookDelivery::new(right.body, right.headers, "", delivery.received_at)
    }

    fn read(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        let header = HeaderName::from_static("reference-proof");
        let given = delivery.headers.get(&header);
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        let readable = serde_json::from_str::<Value>(&body).is_ok_and(|body| body["events"].is_array());
        let signed_at = given.and_then(|given| given.to_str().ok()).and_then(|given| {
            let time = given.strip_prefix("t=")?.split_once(',')?.0;
            time.parse::<i64>().ok()
        });
        let (now, read) = (delivery.received_at.as_millis() / 1000, |delivery: &WebhookDelivery| {
            self.inner.read_webhook(delivery)
        });
        // What the flaw lets in.
        let at = |at: i64| {
            let now = Timestamp::from_millis(at * 1000);
            WebhookDelivery::new(delivery.body.clone(), delivery.headers.clone(), "", now)
        };
        match (self.flaw, signed_at) {
            (Flaw::TakesAnySecret, _) | (Flaw::IgnoresTheBody, Some(_)) => {
                return read(&self.proven(delivery));
            }
            (Flaw::TakesEmptyProof, _) if given.is_none_or(HeaderValue::is_empty) => {
                return read(&self.proven(delivery));
            }
            (Flaw::TakesAnyOfTwoHeaders, _) => {
                for value in delivery.headers.get_all(&header) {
                    let mut one = delivery.clone();
                    one.headers.insert(header.clone(), value.clone());
                    if let Ok(batch) = read(&one) {
                        return Ok(batch);
                    }
                }
            }
            (Flaw::TakesOldWebhooks, Some(signed)) if signed < now => return read(&at(signed)),
            (Flaw::TakesFutureWebhooks, Some(signed)) if signed > now => return read(&at(signed)),
            (Flaw::AllowsNoSkew, Some(signed)) if signed != now => return Err(WebhookRejection::Unauthentic),
            (Flaw::ChecksTheFirstItem, _) if readable => {
                let mut body: Value = serde_json::from_str(&body).unwrap_or_default();
                let first = body["events"][0].clone();
                body["events"] = serde_json::json!([first]);
                let mut one = delivery.clone();
                one.body = Bytes::from(body.to_string());
                read(&one)?;
                return read(&self.proven(delivery));
            }
            (Flaw::PanicsOnGarbage, _) => assert!(readable, "the flaw speaks"),
            (Flaw::TakesGarbage, _) if !readable => return Ok(WebhookBatch::new(Trust::Hint, Vec::new())),
            (Flaw::RefusesUnknownEvents, _) if body.contains("painted") => {
                return Err(WebhookRejection::Unreadable);
            }
            (Flaw::ForgetsThePreviousSecret | Flaw::KeepsThePreviousSecret, _) => {
                if let Some(other) = &self.other {
                    let outcome = other.read_webhook(delivery);
                    if outcome.is_ok() || self.is(Flaw::ForgetsThePreviousSecret) {
                        return outcome;
                    }
                }
            }
            _ => {}
        }
        read(delivery)
    }
}

impl fmt::Debug for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flaw {
            Flaw::PrintsItsKey => write!(f, "Mutant({})", self.key),
            _ => f.write_str("Mutant"),
        }
    }
}

#[async_trait]
impl TokenizationProvider for Mutant {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        let mut request = request.clone();
        if self.is(Flaw::IgnoresOptions) {
            request.provider_options = None;
        }
        self.inner.validate(&request)
    }

    async fn create_session(&self, cx: &CallContext, mut request: CreateSession) -> Result<ProviderSession> {
        let mut cx = cx.clone();
        match self.flaw {
            Flaw::SendsCustomersAway => request.success_url = "https://shop.example/thanks".parse().unwrap(),
            Flaw::EndsSessionsOnLeaving => request.cancel_url = request.cancel_url.join("?cancel").unwrap(),
            Flaw::DropsOurReference => "ours".clone_into(&mut request.reference),
            Flaw::MakesANewKeyEachTime => {
                cx.idempotency_key = format!("key-{}", self.memory.count.fetch_add(1, Ordering::SeqCst));
            }
            Flaw::DoesNotEscape => {
                for text in request.metadata.values_mut() {
                    *text = text.replace(['&', '"', '+'], " ");
                }
            }
            _ => {}
        }
        let mut made = self.inner.create_session(&cx, request.clone()).await;
        if self.is(Flaw::RepeatsByItself) && made.is_err() {
            made = self.inner.create_session(&cx, request).await;
        }
        let made = made.map_err(|error| self.garbled(error))?;
        self.memory.known.lock().unwrap().insert(made.reference.clone());
        let mut made = self.observed(&cx, made);
        if self.is(Flaw::DropsOurReference) {
            made.echo.reference = None;
        }
        Ok(made)
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let (reference, evidence) = (session.reference.clone(), session.evidence.clone());
        match self.flaw {
            Flaw::ForgetsWhenRestarted if !self.memory.known.lock().unwrap().contains(&reference) => {
                return Err(Error::new(ErrorKind::GatewayRejected, "the flaw forgot"));
            }
            Flaw::EndsSessionsOnLeaving if evidence.as_deref() == Some("cancel") => {
                return self.inner.cancel_session(cx, session).await;
            }
            Flaw::BelievesTheBrowser if evidence.as_deref() == Some("believe") => {
                let mut session = ProviderSession::new(reference, ProviderSessionStatus::Completed);
                let token = TokenRef::new("tok-believed".to_owned());
                let kind = billfold_core::capability::MethodKind::Card;
                session.methods.push(ProviderMethod::new(token, kind, "CARD", ProviderMethodStatus::Active));
                return Ok(session);
            }
            Flaw::PutsAnythingIntoPaths if reference.contains(['.', '?', '#', '/']) => {
                let uri = format!("https://reference.example/sessions/{reference}");
                if let Ok(request) = http::Request::get(uri).body(Bytes::new()) {
                    cx.send(request).await?;
                }
            }
            Flaw::MixesCallers => {
                *self.memory.slot.lock().unwrap() = Some(reference);
                tokio::task::yield_now().await;
                let last = self.memory.slot.lock().unwrap().clone().unwrap();
                return self.inner.fetch_session(cx, SessionRef::new(last)).await;
            }
            _ => {}
        }
        let fetched = self.inner.fetch_session(cx, session).await;
        match fetched {
            Ok(fetched) => {
                let mut fetched = self.observed(cx, fetched);
                let strange = fetched.expires_at.is_none() || fetched.echo.country.is_none();
                assert!(!(self.is(Flaw::PanicsOnStrangeAnswers) && strange), "the flaw speaks");
                if self.is(Flaw::DropsOurReference) {
                    fetched.echo.reference = None;
                    fetched.methods.iter_mut().for_each(|method| method.echo.reference = None);
                }
                if self.is(Flaw::TakesFailedAttemptsForTheEnd) && self.memory.slot.lock().unwrap().is_some() {
                    fetched.status = ProviderSessionStatus::Failed;
                }
                Ok(fetched)
            }
            Err(error) => {
                let status = error.fault().and_then(|fault| fault.http_status);
                if self.is(Flaw::FollowsRedirects) && status == Some(302) {
                    let request =
                        http::Request::get("https://elsewhere.example/take").body(Bytes::new()).unwrap();
                    cx.send(request).await?;
                }
                if self.is(Flaw::TakesTroubleForTheEnd) && status == Some(404) {
                    return Ok(ProviderSession::new(reference, ProviderSessionStatus::Expired));
                }
                Err(error)
            }
        }
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        match self.flaw {
            Flaw::CancelsOnlyInWords => {
                let mut fetched = self.inner.fetch_session(cx, session).await?;
                if fetched.status == ProviderSessionStatus::Active {
                    fetched.status = ProviderSessionStatus::Canceled;
                }
                return Ok(fetched);
            }
            Flaw::FailsToCancelWhatIsOver => {
                let fetched = self.inner.fetch_session(cx, session.clone()).await?;
                if fetched.status != ProviderSessionStatus::Active {
                    return Err(Error::new(ErrorKind::GatewayRejected, "the flaw speaks"));
                }
            }
            _ => {}
        }
        self.inner.cancel_session(cx, session).await
    }

    fn read_return(&self, request: &ReturnRequest) -> ReturnHint {
        let evidence = match self.flaw {
            Flaw::BelievesTheBrowser if request.query.contains("succeeded") => Some("believe".to_owned()),
            Flaw::EndsSessionsOnLeaving if request.query.contains("cancel") => Some("cancel".to_owned()),
            Flaw::Charging(flaw) => flaw.believes(request),
            _ => None,
        };
        ReturnHint { evidence }
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        let mut batch = self.read(delivery)?;
        let count = self.memory.count.fetch_add(1, Ordering::SeqCst);
        for event in &mut batch.events {
            let is_token = matches!(event.subject, EventSubject::Method { .. });
            match self.flaw {
                Flaw::ReadsNoEvents => event.subject = EventSubject::Other,
                Flaw::Charging(flaw) => flaw.read(event),
                Flaw::ReadsNoTokenEvents if is_token => event.subject = EventSubject::Other,
                Flaw::CountsAttemptsAsEvents => event.dedupe_key = format!("{}-{count}", event.dedupe_key),
                Flaw::OneKeyForAll => event.dedupe_key = event.name.clone(),
                Flaw::ActsOnUnknownEvents if event.subject == EventSubject::Other => {
                    event.subject =
                        EventSubject::Method { token: "tok-0000".into(), merchant_reference: None };
                }
                Flaw::TakesFailedAttemptsForTheEnd if event.name == "attempt.failed" => {
                    *self.memory.slot.lock().unwrap() = Some(String::new());
                }
                Flaw::DropsOurReference => match &mut event.subject {
                    EventSubject::Session { merchant_reference, .. }
                    | EventSubject::Charge { merchant_reference, .. }
                    | EventSubject::Method { merchant_reference, .. } => *merchant_reference = None,
                    EventSubject::Other => {}
                },
                _ => {}
            }
        }
        Ok(batch)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        let text = token.token.expose_secret().to_owned();
        let mut method = self.inner.fetch_method(cx, token).await.map_err(|error| {
            if self.is(Flaw::PrintsTokensInErrors) { error.with_context("token", text) } else { error }
        })?;
        match self.flaw {
            Flaw::CallsEverythingActive => method.status = ProviderMethodStatus::Active,
            Flaw::DoesNotSayWhatItReplaces => method.replaces = None,
            Flaw::NamesAnotherChannel => "OTHER".clone_into(&mut method.channel),
            Flaw::SavesNoDisplay => method.display = Display::default(),
            _ => {}
        }
        Ok(method)
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        let status = || self.inner.fetch_method(cx, token.clone());
        match self.flaw {
            Flaw::DeletesOnlyInWords => return Ok(Deletion::Deleted),
            Flaw::FailsToDeleteTwice
                if status().await.is_ok_and(|method| method.status == ProviderMethodStatus::Revoked) =>
            {
                return Err(Error::new(ErrorKind::GatewayRejected, "the flaw speaks"));
            }
            Flaw::DeletesOnlyWhatWasReplaced
                if status().await.is_ok_and(|method| method.replaces.is_some()) =>
            {
                return Ok(Deletion::AlreadyGone);
            }
            Flaw::FailsOnUnknownTokens => {
                self.inner.fetch_method(cx, token.clone()).await?;
            }
            _ => {}
        }
        match self.inner.delete_method(cx, token).await {
            Err(error) if self.is(Flaw::GivesUpDeleting) && error.kind() == ErrorKind::GatewayUnavailable => {
                Ok(Deletion::AlreadyGone)
            }
            outcome => outcome,
        }
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        let outcome = self.inner.check(cx).await;
        if self.is(Flaw::ChecksNothing) { Ok(()) } else { outcome }
    }

    fn customers(&self) -> Option<&dyn CustomerDirectory> {
        Some(self)
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        matches!(self.flaw, Flaw::Charging(_)).then_some(self as &dyn ChargeProvider)
    }
}

#[async_trait]
impl CustomerDirectory for Mutant {
    async fn ensure(&self, cx: &CallContext, mut customer: EnsureCustomer) -> Result<String> {
        if self.is(Flaw::MakesCustomersAnew) {
            let count = self.memory.count.fetch_add(1, Ordering::SeqCst);
            customer.reference = format!("{}-{count}", customer.reference);
        }
        self.inner.customers().unwrap().ensure(cx, customer).await
    }
}

#[async_trait]
impl Driver for MutantDriver {
    fn build(&self, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        let mut values = settings.values.clone();
        let (mut mode, mut other) = (settings.mode, None);
        match self.flaw {
            Flaw::IgnoresUnknownKeys => {
                values.as_object_mut().unwrap().remove("no_such_key");
            }
            Flaw::TakesEmptySecrets
                if values["webhook_secret"].as_str().is_some_and(|it| it.trim().is_empty()) =>
            {
                values["webhook_secret"] = "anything".into();
            }
            Flaw::TakesTestForLive => mode = Mode::Test,
            _ => {}
        }
        let with = |values: Value| {
            let Settings { gateway, origin, development, .. } = settings;
            let (gateway, origin, development) = (gateway.clone(), origin.clone(), *development);
            self.inner.build(&Settings { gateway, mode, origin, development, values })
        };
        let rotation = self.inner.rotation().unwrap();
        if self.flaw == Flaw::ForgetsThePreviousSecret && values == rotation.during {
            other = Some(with(rotation.after)?);
        } else if self.flaw == Flaw::KeepsThePreviousSecret && values == rotation.after {
            other = Some(with(rotation.during)?);
        }
        let inner = with(values)?;
        let mut capabilities = inner.capabilities().clone();
        match self.flaw {
            Flaw::DeclaresAChannelTwice => capabilities.channels.push(capabilities.channels[0].clone()),
            Flaw::DeclaresAForeignChannel => {
                let mut channel = capabilities.channels[0].clone();
                "ABACUS".clone_into(&mut channel.code);
                capabilities.channels.push(channel);
            }
            Flaw::DeclaresAWelcomeForForgers => capabilities.webhook_refusal = 204,
            Flaw::TakesHintsForSigned => capabilities.webhook_trust = Trust::Signed,
            Flaw::DeclaresLongerMetadata => capabilities.metadata.value_length *= 2,
            Flaw::DeclaresNoDeletion => capabilities.remote_deletion = false,
            _ => {}
        }
        let proof = HttpReference::new(self.inner.proof());
        let sign = move |body: &[u8], at| proof.sign(body, Signer::Current, at);
        let key = self.inner.canaries()[0].clone();
        let (flaw, memory, sign) = (self.flaw, Memory::default(), Box::new(sign));
        Ok(Arc::new(Mutant { flaw, inner, other, capabilities, memory, key, sign }))
    }

    fn settings(&self) -> Value {
        self.inner.settings()
    }

    fn secret_settings(&self) -> Vec<&'static str> {
        self.inner.secret_settings()
    }

    fn wrong_api_key(&self) -> (&'static str, String) {
        self.inner.wrong_api_key()
    }

    fn rotation(&self) -> Option<Rotation> {
        self.inner.rotation()
    }

    fn canaries(&self) -> Vec<String> {
        self.inner.canaries()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        self.inner.transport()
    }

    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn request(&self, customer: &str) -> StartSession {
        self.inner.request(customer)
    }

    async fn sessions(&self) -> Vec<String> {
        self.inner.sessions().await
    }

    async fn metadata(&self, session: &str) -> Option<BTreeMap<String, String>> {
        self.inner.metadata(session).await
    }

    async fn way_back(&self, session: &str, success: bool) -> Option<Url> {
        self.inner.way_back(session, success).await
    }

    async fn complete(&self, session: &str, card: Card) -> Option<String> {
        self.inner.complete(session, card).await
    }

    async fn complete_pending(&self, session: &str, card: Card) -> Option<String> {
        self.inner.complete_pending(session, card).await
    }

    async fn activate(&self, token: &str) -> bool {
        self.inner.activate(token).await
    }

    async fn replace(&self, token: &str) -> Option<String> {
        self.inner.replace(token).await
    }

    async fn decline(&self, session: &str) -> bool {
        self.inner.decline(session).await
    }

    async fn expire(&self, session: &str) -> bool {
        self.inner.expire(session).await
    }

    async fn revoke(&self, token: &str) -> bool {
        self.inner.revoke(token).await
    }

    async fn is_usable(&self, token: &str) -> bool {
        self.inner.is_usable(token).await
    }

    async fn is_open(&self, session: &str) -> bool {
        self.inner.is_open(session).await
    }

    async fn webhooks(&self) -> Vec<SentWebhook> {
        self.inner.webhooks().await
    }

    fn sign(&self, body: &[u8], signer: Signer, at: Timestamp) -> SentWebhook {
        self.inner.sign(body, signer, at)
    }

    fn again(&self, webhook: &SentWebhook) -> SentWebhook {
        self.inner.again(webhook)
    }

    fn unknown_event(&self) -> Value {
        self.inner.unknown_event()
    }

    fn forged_batch(&self, genuine: &[SentWebhook]) -> Option<SentWebhook> {
        self.inner.forged_batch(genuine)
    }

    fn proof_header(&self) -> Option<HeaderName> {
        self.inner.proof_header()
    }

    fn tolerance(&self) -> Option<Duration> {
        self.inner.tolerance()
    }

    fn statuses(&self) -> Vec<&'static str> {
        self.inner.statuses()
    }

    fn charges(&self) -> Option<Arc<dyn ChargeDriver>> {
        self.inner.charges()
    }

    fn is_idempotent(&self) -> bool {
        self.inner.is_idempotent()
    }
}
