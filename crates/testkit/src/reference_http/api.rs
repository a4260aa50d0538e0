//! The gateway's types: what travels between it and the provider.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `POST /sessions`.
#[derive(Serialize, Deserialize)]
pub(super) struct NewSession {
    pub(super) reference: String,
    pub(super) customer: String,
    pub(super) currency: String,
    pub(super) country: String,
    pub(super) channels: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) return_url: String,
    pub(super) cancel_url: String,
    pub(super) expires_at: String,
}

/// A session as the gateway shows it. Everything may be missing in an answer.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) url: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) customer: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) country: Option<String>,
    pub(super) expires_at: Option<String>,
    pub(super) token: Option<Token>,
}

/// A token as the gateway shows it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Token {
    pub(super) id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) customer: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) number: Option<String>,
    pub(super) fingerprint: Option<String>,
    /// The token that took its place.
    pub(super) replaced_by: Option<String>,
}

/// `POST /customers`, and its answer.
#[derive(Serialize, Deserialize)]
pub(super) struct Customer {
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) reference: String,
}

/// `POST /charges`. Amounts are minor units.
#[derive(Serialize, Deserialize)]
pub(super) struct NewCharge {
    pub(super) reference: String,
    pub(super) token: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    /// `automatic` or `manual`.
    pub(super) capture: String,
    pub(super) initiator: String,
    pub(super) reason: String,
    pub(super) first: bool,
    pub(super) description: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) return_url: String,
}

/// A charge as the gateway shows it. Everything may be missing in an answer.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Charge {
    pub(super) id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) customer: Option<String>,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) captured: Option<i64>,
    /// The gateway's code of why it was refused.
    pub(super) decline: Option<String>,
    /// Where the customer acts; not in webhooks.
    pub(super) url: Option<String>,
}

/// `GET /charges?reference=…`. The list is always there, or it is not this answer.
#[derive(Serialize, Deserialize)]
pub(super) struct Charges {
    pub(super) charges: Vec<Charge>,
}

/// `POST /charges/{id}/capture`.
#[derive(Serialize, Deserialize)]
pub(super) struct Capture {
    pub(super) amount: i64,
}

/// `POST /charges/{id}/refunds`.
#[derive(Serialize, Deserialize)]
pub(super) struct NewRefund {
    pub(super) reference: String,
    pub(super) amount: i64,
    pub(super) currency: String,
}

/// A refund as the gateway shows it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Refund {
    pub(super) id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) code: Option<String>,
}

/// `GET /charges/{id}/refunds`.
#[derive(Serialize, Deserialize)]
pub(super) struct Refunds {
    pub(super) refunds: Vec<Refund>,
}
