//! What the gateway keeps: customers, Checkout Sessions, SetupIntents, payment methods, charges.

use std::collections::HashMap;

use rand::Rng as _;
use serde_json::{Value, json};

use super::cards::{Chosen, choose};
use super::form::Answer;
use super::payments::Payment;
use super::refunds::Refund;
use crate::charging::ChargePlay;

/// A Checkout Session and what surrounds it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// As the API shows it; its SetupIntent by its id.
    pub(crate) object: Value,
    /// Milliseconds.
    pub(super) expires_at: i64,
    /// The unguessable part of the hosted page's address.
    pub(super) link: String,
    /// Why the last attempt failed, for the hosted page.
    pub(super) last_failure: Option<String>,
    /// What the customer has to confirm, by attempt.
    pub(super) challenges: HashMap<String, Chosen>,
}

impl Session {
    pub(super) fn text(&self, field: &str) -> &str {
        self.object[field].as_str().unwrap_or_default()
    }

    pub(super) fn is_open(&self) -> bool {
        self.text("status") == "open"
    }
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(super) sessions: Vec<Session>,
    pub(super) intents: Vec<Value>,
    pub(crate) methods: Vec<Value>,
    pub(super) customers: Vec<Value>,
    pub(super) payments: Vec<Payment>,
    pub(super) refunds: Vec<Refund>,
    /// How the charges of single payment methods end.
    pub(super) plays: HashMap<String, ChargePlay>,
    /// Body and answer by key.
    pub(super) idempotency: HashMap<String, (Vec<u8>, Answer)>,
    pub(crate) complete_on_create: bool,
}

impl Books {
    pub(crate) fn session(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.text("id") == id)
    }

    pub(super) fn session_by_link(&mut self, link: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.link == link)
    }

    pub(super) fn intent(&mut self, id: &str) -> Option<&mut Value> {
        self.intents.iter_mut().find(|intent| intent["id"] == id)
    }

    pub(crate) fn method(&mut self, id: &str) -> Option<&mut Value> {
        self.methods.iter_mut().find(|method| method["id"] == id)
    }

    /// The SetupIntent of a Checkout Session, or the one with this id.
    pub(crate) fn intent_of(&mut self, id: &str) -> Option<&mut Value> {
        let of_session = self.session(id).map(|session| session.text("setup_intent").to_owned());
        self.intent(&of_session.unwrap_or_else(|| id.to_owned()))
    }

    /// Checkout Sessions with their SetupIntents, and SetupIntents of their own, in the order of their creation.
    pub(crate) fn shown_sessions(&self) -> Vec<Value> {
        self.intents
            .iter()
            .map(|intent| {
                let of = self.sessions.iter().find(|session| session.object["setup_intent"] == intent["id"]);
                let Some(session) = of else { return intent.clone() };
                let mut shown = session.object.clone();
                shown["setup_intent"] = intent.clone();
                shown
            })
            .collect()
    }

    /// Brings a session's end forward to `at`; `false` when it is not open.
    pub(crate) fn expire_at(&mut self, id: &str, at: i64) -> bool {
        let Some(session) = self.session(id).filter(|session| session.is_open()) else { return false };
        session.expires_at = at;
        true
    }

    pub(super) fn end(session: &mut Session, status: &str) {
        session.object["status"] = status.into();
        session.object["url"] = Value::Null;
    }

    /// Ends the sessions whose time has come.
    pub(crate) fn take_expired(&mut self, now: i64) -> Vec<Value> {
        let due = self.sessions.iter_mut().filter(|session| session.is_open() && session.expires_at <= now);
        due.map(|session| {
            Self::end(session, "expired");
            session.object.clone()
        })
        .collect()
    }

    pub(super) fn new_intent(&mut self, intent: &Value) -> String {
        let id = new_id("seti_");
        let mut object = json!({
            "id": id, "object": "setup_intent", "status": "requires_payment_method", "payment_method": null,
            "client_secret": format!("{id}_secret_{}", new_id("")), "last_setup_error": null, "mandate": null,
            "livemode": false,
        });
        for (key, value) in intent.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        self.intents.push(object);
        id
    }

    /// Whether a Checkout Session is open, or a SetupIntent of its own is waiting.
    pub(super) fn is_open(&mut self, id: &str) -> bool {
        match self.session(id) {
            Some(session) => session.is_open(),
            None => self.intent(id).is_some_and(|intent| {
                intent["status"].as_str().is_some_and(|status| status.starts_with("requires_"))
            }),
        }
    }

    /// The types that a session offers.
    pub(super) fn types(&mut self, id: &str) -> Vec<String> {
        let types = self.intent_of(id).map(|intent| intent["payment_method_types"].clone());
        let types = types.and_then(|types| types.as_array().cloned()).unwrap_or_default();
        types.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The customer saves a payment method; says its id. `None` when the session is not open, does not offer the
    /// type, or there is no such card.
    pub(super) fn complete(&mut self, id: &str, kind: Option<&str>, number: Option<&str>) -> Option<String> {
        let types = self.types(id);
        let kind = kind
            .or_else(|| types.first().map(String::as_str))
            .filter(|kind| types.iter().any(|known| known == kind))?;
        let chosen = choose(kind, number)?;
        self.save(id, &chosen)
    }

    pub(super) fn save(&mut self, id: &str, chosen: &Chosen) -> Option<String> {
        if !self.is_open(id) {
            return None;
        }
        let method = new_id("pm_");
        let intent = self.intent_of(id)?;
        intent["status"] = "succeeded".into();
        intent["payment_method"] = method.clone().into();
        intent["last_setup_error"] = Value::Null;
        let mut object = chosen.object(&method, &intent["customer"]);
        object["created"] = intent["created"].clone();
        self.methods.push(object);
        if let Some(session) = self.session(id) {
            Self::end(session, "complete");
        }
        Some(method)
    }

    /// One failed attempt; gives the SetupIntent.
    pub(super) fn decline(&mut self, id: &str, code: &str) -> Option<Value> {
        if !self.is_open(id) {
            return None;
        }
        if let Some(session) = self.session(id) {
            session.last_failure = Some(format!("The attempt failed: {code}. You can try again."));
        }
        let intent = self.intent_of(id)?;
        intent["last_setup_error"] = json!({"type": "card_error", "code": code});
        Some(intent.clone())
    }
}

/// An id with the gateway's prefix.
pub(super) fn new_id(prefix: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    let rest: String =
        (0..24).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect();
    format!("{prefix}{rest}")
}
