//! Acme Pay's types. In an answer everything may be missing, null or new.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `POST /sessions`.
#[derive(Serialize)]
pub(crate) struct NewSession<'a> {
    pub(crate) reference: &'a str,
    pub(crate) customer: &'a str,
    pub(crate) currency: String,
    pub(crate) country: String,
    pub(crate) channels: &'a [String],
    pub(crate) metadata: &'a BTreeMap<String, String>,
    pub(crate) return_url: &'a str,
    pub(crate) cancel_url: &'a str,
    pub(crate) expires_at: String,
}

/// A session.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    pub(crate) id: Option<String>,
    pub(crate) status: Option<String>,
    /// The hosted page. Who has it acts as the customer.
    pub(crate) url: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) currency: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) expires_at: Option<String>,
    pub(crate) token: Option<Token>,
}

/// A saved card.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Token {
    pub(crate) id: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) fingerprint: Option<String>,
    /// The token that is in its place now.
    pub(crate) replaced_by: Option<String>,
}

/// `POST /customers`.
#[derive(Serialize)]
pub(crate) struct NewCustomer<'a> {
    pub(crate) reference: &'a str,
}

/// A customer.
#[derive(Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: Option<String>,
}

/// An error's body.
#[derive(Default, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) error: Option<String>,
}

/// What a webhook carries.
#[derive(Deserialize)]
pub(crate) struct Notification {
    pub(crate) events: Vec<Event>,
}

/// One event of it. The number of the attempt is left out: it is the one thing that changes from attempt to attempt.
#[derive(Deserialize)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) session: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) status: Option<String>,
}
