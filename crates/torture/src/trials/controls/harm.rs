//! What is damaged: rows, the gateway's books, the merchant's log, what people noted, files.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::books::{Books, Check};
use crate::installation::CALLBACK_TOKEN;
use crate::trial::Backend;

/// How.
pub(super) enum Harm {
    /// A statement in the database; what is in braces is of who was erased.
    Rows(&'static str),
    /// A change of what was read.
    Books(fn(&mut Books) -> anyhow::Result<()>),
    /// A file in the installation's folder, and what is written into it.
    File(&'static str, fn() -> String),
}

/// One damage, and the comparison that it breaks.
pub(super) struct Damage {
    pub(super) what: &'static str,
    pub(super) check: Check,
    pub(super) harm: Harm,
    /// Whether it is one to a file of SQLite's.
    sqlite_only: bool,
}

impl Damage {
    pub(super) fn is_possible(&self, backend: &Backend) -> bool {
        !self.sqlite_only || matches!(backend, Backend::Sqlite)
    }
}

const fn rows(check: Check, what: &'static str, statement: &'static str) -> Damage {
    Damage { what, check, harm: Harm::Rows(statement), sqlite_only: false }
}

const fn books(check: Check, what: &'static str, change: fn(&mut Books) -> anyhow::Result<()>) -> Damage {
    Damage { what, check, harm: Harm::Books(change), sqlite_only: false }
}

pub(super) const DAMAGES: &[Damage] = &[
    rows(
        Check::Acknowledged,
        "a webhook that was acknowledged is lost",
        "DELETE FROM deliveries WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    rows(
        Check::Waiting,
        "a webhook is never worked on",
        "UPDATE deliveries SET state = 'received' WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    rows(
        Check::Waiting,
        "a webhook is parked",
        "UPDATE deliveries SET state = 'parked', note = 'the gateway did not answer in time' \
         WHERE id = (SELECT max(id) FROM deliveries)",
    ),
    rows(
        Check::GivenUp,
        "a webhook is dead",
        "UPDATE deliveries SET state = 'dead' WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    books(Check::SavedNotCompleted, "a customer was told of a method that nobody saved", |books| {
        open_intent(books)?.saved = true;
        Ok(())
    }),
    rows(
        Check::MethodCount,
        "a method is gone",
        "DELETE FROM payment_methods WHERE id = (SELECT max(id) FROM payment_methods)",
    ),
    rows(
        Check::MethodCount,
        "a method is another session's",
        "UPDATE payment_methods SET session_id = (SELECT min(session_id) FROM payment_methods \
         WHERE id <> (SELECT max(id) FROM payment_methods)) WHERE id = (SELECT max(id) FROM payment_methods)",
    ),
    rows(
        Check::ForeignMethod,
        "a method is another customer's",
        "UPDATE payment_methods SET is_default = false, customer_id = (SELECT min(other.customer_id) \
         FROM payment_methods other WHERE other.customer_id <> payment_methods.customer_id) \
         WHERE id = (SELECT max(id) FROM payment_methods)",
    ),
    rows(
        Check::TokenTwice,
        "a token is saved twice",
        "DROP INDEX payment_methods_one_per_token; UPDATE payment_methods \
         SET token_fingerprint = (SELECT min(token_fingerprint) FROM payment_methods)",
    ),
    rows(
        Check::NoToken,
        "a method has no token",
        "UPDATE payment_methods SET token = NULL WHERE id = (SELECT min(id) FROM payment_methods)",
    ),
    rows(
        Check::NoRecord,
        "a token is gone from the vault",
        "DELETE FROM vault_records WHERE id = (SELECT min(token) FROM payment_methods)",
    ),
    books(Check::UnknownToken, "the gateway does not know a token", |books| {
        let token = saved_session(books)?["payment_token_id"].as_str().unwrap_or_default().to_owned();
        books.gateway_tokens.remove(&token).map(drop).context("a token")
    }),
    books(Check::SessionState, "a webhook is lost, and nobody asks", |books| {
        let open = books.gateway_sessions.iter_mut().find(|session| session["status"] == "ACTIVE");
        open.context("an open session")?["status"] = json!("COMPLETED");
        Ok(())
    }),
    books(Check::SessionState, "a session is completed that is not", |books| {
        saved_session(books)?["status"] = json!("EXPIRED");
        Ok(())
    }),
    rows(
        Check::MethodState,
        "a method is revoked whose token is not",
        "UPDATE payment_methods SET status = 'revoked' WHERE id = (SELECT min(id) FROM payment_methods)",
    ),
    rows(
        Check::ChargeState,
        "a charge was paid, and nobody noticed",
        "UPDATE charges SET status = 'processing' WHERE id = (SELECT min(id) FROM charges)",
    ),
    books(Check::Regressed, "a session was told as completed that is open", |books| {
        open_intent(books)?.completed = true;
        Ok(())
    }),
    books(Check::Regressed, "a session was shown as completed, and then as open", |books| {
        books.notes.intents.first_mut().context("an intent")?.regressed = true;
        Ok(())
    }),
    books(Check::Regressed, "the merchant heard that an open session is completed", |books| {
        let open = open_intent(books)?.session.clone();
        let heard = heard(books, "payment_method.saved")?;
        heard["type"] = json!("session.completed");
        heard["object_id"] = json!(open);
        Ok(())
    }),
    books(Check::Regressed, "the merchant heard that a completed session expired", |books| {
        let (completed, last) = {
            let completed = heard(books, "session.completed")?;
            (completed["object_id"].clone(), i64::MAX)
        };
        let later = heard(books, "payment_method.saved")?;
        later["type"] = json!("session.expired");
        later["object_id"] = completed;
        later["sequence"] = json!(last);
        Ok(())
    }),
    books(Check::SequenceTwice, "two events have one number", |books| {
        let number = heard(books, "session.completed")?["sequence"].clone();
        heard(books, "payment_method.saved")?["sequence"] = number;
        Ok(())
    }),
    books(Check::SequenceTwice, "an event comes again and says something else", |books| {
        let mut heard = books.merchant.values_mut();
        let heard = heard.find(|heard| heard.body["type"] == "session.completed").context("an event")?;
        let mut other = heard.body.clone();
        other["data"]["status"] = json!("failed");
        heard.others.push(other);
        Ok(())
    }),
    rows(
        Check::EventCount,
        "an event is missing",
        "DELETE FROM events WHERE id = (SELECT min(id) FROM events WHERE name = 'session.completed')",
    ),
    rows(
        Check::EventCount,
        "a change has two events",
        "INSERT INTO events (sequence, id, tenant, name, object_id, data, created_at) \
         SELECT sequence + 1000000, 'evt_twice', tenant, name, object_id, data, created_at FROM events \
         WHERE id = (SELECT min(id) FROM events WHERE name = 'payment_method.saved' AND object_id IN \
         (SELECT id FROM payment_methods))",
    ),
    books(Check::Unheard, "the merchant never heard of an event", |books| {
        books.merchant.pop_first().map(drop).context("an event")
    }),
    books(Check::Invented, "the merchant heard of an event that is not there", |books| {
        let (_, mut heard) =
            books.merchant.first_key_value().map(|(id, heard)| (id, heard.clone())).context("an event")?;
        heard.body["sequence"] = json!(i64::MAX);
        heard.body["type"] = json!("payment_method.updated");
        books.merchant.insert("evt_invented".to_owned(), heard);
        Ok(())
    }),
    rows(
        Check::Undelivered,
        "a webhook to the merchant is never sent",
        "UPDATE endpoint_deliveries SET state = 'pending', next_attempt_at = 0 \
         WHERE id = (SELECT min(id) FROM endpoint_deliveries)",
    ),
    books(Check::AnswerGone, "a session was answered that is not there", |books| {
        let intent = open_intent(books)?;
        intent.session = Some("ses_00000000000000000000000000000000".to_owned());
        Ok(())
    }),
    books(Check::TwoAnswers, "one key was answered with two sessions", |books| {
        let intent = books.notes.intents.first_mut().context("an intent")?;
        intent.answered("ses_00000000000000000000000000000000", None);
        Ok(())
    }),
    books(Check::ChargeAnswerGone, "a charge was answered that is not there", |books| {
        let charge = books.notes.charges.values_mut().next().context("a charge")?;
        charge.id = "chg_other".into();
        Ok(())
    }),
    rows(
        Check::Sealed,
        "two sealed values change places",
        "UPDATE vault_records SET sealed = (SELECT sealed FROM vault_records WHERE id = \
         (SELECT max(token) FROM payment_methods)) WHERE id = (SELECT min(token) FROM payment_methods)",
    ),
    rows(
        Check::Sealed,
        "a value is said to be another customer's",
        "UPDATE vault_records SET owner = (SELECT max(id) FROM customers WHERE id <> vault_records.owner) \
         WHERE id = (SELECT min(token) FROM payment_methods)",
    ),
    rows(
        Check::Sealed,
        "two wrapped keys change places",
        "UPDATE vault_keys SET wrapped = (SELECT wrapped FROM vault_keys WHERE subject = (SELECT max(id) FROM customers) \
         AND purpose = 'data') WHERE subject = (SELECT min(id) FROM customers) AND purpose = 'data'",
    ),
    rows(
        Check::Audited,
        "an entry of the audit trail is edited",
        "UPDATE audit_entries SET actor = 'nobody' WHERE sequence = (SELECT min(sequence) + 1 FROM audit_entries)",
    ),
    rows(
        Check::SecretInRow,
        "a secret is noted in a row",
        "UPDATE deliveries SET note = 'refused: CANARY-callback-token' WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    rows(
        Check::SecretInRow,
        "an address is stored as base64",
        "UPDATE customers SET profile = 'eyJlbWFpbCI6IkNBTkFSWUBleGFtcGxlLmNvbSJ9' \
         WHERE id = (SELECT min(id) FROM customers)",
    ),
    Damage {
        what: "a secret is logged backwards",
        check: Check::SecretInFile,
        harm: Harm::File("leak.log", || CALLBACK_TOKEN.chars().rev().collect()),
        sqlite_only: false,
    },
    rows(
        Check::ForeignRow,
        "a customer is another tenant's",
        "UPDATE customers SET tenant = 'other' WHERE id = (SELECT min(id) FROM customers)",
    ),
    rows(
        Check::ForeignRow,
        "a webhook goes to an endpoint of nobody",
        "UPDATE endpoint_deliveries SET endpoint_id = 'whe_none' WHERE id = (SELECT min(id) FROM endpoint_deliveries)",
    ),
    books(Check::UnknownSession, "the gateway has a session that was never stored", |books| {
        let mut session = saved_session(books)?.clone();
        session["reference_id"] = json!("ses_00000000000000000000000000000000");
        books.gateway_sessions.push(session);
        Ok(())
    }),
    books(Check::UnknownCharge, "the gateway has a charge that was never stored", |books| {
        let mut charge = books.gateway_charges.first().context("a charge")?.clone();
        charge["reference"] = json!("chg_00000000000000000000000000000000");
        books.gateway_charges.push(charge);
        Ok(())
    }),
    rows(
        Check::Running,
        "a request is marked as running for ever",
        "UPDATE idempotency_keys SET answer = NULL WHERE id = (SELECT min(id) FROM idempotency_keys)",
    ),
    rows(
        Check::SessionsOfIntent,
        "one intent has two sessions",
        "INSERT INTO sessions (id, tenant, gateway, provider, mode, customer_id, status, provider_reference, nonce_hash, \
         expires_at, details, created_at, updated_at, version) \
         SELECT 'ses_twice', tenant, gateway, provider, mode, customer_id, status, 'ps-twice', nonce_hash, expires_at, \
         details, created_at, updated_at, version FROM sessions \
         WHERE id = (SELECT min(id) FROM sessions WHERE status = 'active')",
    ),
    books(Check::ForgottenLink, "a session is completed by a link that nobody was given", |books| {
        let mut session = saved_session(books)?.clone();
        session["payment_session_id"] = json!("ps-forgotten");
        books.gateway_sessions.push(session);
        Ok(())
    }),
    books(Check::TooManySessions, "the gateway has a session twice", |books| {
        let session = saved_session(books)?.clone();
        books.gateway_sessions.push(session);
        Ok(())
    }),
    rows(Check::ErasureUndone, "an erasure is never done", "UPDATE erasures SET state = 'pending'"),
    books(Check::ErasureUnaudited, "nobody can tell who asked for an erasure", |books| {
        books.forget_trail("customer.erase");
        Ok(())
    }),
    books(Check::ErasureUnledgered, "the ledger does not hold an erasure", |books| {
        books.ledger.clear();
        Ok(())
    }),
    books(Check::TokenAlive, "the gateway keeps a token of who was erased", |books| {
        let session = books.notes.erased.first().context("somebody erased")?.session.clone();
        let mut theirs = books.gateway_sessions.iter();
        let theirs = theirs.find(|theirs| theirs["reference_id"] == session.as_str()).context("a session")?;
        let token = theirs["payment_token_id"].as_str().unwrap_or_default();
        books.gateway_tokens.get_mut(token).context("a token")?["status"] = json!("ACTIVE");
        Ok(())
    }),
    rows(
        Check::TraceInRow,
        "the reference of who was erased is still noted",
        "UPDATE deliveries SET note = 'of {reference}' WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    rows(
        Check::TraceInRow,
        "a fingerprint of who was erased is still there",
        "UPDATE deliveries SET note = '{fingerprint}' WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    rows(
        Check::TraceInRow,
        "the key of who was erased is still there",
        "UPDATE deliveries SET note = '{key}' WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    rows(
        Check::TraceInRow,
        "a session of who was erased is still named",
        "UPDATE deliveries SET note = '{session}' WHERE id = (SELECT min(id) FROM deliveries)",
    ),
    Damage {
        what: "what was deleted lies on in the file",
        check: Check::TraceInFile,
        harm: Harm::Rows(
            "CREATE TABLE left_over (note TEXT); INSERT INTO left_over VALUES ('{reference}'); DROP TABLE left_over",
        ),
        sqlite_only: true,
    },
    books(Check::ChargedTwice, "a charge is taken twice", |books| {
        let charge = books.gateway_charges.first().context("a charge")?.clone();
        books.gateway_charges.push(charge);
        Ok(())
    }),
    rows(
        Check::ChargeCount,
        "a charge is stored twice",
        "INSERT INTO charges (id, tenant, gateway, provider, mode, customer_id, payment_method_id, status, amount, currency, \
         provider_reference, nonce_hash, details, created_at, updated_at, version) \
         SELECT 'chg_twice', tenant, gateway, provider, mode, customer_id, payment_method_id, status, amount, currency, \
         'pr-twice', nonce_hash, details, created_at, updated_at, version FROM charges \
         WHERE id = (SELECT min(id) FROM charges)",
    ),
    rows(
        Check::ChargeAmount,
        "a charge is of another amount",
        "UPDATE charges SET amount = amount + 1 WHERE id = (SELECT min(id) FROM charges)",
    ),
    books(Check::TakenAmount, "the gateway takes another amount", |books| {
        books.gateway_charges.first_mut().context("a charge")?["taken"] = json!("1.00");
        Ok(())
    }),
    books(Check::NeverHeard, "a charge succeeded that the gateway never heard of", |books| {
        anyhow::ensure!(!books.gateway_charges.is_empty(), "no charge");
        books.gateway_charges.remove(0);
        Ok(())
    }),
];

/// Somebody whose session is open.
fn open_intent(books: &mut Books) -> anyhow::Result<&mut crate::notes::Intent> {
    books.notes.intents.iter_mut().find(|intent| !intent.saved).context("nobody left the page open")
}

/// A session that was completed at the gateway, of somebody who is still here.
fn saved_session(books: &mut Books) -> anyhow::Result<&mut Value> {
    let erased: Vec<String> = books.notes.erased.iter().map(|erased| erased.session.clone()).collect();
    let is_erased = |id: &Value| erased.iter().any(|erased| id == erased.as_str());
    let mut sessions = books.gateway_sessions.iter_mut();
    let found =
        sessions.find(|session| session["status"] == "COMPLETED" && !is_erased(&session["reference_id"]));
    found.context("no session was completed")
}

/// What the merchant heard of that kind first, of somebody who is still here.
fn heard<'b>(books: &'b mut Books, kind: &str) -> anyhow::Result<&'b mut Value> {
    let mut bodies = books.merchant.values_mut().map(|heard| &mut heard.body);
    bodies.find(|body| body["type"] == kind).with_context(|| format!("the merchant never heard of {kind}"))
}
