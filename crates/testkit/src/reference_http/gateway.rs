//! The HTTP reference's gateway: a transport that answers from memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::transport::{Transport, TransportError};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::api::{Customer, NewSession, Session, Token};
use super::charges::{Books, Call};
use super::webhook::Event;

/// A session with what the gateway keeps and does not show.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) session: Session,
    pub(super) asked: std::sync::Arc<NewSession>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) sessions: BTreeMap<String, Kept>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) sent: Vec<Event>,
    pub(super) books: Books,
    customers: BTreeMap<String, String>,
    created: BTreeMap<String, String>,
}

/// A gateway in memory, reached through [`Transport`].
pub struct HttpGateway {
    key: String,
    state: Mutex<State>,
}

/// An answer: status and body.
pub(super) type Answer = (u16, Value);

impl HttpGateway {
    /// A gateway with one account, whose API key is `key`.
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a session that is open; `false` when there is none.
    pub(super) fn end(&self, session: &str, status: &str) -> bool {
        let mut state = self.state();
        let Some(kept) = state.sessions.get_mut(session) else { return false };
        if kept.session.status.as_deref() != Some("open") {
            return false;
        }
        kept.session.status = Some(status.to_owned());
        let event = event(&format!("session.{status}"), &kept.session, None);
        state.sent.push(event);
        true
    }

    /// The customer saves a card; says the token.
    pub(super) fn complete(&self, session: &str, number: &str, status: &str) -> Option<String> {
        let open = self.state().sessions.get(session)?.session.status.as_deref() == Some("open");
        if !open {
            return None;
        }
        let mut state = self.state();
        let id = format!("tok-{:04}", state.tokens.len() + 1);
        let kept = state.sessions.get_mut(session)?;
        let token = Token {
            id: Some(id.clone()),
            status: Some(status.to_owned()),
            customer: kept.session.customer.clone(),
            reference: kept.session.reference.clone(),
            number: Some(number.to_owned()),
            fingerprint: Some(format!("fp-{number}")),
            replaced_by: None,
        };
        kept.session.token = Some(token.clone());
        kept.session.status = Some("completed".to_owned());
        let session = kept.session.clone();
        state.tokens.insert(id.clone(), token.clone());
        state.sent.push(event("session.completed", &session, None));
        state.sent.push(event(&format!("token.{status}"), &session, Some(&token)));
        Some(id)
    }

    /// A token that was not usable becomes so.
    pub(super) fn activate(&self, token: &str) -> bool {
        let mut state = self.state();
        let Some(token) = state.tokens.get_mut(token) else { return false };
        token.status = Some("active".to_owned());
        let token = token.clone();
        state.sent.push(event("token.active", &Session::default(), Some(&token)));
        true
    }

    /// The bank puts another token in the place of one.
    pub(super) fn replace(&self, token: &str, number: &str) -> Option<String> {
        let mut state = self.state();
        let id = format!("tok-{:04}", state.tokens.len() + 1);
        let old = state.tokens.get_mut(token)?;
        let new = Token {
            id: Some(id.clone()),
            number: Some(number.to_owned()),
            fingerprint: Some(format!("fp-{number}")),
            ..old.clone()
        };
        old.status = Some("replaced".to_owned());
        old.replaced_by = Some(id.clone());
        let old = old.clone();
        state.tokens.insert(id.clone(), new);
        state.sent.push(event("token.replaced", &Session::default(), Some(&old)));
        Some(id)
    }

    /// The bank takes a token back.
    pub(super) fn revoke(&self, token: &str) -> bool {
        let mut state = self.state();
        let Some(token) = state.tokens.get_mut(token) else { return false };
        token.status = Some("revoked".to_owned());
        let (token, session) = (token.clone(), Session::default());
        state.sent.push(event("token.revoked", &session, Some(&token)));
        true
    }

    fn answer(&self, request: &Request<Bytes>) -> Answer {
        let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        if authorization != Some(format!("Bearer {}", self.key).as_str()) {
            return (401, json!({"error": "unauthorized"}));
        }
        let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let key = request.headers().get("idempotency-key").and_then(|value| value.to_str().ok());
        let mut state = self.state();
        match (request.method(), path.as_slice()) {
            (&Method::GET, ["account"]) => (200, json!({})),
            (&Method::POST, ["customers"]) => state.customer(request.body()),
            (&Method::POST, ["sessions"]) => state.create(request.body(), key.unwrap_or_default()),
            (&Method::GET, ["sessions", id]) => found(state.sessions.get(*id).map(|kept| state.shown(kept))),
            (&Method::POST, ["sessions", id, "cancel"]) => state.cancel(id),
            (&Method::GET, ["tokens", id]) => found(state.tokens.get(*id)),
            (&Method::DELETE, ["tokens", id]) => state.delete(id),
            (method, ["charges", rest @ ..]) => {
                let (query, key) = (request.uri().query().unwrap_or_default(), key.unwrap_or_default());
                state.charging(&Call { method, query, key, body: request.body() }, rest)
            }
            _ => (404, json!({"error": "not_found"})),
        }
    }
}

pub(super) fn found<T: Serialize>(object: Option<T>) -> Answer {
    object.map_or((404, json!({"error": "not_found"})), |object| (200, json!(object)))
}

fn event(name: &str, session: &Session, token: Option<&Token>) -> Event {
    Event {
        name: name.to_owned(),
        session: token.is_none().then(|| session.id.clone()).flatten(),
        token: token.and_then(|token| token.id.clone()),
        reference: token.map_or(&session.reference, |token| &token.reference).clone(),
        status: token.map_or(&session.status, |token| &token.status).clone(),
        attempt: 1,
        ..Event::default()
    }
}

impl State {
    /// A session with its token as that is now.
    fn shown(&self, kept: &Kept) -> Session {
        let mut session = kept.session.clone();
        let id = session.token.as_ref().and_then(|token| token.id.clone());
        session.token = id.and_then(|id| self.tokens.get(&id).cloned());
        session
    }

    fn customer(&mut self, body: &[u8]) -> Answer {
        let Ok(asked) = serde_json::from_slice::<Customer>(body) else { return (400, json!({})) };
        let id = format!("cust-{:04}", self.customers.len() + 1);
        let id = self.customers.entry(asked.reference.clone()).or_insert(id).clone();
        (200, json!(Customer { id: Some(id), reference: asked.reference }))
    }

    fn create(&mut self, body: &[u8], key: &str) -> Answer {
        if let Some(kept) = self.created.get(key).and_then(|id| self.sessions.get(id)) {
            return (200, json!(self.shown(kept)));
        }
        let Ok(asked) = serde_json::from_slice::<NewSession>(body) else { return (400, json!({})) };
        if asked.channels.iter().any(|code| !["CARD", "PURSE"].contains(&code.as_str())) {
            return (400, json!({"error": "unknown_channel"}));
        }
        let long = |(key, value): (&String, &String)| key.chars().count() > 40 || value.chars().count() > 80;
        if asked.metadata.len() > 20 || asked.metadata.iter().any(long) {
            return (400, json!({"error": "metadata_too_large"}));
        }
        let id = format!("ses-{:04}", self.sessions.len() + 1);
        let session = Session {
            id: Some(id.clone()),
            status: Some("open".to_owned()),
            url: Some(format!("https://pay.reference.example/{id}-{}", "l1nk")),
            reference: Some(asked.reference.clone()),
            customer: Some(asked.customer.clone()),
            currency: Some(asked.currency.clone()),
            country: Some(asked.country.clone()),
            expires_at: Some(asked.expires_at.clone()),
            token: None,
        };
        self.created.insert(key.to_owned(), id.clone());
        self.sessions.insert(id, Kept { session: session.clone(), asked: std::sync::Arc::new(asked) });
        (201, json!(session))
    }

    fn cancel(&mut self, id: &str) -> Answer {
        let Some(kept) = self.sessions.get_mut(id) else { return (404, json!({"error": "not_found"})) };
        if kept.session.status.as_deref() != Some("open") {
            return (409, json!({"error": "over"}));
        }
        kept.session.status = Some("canceled".to_owned());
        (200, json!(kept.session))
    }

    fn delete(&mut self, id: &str) -> Answer {
        match self.tokens.get_mut(id) {
            Some(Token { replaced_by: Some(_), .. }) => (409, json!({"error": "replaced"})),
            Some(token) if token.status.as_deref() == Some("active") => {
                token.status = Some("revoked".to_owned());
                (200, json!(token))
            }
            _ => (404, json!({"error": "not_found"})),
        }
    }
}

#[async_trait]
impl Transport for HttpGateway {
    async fn send(&self, request: Request<Bytes>, _: Duration) -> Result<Response<Bytes>, TransportError> {
        // A real call lets others go on; so does this one, or races would never be seen.
        tokio::task::yield_now().await;
        let (status, body) = self.answer(&request);
        Ok(Response::builder().status(status).body(Bytes::from(body.to_string())).expect("an answer"))
    }
}

impl std::fmt::Debug for HttpGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpGateway(..)")
    }
}
