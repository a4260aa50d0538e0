//! Who was erased stays erased (I16): nothing of them is left here, nothing of use at the gateway, and it is on record.

use std::collections::BTreeMap;
use std::path::Path;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use serde_json::Value;

use super::{Books, Check, Problem, field};
use crate::installation::Installation;
use crate::notes::Erased;
use crate::rows::{rows, tables};

/// Tables that go on naming the objects of who was erased by their ids: the merchant knows these ids, and they say
/// nothing of the person.
const NAMES_OBJECTS: [&str; 3] = ["audit_entries", "endpoint_deliveries", "events"];

impl Books {
    /// Each erasure that was answered is done, audited, and in the ledger; the gateway let go of the token, or the
    /// erasure says that it did not.
    pub(super) fn erasures(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (rows, trail) = (self.by_id("erasures"), self.trail());
        for erased in &self.notes.erased {
            let id = erased.erasure.as_str();
            let Some(row) = rows.get(id).filter(|row| field(row, "state") == "done") else {
                let text = format!("the erasure {id} was answered and is not done");
                problems.push(Problem::new(Check::ErasureUndone, text));
                continue;
            };
            let actions = trail.get(id).map(Vec::as_slice).unwrap_or_default();
            if !actions.contains(&"customer.erase") || !actions.contains(&"erasure.done") {
                let text = format!("the audit trail says of {id} only {actions:?}");
                problems.push(Problem::new(Check::ErasureUnaudited, text));
            }
            if !self.ledger.contains(field(row, "subject")) {
                let text = format!("the erasure {id} is not in the ledger");
                problems.push(Problem::new(Check::ErasureUnledgered, text));
            }
            if self.keeps_token(erased) && !says_that_it_is_kept(row) {
                let text = format!("the gateway still has a token of {}", erased.customer);
                problems.push(Problem::new(Check::TokenAlive, text));
            }
        }
        problems
    }

    /// What the audit trail says, by object.
    fn trail(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut trail: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in self.rows("audit_entries") {
            trail.entry(field(entry, "object")).or_default().push(field(entry, "action"));
        }
        trail
    }

    /// Whether a token of theirs can still be used at the gateway.
    fn keeps_token(&self, erased: &Erased) -> bool {
        let mut sessions = self.gateway_sessions.iter();
        sessions.any(|theirs| {
            let token = self.gateway_tokens.get(field(theirs, "payment_token_id"));
            field(theirs, "reference_id") == erased.session
                && token.is_some_and(|token| field(token, "status") == "ACTIVE")
        })
    }
}

/// Whether an erasure names a token that its gateway did not delete.
fn says_that_it_is_kept(row: &Value) -> bool {
    let said: Value = serde_json::from_str(field(row, "gateway_deletions")).unwrap_or_default();
    let outcomes = said.as_array().into_iter().flatten().filter_map(|deletion| deletion["outcome"].as_str());
    outcomes.into_iter().any(|outcome| !matches!(outcome, "deleted" | "already_gone"))
}

/// Who was looked for, and how.
struct Traces {
    automaton: AhoCorasick,
    /// What each pattern is, and of whom.
    names: Vec<(String, bool)>,
}

impl Traces {
    fn of(erased: &[Erased]) -> anyhow::Result<Self> {
        let (mut patterns, mut names): (Vec<Vec<u8>>, Vec<_>) = (Vec::new(), Vec::new());
        let mut add = |what: String, is_id: bool, pattern: &[u8]| {
            if !pattern.is_empty() {
                names.push((what, is_id));
                patterns.push(pattern.to_vec());
            }
        };
        for erased in erased {
            let of = &erased.customer;
            add(format!("the reference of {of}"), false, erased.reference.as_bytes());
            add(format!("the id of {of}"), true, of.as_bytes());
            add(format!("a session of {of}"), true, erased.session.as_bytes());
            for fingerprint in &erased.fingerprints {
                add(format!("a fingerprint of {of}"), false, fingerprint.as_bytes());
            }
            for key in &erased.wrapped_keys {
                add(format!("a wrapped key of {of}"), false, key);
                add(format!("a wrapped key of {of}"), false, hex::encode(key).as_bytes());
            }
        }
        let automaton = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(patterns)?;
        Ok(Self { automaton, names })
    }

    /// What is found first; ids only where `ids` says.
    fn find(&self, bytes: &[u8], ids: bool) -> Option<&str> {
        let found = self.automaton.find_overlapping_iter(bytes);
        let mut named = found.filter_map(|found| self.names.get(found.pattern().as_usize()));
        named.find(|(_, is_id)| ids || !is_id).map(|(what, _)| what.as_str())
    }
}

/// What is left of those who were erased, in any row and, on SQLite, in the database's files. PostgreSQL keeps dead
/// rows until its `VACUUM`, as `docs/vault.md` says, so its files are not looked at.
pub(crate) async fn traces(here: &Installation, erased: &[Erased]) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if erased.is_empty() {
        return Ok(problems);
    }
    let traces = Traces::of(erased)?;
    for table in tables(&here.database).await? {
        let ids = !NAMES_OBJECTS.contains(&table.as_str());
        for row in rows(&here.database, &table).await? {
            if let Some(what) = traces.find(row.to_string().as_bytes(), ids) {
                problems.push(Problem::new(Check::TraceInRow, format!("{what} is in a row of {table}")));
            }
        }
    }
    if let Some(path) = here.database.strip_prefix("sqlite://") {
        for file in [path.to_owned(), format!("{path}-wal")] {
            let bytes = std::fs::read(&file).unwrap_or_default();
            if let Some(what) = traces.find(&bytes, false) {
                let name = Path::new(&file).file_name().unwrap_or_default().display().to_string();
                problems.push(Problem::new(Check::TraceInFile, format!("{what} is in the file {name}")));
            }
        }
    }
    Ok(problems)
}
