//! What people wanted, and what they were told: the reader compares it with the end.

use std::collections::BTreeMap;

use crate::installation::text;
use crate::rows::rows_where;

/// What a merchant wanted, and what it was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intent {
    /// The merchant's reference of the customer; each intent has its own.
    pub(crate) reference: String,
    /// How many requests to start it were sent.
    pub(crate) requests: u32,
    /// The session, once a 201 named it.
    pub(crate) session: Option<String>,
    /// Another one, named by another 201.
    pub(crate) other_session: Option<String>,
    /// The customer, as the session names it.
    pub(crate) customer: Option<String>,
    /// Whether the gateway told the customer's browser that the method is saved.
    pub(crate) saved: bool,
    /// Whether an answer of the API or the way back told that the session is completed.
    pub(crate) completed: bool,
    /// Whether an answer told otherwise after that.
    pub(crate) regressed: bool,
}

impl Intent {
    /// A 201 named this session.
    pub(crate) fn answered(&mut self, id: &str, customer: Option<&str>) {
        match &self.session {
            Some(known) if known != id => self.other_session = Some(id.to_owned()),
            _ => self.session = Some(id.to_owned()),
        }
        self.customer = customer.map(str::to_owned);
    }

    /// Somebody was told where the session stands.
    pub(crate) fn told(&mut self, status: &str) {
        let completed = status == "completed";
        self.regressed |= self.completed && !completed;
        self.completed |= completed;
    }
}

/// A charge that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Charge {
    pub(crate) id: String,
    /// How much was asked for.
    pub(crate) amount: i64,
}

/// Somebody who was erased, and by what they could be recognised.
#[derive(Debug, Clone)]
pub(crate) struct Erased {
    pub(crate) customer: String,
    /// The merchant's reference of them.
    pub(crate) reference: String,
    pub(crate) session: String,
    /// The erasure's id, as it was answered.
    pub(crate) erasure: String,
    /// Of their tokens, instruments and values.
    pub(crate) fingerprints: Vec<String>,
    /// Their data keys, as they lay in the database.
    pub(crate) wrapped_keys: Vec<Vec<u8>>,
}

impl Erased {
    /// What the database knows of somebody who is about to be erased.
    pub(crate) async fn about(here: &str, intent: &Intent) -> anyhow::Result<Self> {
        let (customer, session) = (intent.customer.clone(), intent.session.clone());
        let (customer, session) = (customer.unwrap_or_default(), session.unwrap_or_default());
        let mut fingerprints = Vec::new();
        for method in rows_where(here, "payment_methods", &format!("customer_id = '{customer}'")).await? {
            fingerprints.push(text(&method, "token_fingerprint")?);
            fingerprints.push(text(&method, "instrument_fingerprint")?);
        }
        // The fingerprint of a kept answer is that of the merchant's key for the request, and stays with the key.
        let values = format!("owner = '{customer}' AND kind <> 'billfold.idempotent_answer'");
        for record in rows_where(here, "vault_records", &values).await? {
            fingerprints.push(text(&record, "fingerprint")?);
        }
        let mut wrapped_keys = Vec::new();
        for key in rows_where(here, "vault_keys", &format!("subject = '{customer}'")).await? {
            wrapped_keys.push(hex::decode(text(&key, "wrapped")?.trim_start_matches("\\x"))?);
        }
        let (reference, erasure) = (intent.reference.clone(), String::new());
        Ok(Self { customer, reference, session, erasure, fingerprints, wrapped_keys })
    }
}

/// Everything that was wanted and told so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    pub(crate) intents: Vec<Intent>,
    /// By their keys.
    pub(crate) charges: BTreeMap<String, Charge>,
    pub(crate) erased: Vec<Erased>,
}
