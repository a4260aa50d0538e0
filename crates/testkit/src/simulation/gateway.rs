//! The gateways' side: reference gateways behind a line that fails, and their own books.

mod charging;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use billfold_core::capability::{Capabilities, Trust};
use billfold_core::clock::Timestamp;
use billfold_core::provider::{
    CallContext, ChargeProvider, CreateSession, Deletion, Echo, NextAction, ProviderMethod, ProviderSession,
    ProviderSessionStatus, ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider,
    WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::secret::{ExposeSecret as _, SecretString};
use billfold_core::{Error, ErrorKind, Result};

use super::Flaw;
use super::scene::{Scene, lock};
use crate::reference::{ReferenceGateway, ReferenceProvider, SECRET_HEADER, outcome_unknown};

/// A session as its gateway knows it.
#[derive(Debug, Clone)]
pub(super) struct GatewaySession {
    /// At which account.
    pub(super) account: usize,
    /// The gateway's id.
    pub(super) id: String,
    /// What the merchant's side calls it: the id of Billfold's session.
    pub(super) reference: String,
    /// What the merchant's side calls the customer: the id of Billfold's.
    pub(super) customer: String,
    /// When it ends.
    pub(super) expires_at: Timestamp,
    /// Whether the customer was given the link to the hosted page.
    pub(super) linked: bool,
    /// Whether its webhooks carry the reference.
    pub(super) told: bool,
    /// What the customer saved in it.
    pub(super) token: Option<String>,
}

/// What a gateway has to tell about a charge.
#[derive(Debug)]
pub(super) struct News {
    pub(super) account: usize,
    /// Our reference of the charge.
    pub(super) about: String,
    pub(super) body: String,
}

/// What all accounts know together. Nobody on Billfold's side reads it.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    sessions: Vec<GatewaySession>,
    deleted: BTreeSet<(usize, String)>,
    spoiled: BTreeSet<(usize, String)>,
    /// What is to be told, and was not sent yet.
    news: Vec<News>,
    /// Charges whose customers were given the link to the page where they have to act.
    linked_charges: BTreeSet<String>,
}

impl Accounts {
    pub(super) fn sessions(&self) -> Vec<GatewaySession> {
        lock(&self.0).sessions.clone()
    }

    /// The customer has the link to the hosted page.
    pub(super) fn link(&self, reference: &str) {
        for session in &mut lock(&self.0).sessions {
            session.linked |= session.reference == reference;
        }
    }

    /// The customer saved something.
    pub(super) fn save(&self, account: usize, id: &str, token: &str) {
        let mut books = lock(&self.0);
        books.deleted.remove(&(account, token.to_owned()));
        for session in &mut books.sessions {
            if session.account == account && session.id == id {
                session.token = Some(token.to_owned());
            }
        }
    }

    /// The customer or the bank took a token back, or it never became usable.
    pub(super) fn spoil(&self, account: usize, token: &str) {
        lock(&self.0).spoiled.insert((account, token.to_owned()));
    }

    pub(super) fn tell(&self, news: News) {
        lock(&self.0).news.push(news);
    }

    pub(super) fn take_news(&self) -> Vec<News> {
        std::mem::take(&mut lock(&self.0).news)
    }

    /// The customer has the link to the page of a charge.
    pub(super) fn link_charge(&self, reference: &str) {
        lock(&self.0).linked_charges.insert(reference.to_owned());
    }

    pub(super) fn is_linked(&self, reference: &str) -> bool {
        lock(&self.0).linked_charges.contains(reference)
    }

    pub(super) fn is_spoiled(&self, account: usize, token: &str) -> bool {
        lock(&self.0).spoiled.contains(&(account, token.to_owned()))
    }

    /// Whether Billfold had a token deleted, and nobody saved it anew since.
    pub(super) fn is_deleted(&self, account: usize, token: &str) -> bool {
        lock(&self.0).deleted.contains(&(account, token.to_owned()))
    }
}

/// One account at a gateway, as Billfold reaches it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) index: usize,
    pub(super) gateway: Arc<ReferenceGateway>,
    inner: ReferenceProvider,
    secret: String,
    scene: Arc<Scene>,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Refused,
    Unavailable,
    LostBefore,
    LostAfter,
}

impl Account {
    pub(super) fn new(index: usize, scene: &Arc<Scene>) -> Arc<Self> {
        let gateway = Arc::new(ReferenceGateway::new());
        let secret = format!("CANARY-secret-{index}");
        let trust = if Self::is_mute_at(index) { Trust::Signed } else { Trust::Hint };
        let inner = ReferenceProvider::new(gateway.clone(), &secret)
            .declaring(|capabilities| capabilities.webhook_trust = trust)
            .charging_with(|abilities| abilities.lookup = index == 0);
        Arc::new(Self { index, gateway, inner, secret, scene: scene.clone() })
    }

    /// What its webhooks carry.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    fn fault(&self, call: &str) -> Option<Fault> {
        let Scene { weather, dice, .. } = &*self.scene;
        if weather.is_over() {
            return None;
        }
        let fault = if weather.gateway_is_away(self.index) {
            if dice.chance(500) { Fault::Unavailable } else { Fault::LostBefore }
        } else if dice.chance(weather.rates.gateway_fails) {
            [Fault::Refused, Fault::Unavailable, Fault::LostBefore, Fault::LostAfter][dice.below(4)]
        } else {
            return None;
        };
        self.scene.tell(format!("    gateway {}: {call} is {fault:?}", self.index));
        Some(fault)
    }

    async fn call<T>(&self, name: &'static str, act: impl Future<Output = Result<T>>) -> Result<T> {
        let gate = &self.scene.gate;
        gate.pass(name).await;
        match self.fault(name) {
            None => {}
            Some(Fault::Refused) => {
                return Err(Error::new(ErrorKind::GatewayRejected, "the gateway refused"));
            }
            Some(Fault::Unavailable) => {
                let retry = billfold_core::error::Retry::SameKey { after: None };
                let error = Error::new(ErrorKind::GatewayUnavailable, "the gateway has a problem");
                return Err(error.with_retry(retry));
            }
            Some(Fault::LostBefore) => return Err(outcome_unknown()),
            Some(Fault::LostAfter) => {
                act.await?;
                gate.pass("lost answer").await;
                return Err(outcome_unknown());
            }
        }
        let answer = act.await;
        gate.pass("answer").await;
        answer
    }

    async fn open(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        let (reference, customer) = (request.reference.clone(), request.customer_reference.clone());
        let expires_at = request.expires_at;
        let mut session = self.inner.create_session(cx, request).await?;
        let id = session.reference.clone();
        session.next =
            Some(NextAction::Redirect(SecretString::from(format!("https://pay.example/CANARY-link/{id}"))));
        let (account, told) = (self.index, self.scene.dice.chance(700));
        let known =
            GatewaySession { account, id, reference, customer, expires_at, linked: false, told, token: None };
        lock(&self.scene.accounts.0).sessions.push(known);
        Ok(session)
    }

    async fn delete(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        let text = token.token.expose_secret().to_owned();
        let deletion = self.inner.delete_method(cx, token).await?;
        lock(&self.scene.accounts.0).deleted.insert((self.index, text));
        Ok(deletion)
    }

    /// Another session's methods, as a gateway would give them that mixes up its customers.
    async fn mix_up(&self, cx: &CallContext, mut answer: ProviderSession) -> Result<ProviderSession> {
        let sessions = self.scene.accounts.sessions();
        let asked = sessions.iter().find(|one| one.account == self.index && one.id == answer.reference);
        let other = sessions.iter().find(|other| {
            other.account == self.index
                && other.token.is_some()
                && asked.is_some_and(|asked| asked.customer != other.customer)
        });
        if let (false, Some(other)) = (answer.methods.is_empty(), other) {
            answer.methods = self.inner.fetch_session(cx, SessionRef::new(&other.id)).await?.methods;
            for method in &mut answer.methods {
                method.echo = Echo::default();
            }
        }
        Ok(answer)
    }
}

#[async_trait]
impl TokenizationProvider for Account {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        self.inner.validate(request)
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        self.call("create_session", self.open(cx, request)).await
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        let reference = session.reference.clone();
        let answer = self.call("fetch_session", self.inner.fetch_session(cx, session)).await;
        let unknown = |error: &Error| error.kind() == ErrorKind::GatewayUnavailable;
        match answer {
            Err(error) if self.scene.has(Flaw::TimeOutIsFailure) && unknown(&error) => {
                Ok(ProviderSession::new(reference, ProviderSessionStatus::Failed))
            }
            Ok(answer) if self.scene.has(Flaw::MixesCustomers) => self.mix_up(cx, answer).await,
            Ok(mut answer) if self.scene.has(Flaw::ShowsTokens) => {
                for method in &mut answer.methods {
                    method.display.brand = Some(method.token.token.expose_secret().to_owned());
                }
                Ok(answer)
            }
            answer => answer,
        }
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        self.call("cancel_session", self.inner.cancel_session(cx, session)).await
    }

    fn read_return(&self, request: &ReturnRequest) -> ReturnHint {
        self.inner.read_return(request)
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        if self.scene.has(Flaw::IgnoresTheSecret) {
            let mut delivery = delivery.clone();
            delivery.headers.insert(SECRET_HEADER, self.secret.parse().unwrap());
            return self.inner.read_webhook(&delivery);
        }
        let mut read = self.inner.read_webhook(delivery)?;
        if self.scene.has(Flaw::BelievesHints) {
            read.trust = Trust::Signed;
        }
        Ok(read)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        self.call("fetch_method", self.inner.fetch_method(cx, token)).await
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        if self.scene.has(Flaw::KeepsTokens) {
            return self.call("delete_method", async { Ok(Deletion::Deleted) }).await;
        }
        self.call("delete_method", self.delete(cx, token)).await
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.inner.check(cx).await
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
}
