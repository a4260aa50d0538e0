//! What the gateway keeps: customers, sessions, tokens; its charges are kept in `charges`.

use std::collections::HashMap;

use rand::Rng as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::charges::Charges;
use crate::clock::iso;

/// A session and what surrounds it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The sub-account, empty for the master.
    pub(super) account: String,
    /// The object as the API shows it, nulls left out.
    pub(crate) object: Map<String, Value>,
    pub(super) expires_at: i64,
    /// The unguessable part of the hosted page's address.
    pub(super) link: String,
    /// Why the last attempt failed, for the hosted page.
    pub(super) last_failure: Option<String>,
    /// What the customer has to confirm, by attempt.
    pub(super) challenges: HashMap<String, Saved>,
}

impl Session {
    pub(super) fn text(&self, field: &str) -> &str {
        self.object.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn id(&self) -> &str {
        self.text("payment_session_id")
    }

    pub(super) fn is_active(&self) -> bool {
        self.text("status") == "ACTIVE"
    }

    pub(super) fn set_status(&mut self, status: &str, now: i64) {
        self.object.insert("status".to_owned(), status.into());
        self.object.insert("updated".to_owned(), iso(now).into());
    }
}

/// What a customer saves.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub(super) channel: String,
    /// `channel_properties` and `token_details` of the token.
    pub(super) properties: Value,
    pub(super) details: Value,
}

/// Everything, by id.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) sessions: Vec<Session>,
    pub(crate) tokens: Vec<(String, Map<String, Value>)>,
    pub(super) customers: Vec<(String, Map<String, Value>)>,
    pub(super) idempotency: HashMap<(String, String), (Value, String)>,
    pub(super) inline_references: Vec<(String, String)>,
    pub(crate) complete_on_create: bool,
    pub(crate) next_token_status: Option<String>,
    pub(super) charges: Charges,
    pub(super) calls: HashMap<String, (i64, u32)>,
}

impl Books {
    pub(crate) fn session(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id() == id)
    }

    pub(super) fn session_of(&mut self, account: &str, id: &str) -> Option<&mut Session> {
        self.session(id).filter(|session| session.account == account)
    }

    pub(super) fn session_by_link(&mut self, link: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.link == link)
    }

    pub(super) fn token_of(&mut self, account: Option<&str>, id: &str) -> Option<&mut Map<String, Value>> {
        let mut tokens = self.tokens.iter_mut();
        let found = tokens.find(|(owner, token)| {
            account.is_none_or(|account| account == owner)
                && token.get("payment_token_id").and_then(Value::as_str) == Some(id)
        });
        found.map(|(_, token)| token)
    }

    /// Brings a session's end forward to `at`; `false` when there is no such session.
    pub(crate) fn expire_at(&mut self, id: &str, at: i64) -> bool {
        let Some(session) = self.session(id) else { return false };
        session.expires_at = at;
        true
    }

    /// Ends the sessions whose time has come, and gives them as webhooks show them.
    pub(crate) fn take_expired(&mut self, now: i64) -> Vec<Value> {
        let due = self.sessions.iter_mut().filter(|session| session.is_active() && session.expires_at <= now);
        due.map(|session| {
            session.set_status("EXPIRED", now);
            let mut object = session.object.clone();
            object.remove("business_id");
            object.remove("payment_token_id");
            Value::Object(object)
        })
        .collect()
    }

    /// Makes a token for a session, in the status that was ordered or `ACTIVE`.
    pub(super) fn make_token(
        &mut self,
        session_id: &str,
        saved: &Saved,
        status: Option<&str>,
        now: i64,
    ) -> Option<Map<String, Value>> {
        let ordered = self.next_token_status.take();
        let status = status.map(str::to_owned).or(ordered).unwrap_or_else(|| "ACTIVE".to_owned());
        let session = self.session(session_id)?;
        let account = session.account.clone();
        let token = json!({
            "payment_token_id": format!("pt-{}", Uuid::new_v4()),
            "business_id": session.text("business_id"),
            "reference_id": format!("{}_{}", session.text("reference_id"), suffix()),
            "customer_id": session.text("customer_id"),
            "country": session.text("country"),
            "currency": session.text("currency"),
            "channel_code": saved.channel,
            "channel_properties": saved.properties,
            "actions": [],
            "status": status,
            "token_details": saved.details,
            "metadata": {},
            "created": iso(now),
            "updated": iso(now),
        });
        let Value::Object(token) = token else { return None };
        self.tokens.push((account, token.clone()));
        Some(token)
    }

    /// Counts a call of an account to an endpoint; how many are left in this minute, and when it ends, in seconds.
    pub(super) fn count(&mut self, endpoint: &str, limit: u32, now: i64) -> (Option<u32>, i64) {
        let (began, calls) = self.calls.entry(endpoint.to_owned()).or_insert((now, 0));
        if now - *began >= 60_000 {
            (*began, *calls) = (now, 0);
        }
        *calls += 1;
        (limit.checked_sub(*calls), 60 - (now - *began) / 1000)
    }
}

/// The ten characters that the gateway appends to references; they may contain `_` and `-`.
fn suffix() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let mut random = rand::rng();
    (0..10).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// 24 hexadecimal digits, as the gateway's object ids have.
pub(super) fn object_id() -> String {
    let mut bytes = [0_u8; 12];
    rand::rng().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
