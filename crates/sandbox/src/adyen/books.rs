//! What the gateway keeps: sessions, stored payment methods and payments.

use std::collections::HashMap;

use rand::Rng as _;
use serde_json::Value;

use super::cards::Chosen;
use super::payments::Payment;
use super::validate::Answer;
use crate::charging::ChargePlay;

/// So many refused attempts end a session. How many the real one takes is not documented.
const MOST_REFUSALS: u32 = 5;

/// A session and what surrounds it.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// As the creating call was answered, with its status beside.
    pub(super) object: Value,
    /// Milliseconds.
    pub(super) expires_at: i64,
    /// The unguessable part of the page's address.
    pub(super) link: String,
    /// Why the last attempt failed, for the page.
    pub(super) last_failure: Option<String>,
    refusals: u32,
    /// What the customer has to confirm, by attempt.
    pub(super) challenges: HashMap<String, Chosen>,
    /// What came of redirects, by their encrypted results: a card that the bank lets through, or none.
    pub(super) redirects: HashMap<String, Option<Chosen>>,
    /// Encrypted results that were handed out, with the status of that moment.
    results: HashMap<String, String>,
}

impl Session {
    pub(super) fn new(object: Value, expires_at: i64, link: String) -> Self {
        Self {
            object,
            expires_at,
            link,
            last_failure: None,
            refusals: 0,
            challenges: HashMap::new(),
            redirects: HashMap::new(),
            results: HashMap::new(),
        }
    }

    pub(super) fn text(&self, field: &str) -> &str {
        self.object[field].as_str().unwrap_or_default()
    }

    pub(super) fn is_open(&self) -> bool {
        self.text("status") == "active"
    }

    pub(super) fn is_hosted(&self) -> bool {
        self.text("mode") == "hosted"
    }

    /// The status that was current when this result was handed out.
    pub(super) fn status_of(&self, result: &str) -> Option<&str> {
        self.results.get(result).map(String::as_str)
    }
}

/// A stored method, and whether this session made it.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) method: Value,
    pub(super) is_new: bool,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(super) sessions: Vec<Session>,
    /// Disabled ones too, marked.
    pub(super) methods: Vec<Value>,
    pub(super) payments: Vec<Payment>,
    /// How payments with a token go on, by order.
    pub(super) plays: HashMap<String, ChargePlay>,
    /// Path, body and answer by key, whatever was called.
    pub(super) idempotency: HashMap<String, (String, Vec<u8>, Answer)>,
    pub(super) complete_on_create: bool,
}

impl Books {
    /// A session by its id, or by the merchant's reference.
    pub(super) fn session(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| [session.text("id"), session.text("reference")].contains(&id))
    }

    pub(super) fn session_by_link(&mut self, link: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.link == link)
    }

    /// The session that this result of a redirect belongs to.
    pub(super) fn session_by_redirect(&mut self, result: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.redirects.contains_key(result))
    }

    /// A stored method that can be used.
    pub(super) fn method(&mut self, id: &str) -> Option<&mut Value> {
        self.methods.iter_mut().find(|method| method["id"] == id && method["disabled"] != true)
    }

    /// The stored methods of a shopper that can be used.
    pub(super) fn methods_of(&self, shopper: &str) -> Vec<Value> {
        let theirs = self.methods.iter().filter(|method| method["shopperReference"] == shopper);
        theirs.filter(|method| method["disabled"] != true).cloned().collect()
    }

    /// A payment by its id, or by the merchant's reference, or by what that begins with: a word may follow it.
    pub(super) fn payment(&mut self, name: &str) -> Option<&mut Payment> {
        let named = |payment: &Payment| {
            let rest = payment.reference.strip_prefix(name);
            payment.id == name || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.payments.iter_mut().find(|payment| named(payment))
    }

    pub(super) fn payment_by_link(&mut self, link: &str) -> Option<&mut Payment> {
        self.payments.iter_mut().find(|payment| payment.link == link)
    }

    pub(super) fn shown_sessions(&self) -> Vec<Value> {
        let shown = self.sessions.iter().map(|session| {
            let mut shown = session.object.clone();
            shown["page"] = format!("/pay/{}", session.link).into();
            shown
        });
        shown.collect()
    }

    /// Brings a session's end forward to `at`; `false` when it is not open.
    pub(super) fn expire_at(&mut self, id: &str, at: i64) -> bool {
        let Some(session) = self.session(id).filter(|session| session.is_open()) else { return false };
        session.expires_at = at;
        true
    }

    /// Ends the sessions whose time has come.
    pub(super) fn expire(&mut self, now: i64) {
        for session in self.sessions.iter_mut().filter(|session| session.is_open()) {
            if session.expires_at <= now {
                session.object["status"] = "expired".into();
            }
        }
    }

    /// Stores a card under the session's shopper, or finds it there. `None` when the session is not open.
    pub(super) fn save(&mut self, id: &str, chosen: &Chosen) -> Option<Saved> {
        let session = self.session(id).filter(|session| session.is_open())?;
        session.object["status"] = "completed".into();
        let (shopper, model) =
            (session.object["shopperReference"].clone(), session.object["recurringProcessingModel"].clone());
        let alias = chosen.alias();
        let known = self.methods_of(shopper.as_str()?).into_iter().find(|known| known["alias"] == *alias);
        if let Some(method) = known {
            return Some(Saved { method, is_new: false });
        }
        let method = chosen.object(&new_id(16), &shopper, &model);
        self.methods.push(method.clone());
        Some(Saved { method, is_new: true })
    }

    /// One failed attempt; gives the session. The last one ends it.
    pub(super) fn refuse(&mut self, id: &str, code: &str) -> Option<Value> {
        let session = self.session(id).filter(|session| session.is_open())?;
        session.last_failure = Some(format!("The attempt failed: {code}. You can try again."));
        session.refusals += 1;
        if session.refusals >= MOST_REFUSALS {
            session.object["status"] = "refused".into();
        }
        Some(session.object.clone())
    }

    /// Hands out the encrypted result of a session as it is now.
    pub(super) fn result(&mut self, id: &str) -> Option<String> {
        let session = self.session(id)?;
        let (result, status) = (format!("Ab02b4c0!{}", new_id(40)), session.text("status").to_owned());
        session.results.insert(result.clone(), status);
        Some(result)
    }
}

/// Letters and digits in turn, as the gateway's ids mostly look.
pub(super) fn new_id(length: usize) -> String {
    const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
    let mut random = rand::rng();
    let one = |at: usize| match at % 2 {
        0 => char::from(LETTERS[random.random_range(0..LETTERS.len())]),
        _ => char::from(b'0' + random.random_range(0..9_u8)),
    };
    (0..length).map(one).collect()
}
