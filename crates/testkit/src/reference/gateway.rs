//! The gateway's side: sessions, tokens, and whatever trouble a test orders.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use billfold_core::capability::MethodKind;
use billfold_core::error::Retry;
use billfold_core::payment_method::Display;
use billfold_core::provider::{
    CreateSession, Deletion, Echo, NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession,
    ProviderSessionStatus, TokenRef,
};
use billfold_core::secret::SecretString;
use billfold_core::{Error, ErrorKind, Result};

use super::charges::Ledger;
use super::outcome_unknown;

/// What a customer saves.
#[derive(Debug, Clone)]
pub struct Instrument {
    /// The gateway's token for it.
    pub token: String,
    /// The gateway's fingerprint of it, if it has one.
    pub fingerprint: Option<String>,
    /// Where the token stands.
    pub status: ProviderMethodStatus,
    /// Month (1 to 12) and year in which the card ends.
    pub expiry: Option<(u8, u16)>,
}

impl Instrument {
    /// An active card.
    pub fn card(token: &str, fingerprint: &str) -> Self {
        Self {
            token: token.to_owned(),
            fingerprint: Some(fingerprint.to_owned()),
            status: ProviderMethodStatus::Active,
            expiry: None,
        }
    }
}

/// Something that goes wrong with the next call of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The gateway does not act and says so.
    Refuse,
    /// The gateway does not act, and nobody learns that.
    LostBefore,
    /// The gateway acts, and the answer is lost.
    LostAfter,
    /// The gateway does not act and asks to be left alone for so long.
    SlowDown(Duration),
    /// The provider panics.
    Panic,
}

#[derive(Debug, Clone)]
struct Stored {
    session: ProviderSession,
    return_address: url::Url,
    /// The gateway's customer for whom it was asked.
    customer: Option<String>,
    instruments: Vec<Instrument>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    sessions: BTreeMap<String, Stored>,
    tokens: BTreeMap<String, ProviderMethodStatus>,
    /// The instruments that took the place of others, by the token that they replaced.
    replaced: BTreeMap<String, Instrument>,
    /// The instruments that are answered instead of others, by token.
    mistaken: BTreeMap<String, Instrument>,
    trouble: VecDeque<(&'static str, Trouble)>,
    calls: Vec<String>,
    complete_on_create: Option<Instrument>,
    pub(super) ledger: Ledger,
}

impl State {
    /// Whether a token is of no use any more.
    pub(super) fn is_over(&self, token: &str) -> bool {
        use ProviderMethodStatus as P;
        matches!(self.tokens.get(token), Some(P::Revoked | P::Expired | P::Failed))
    }
}

/// A gateway in memory.
#[derive(Debug, Default)]
pub struct ReferenceGateway {
    state: Mutex<State>,
}

impl ReferenceGateway {
    /// A gateway without sessions.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Orders trouble for the next call named `call`: `create_session`, `fetch_session`,
    /// `cancel_session`, `fetch_method`, `delete_method`, `check`, `charge`, `fetch_charge`, `capture_charge`,
    /// `cancel_charge`, `refund_charge`, `fetch_refund`.
    pub fn order(&self, call: &'static str, trouble: Trouble) {
        self.state().trouble.push_back((call, trouble));
    }

    /// Every call so far, by name.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// The gateway's ids of all its sessions, oldest first.
    pub fn sessions(&self) -> Vec<String> {
        self.state().sessions.keys().cloned().collect()
    }

    /// Where a session stands.
    pub fn session_status(&self, session: &str) -> Option<ProviderSessionStatus> {
        self.state().sessions.get(session).map(|stored| stored.session.status)
    }

    /// Where a session's customer returns to.
    pub fn return_address(&self, session: &str) -> Option<url::Url> {
        self.state().sessions.get(session).map(|stored| stored.return_address.clone())
    }

    /// The gateway's customer for whom a session was asked.
    pub fn session_customer(&self, session: &str) -> Option<String> {
        self.state().sessions.get(session)?.customer.clone()
    }

    /// Where a token stands.
    pub fn token_status(&self, token: &str) -> Option<ProviderMethodStatus> {
        self.state().tokens.get(token).copied()
    }

    /// The customer saves an instrument.
    pub fn complete(&self, session: &str, instrument: Instrument) {
        let mut state = self.state();
        state.tokens.insert(instrument.token.clone(), instrument.status);
        if let Some(stored) = state.sessions.get_mut(session) {
            stored.session.status = ProviderSessionStatus::Completed;
            stored.instruments.push(instrument);
        }
    }

    /// Sessions created from now on are completed before the answer to the call is given.
    pub fn complete_on_create(&self, instrument: Instrument) {
        self.state().complete_on_create = Some(instrument);
    }

    /// Puts a session into a status.
    pub fn set_session(&self, session: &str, status: ProviderSessionStatus) {
        if let Some(stored) = self.state().sessions.get_mut(session) {
            stored.session.status = status;
        }
    }

    /// Makes the gateway claim something else about a session than it was asked for.
    pub fn set_echo(&self, session: &str, echo: Echo) {
        if let Some(stored) = self.state().sessions.get_mut(session) {
            stored.session.echo = echo;
        }
    }

    /// Puts a token into a status.
    pub fn set_token(&self, token: &str, status: ProviderMethodStatus) {
        self.state().tokens.insert(token.to_owned(), status);
    }

    /// The bank puts another instrument in the place of the one behind a token, which is of no use any more.
    pub fn replace(&self, token: &str, instrument: Instrument) {
        let mut state = self.state();
        state.tokens.insert(token.to_owned(), ProviderMethodStatus::Revoked);
        state.tokens.insert(instrument.token.clone(), instrument.status);
        state.replaced.insert(token.to_owned(), instrument);
    }

    /// From now on, who asks about a token is told about another instrument, with no word of why.
    pub fn answer_about(&self, token: &str, instrument: Instrument) {
        let mut state = self.state();
        state.tokens.insert(instrument.token.clone(), instrument.status);
        state.mistaken.insert(token.to_owned(), instrument);
    }

    /// The bank renews the card behind a token: it ends in another month (1 to 12) and year.
    pub fn renew(&self, token: &str, month: u8, year: u16) {
        let mut state = self.state();
        for instrument in state.sessions.values_mut().flat_map(|stored| &mut stored.instruments) {
            if instrument.token == token {
                instrument.expiry = Some((month, year));
            }
        }
    }

    fn begin(&self, call: &'static str) -> Option<Trouble> {
        let mut state = self.state();
        state.calls.push(call.to_owned());
        let at = state.trouble.iter().position(|(name, _)| *name == call)?;
        state.trouble.remove(at).map(|(_, trouble)| trouble)
    }

    /// The error that was ordered for a call that has no effect.
    pub(super) async fn take_trouble(&self, call: &'static str) -> Option<Error> {
        // A real call yields to others; so does this one, or races would never be seen.
        tokio::task::yield_now().await;
        match self.begin(call)? {
            Trouble::Refuse => Some(Error::new(ErrorKind::GatewayRejected, "the gateway refused")),
            Trouble::LostBefore | Trouble::LostAfter => Some(outcome_unknown()),
            Trouble::SlowDown(after) => Some(slow_down(after)),
            Trouble::Panic => panic!("ordered by the test"),
        }
    }

    /// Runs a call that has an effect, with the trouble that was ordered for it.
    pub(super) async fn act<T>(
        &self,
        call: &'static str,
        effect: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        tokio::task::yield_now().await;
        match self.begin(call) {
            None => effect(&mut self.state()),
            Some(Trouble::Refuse) => Err(Error::new(ErrorKind::GatewayRejected, "the gateway refused")),
            Some(Trouble::LostBefore) => Err(outcome_unknown()),
            Some(Trouble::SlowDown(after)) => Err(slow_down(after)),
            Some(Trouble::LostAfter) => effect(&mut self.state()).and(Err(outcome_unknown())),
            Some(Trouble::Panic) => panic!("ordered by the test"),
        }
    }

    pub(super) async fn create(&self, request: &CreateSession) -> Result<ProviderSession> {
        self.act("create_session", |state| {
            let reference = format!("ref-{:04}", state.sessions.len() + 1);
            let mut session = ProviderSession::new(&reference, ProviderSessionStatus::Active);
            session.next =
                Some(NextAction::Redirect(SecretString::from(format!("https://pay.example/{reference}"))));
            session.expires_at = Some(request.expires_at);
            session.echo.reference = Some(request.reference.clone());
            session.echo.currency = Some(request.currency.to_string());
            session.echo.country = Some(request.country.to_string());
            let mut stored = Stored {
                session: session.clone(),
                return_address: request.success_url.clone(),
                customer: request.gateway_customer.clone(),
                instruments: Vec::new(),
            };
            if let Some(instrument) = state.complete_on_create.clone() {
                state.tokens.insert(instrument.token.clone(), instrument.status);
                stored.session.status = ProviderSessionStatus::Completed;
                stored.instruments.push(instrument);
            }
            state.sessions.insert(reference, stored);
            Ok(session)
        })
        .await
    }

    pub(super) async fn fetch(&self, reference: &str) -> Result<ProviderSession> {
        if let Some(error) = self.take_trouble("fetch_session").await {
            return Err(error);
        }
        let state = self.state();
        let stored = state.sessions.get(reference).ok_or_else(unknown)?;
        let mut session = stored.session.clone();
        session.methods = stored
            .instruments
            .iter()
            .map(|instrument| method(instrument, state.tokens.get(&instrument.token).copied(), &session.echo))
            .collect();
        Ok(session)
    }

    pub(super) async fn cancel(&self, reference: &str) -> Result<ProviderSession> {
        self.act("cancel_session", |state| {
            let stored = state.sessions.get_mut(reference).ok_or_else(unknown)?;
            if stored.session.status == ProviderSessionStatus::Active {
                stored.session.status = ProviderSessionStatus::Canceled;
            }
            Ok(stored.session.clone())
        })
        .await
    }

    pub(super) async fn method(&self, token: &str) -> Result<ProviderMethod> {
        if let Some(error) = self.take_trouble("fetch_method").await {
            return Err(error);
        }
        let state = self.state();
        let saved = state.sessions.values().flat_map(|stored| &stored.instruments);
        let mut instruments = saved.chain(state.replaced.values());
        let successor = state.replaced.get(token);
        let instrument = successor.or(state.mistaken.get(token));
        let instrument = instrument.or_else(|| instruments.find(|instrument| instrument.token == token));
        let instrument = instrument.ok_or_else(unknown)?;
        let mut method = method(instrument, state.tokens.get(&instrument.token).copied(), &Echo::default());
        method.replaces = successor.map(|_| SecretString::from(token));
        Ok(method)
    }

    pub(super) async fn delete(&self, token: &str) -> Result<Deletion> {
        self.act("delete_method", |state| {
            match state.tokens.insert(token.to_owned(), ProviderMethodStatus::Revoked) {
                Some(ProviderMethodStatus::Revoked) | None => Ok(Deletion::AlreadyGone),
                Some(_) => Ok(Deletion::Deleted),
            }
        })
        .await
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::GatewayRejected, "the gateway does not know this object")
}

fn method(instrument: &Instrument, status: Option<ProviderMethodStatus>, echo: &Echo) -> ProviderMethod {
    let token = TokenRef::new(instrument.token.clone());
    let mut method =
        ProviderMethod::new(token, MethodKind::Card, "CARD", status.unwrap_or(instrument.status));
    method.display =
        Display { brand: Some("Visa".to_owned()), last4: Some("1091".to_owned()), ..Display::default() };
    method.display.expiry_month = instrument.expiry.map(|(month, _)| month);
    method.display.expiry_year = instrument.expiry.map(|(_, year)| year);
    method.fingerprint = instrument.fingerprint.clone().map(SecretString::from);
    method.echo = echo.clone();
    method
}

fn slow_down(after: Duration) -> Error {
    Error::new(ErrorKind::GatewayRateLimited, "the gateway asks to slow down")
        .with_retry(Retry::SameKey { after: Some(after) })
}
