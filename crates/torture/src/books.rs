//! The independent reader: compares what the database says with what the gateway and the merchant know. It reads rows
//! and books, and calls none of Billfold's code but the two commands that open and verify what is sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use billfold_sandbox::DeliveryState;
use serde_json::Value;
use tokio::time::sleep;

use crate::canary::{Canaries, Search};
use crate::installation::{CALLBACK_TOKEN, Installation, SECRET_KEY};
use crate::load::Intent;
use crate::rows::{rows, tables};

/// How long everything may take to come to rest.
const REST: Duration = Duration::from_secs(150);
/// Tokens that are looked for in clear: all of them would make the search slow.
const TOKENS: usize = 200;

/// What was found when everything was at rest.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) sessions: usize,
    pub(crate) saved: usize,
    pub(crate) events: usize,
    /// By what sessions were completed.
    pub(crate) settled: BTreeMap<String, usize>,
}

impl Findings {
    /// In words.
    pub(crate) fn told(&self) -> String {
        let ways: Vec<String> = self.settled.iter().map(|(way, count)| format!("{count} by {way}")).collect();
        format!(
            "{} sessions, {} methods saved once ({}), {} events",
            self.sessions,
            self.saved,
            ways.join(", "),
            self.events
        )
    }
}

/// Waits until every promise is kept; an error with those that are not when it takes too long.
pub(crate) async fn at_rest(here: &Installation, intents: &[Intent]) -> anyhow::Result<Findings> {
    let began = Instant::now();
    let findings = loop {
        let mut books = Books::read(here, intents).await?;
        books.compare();
        if books.problems.is_empty() {
            break books.findings();
        }
        if began.elapsed() > REST {
            let count = books.problems.len();
            books.problems.truncate(5);
            bail!("{count} promises broken: {}", books.problems.join("; "));
        }
        sleep(Duration::from_millis(300)).await;
    };
    sealed(here)?;
    no_canaries(here).await?;
    Ok(findings)
}

/// Everything sealed opens in its place (I9), and the audit trail is whole (I10).
fn sealed(here: &Installation) -> anyhow::Result<()> {
    here.cli(&["vault", "verify"]).context("I9")?;
    here.cli(&["audit", "verify"]).context("I10")?;
    Ok(())
}

/// Looks for everything that is secret in an installation.
pub(crate) fn secrets(here: &Installation) -> anyhow::Result<Search> {
    let mut canaries = Canaries::default();
    canaries.add("the gateway's key", SECRET_KEY);
    canaries.add("the webhook secret", CALLBACK_TOKEN);
    canaries.add("the API key", &here.api_key);
    canaries.add("a customer's address", "CANARY@example.com");
    canaries.add("an account number", "1234567890");
    for token in here.control().tokens().iter().take(TOKENS) {
        canaries.add("a token", token["payment_token_id"].as_str().unwrap_or_default());
    }
    canaries.search()
}

/// No secret in any row, file or log (I11).
async fn no_canaries(here: &Installation) -> anyhow::Result<()> {
    let search = secrets(here)?;
    for table in tables(&here.database).await? {
        for row in rows(&here.database, &table).await? {
            if let Some(what) = search.find(row.to_string().as_bytes()) {
                bail!("I11: {what} is in a row of {table}");
            }
        }
    }
    let database = here.database.strip_prefix("sqlite://").and_then(|path| Path::new(path).parent());
    for folder in [Some(here.folder.path()), database].into_iter().flatten() {
        for entry in std::fs::read_dir(folder)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // The configuration is where the secrets come from.
            if entry.path().extension().is_some_and(|kind| kind == "toml") || !entry.file_type()?.is_file() {
                continue;
            }
            if let Some(what) = search.find(&std::fs::read(entry.path())?) {
                bail!("I11: {what} is in the file {name}");
            }
        }
    }
    Ok(())
}

/// Everything, read once.
struct Books<'a> {
    intents: &'a [Intent],
    sessions: BTreeMap<String, Value>,
    customers: BTreeMap<String, Value>,
    methods: Vec<Value>,
    inbox: Vec<Value>,
    events: Vec<Value>,
    outgoing: Vec<Value>,
    leases: Vec<Value>,
    gateway_sessions: Vec<Value>,
    gateway_tokens: BTreeMap<String, Value>,
    acknowledged: usize,
    on_their_way: usize,
    merchant: crate::merchant::Log,
    problems: Vec<String>,
}

impl<'a> Books<'a> {
    async fn read(here: &Installation, intents: &'a [Intent]) -> anyhow::Result<Self> {
        let by = |rows: Vec<Value>, member: &str| -> BTreeMap<String, Value> {
            rows.into_iter().map(|row| (field(&row, member).to_owned(), row)).collect()
        };
        let database = here.database.as_str();
        let deliveries = here.control().deliveries();
        let accepted = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
        let acknowledged = deliveries.iter().flat_map(|delivery| &delivery.attempts);
        let on_their_way = deliveries.iter().filter(|delivery| {
            matches!(delivery.state, DeliveryState::Pending | DeliveryState::Sending | DeliveryState::Held)
        });
        Ok(Self {
            intents,
            acknowledged: acknowledged.filter(|attempt| accepted(attempt.status)).count(),
            on_their_way: on_their_way.count(),
            gateway_sessions: here.control().sessions(),
            gateway_tokens: by(here.control().tokens(), "payment_token_id"),
            merchant: here.merchant.log(),
            sessions: by(rows(database, "sessions").await?, "id"),
            customers: by(rows(database, "customers").await?, "id"),
            methods: rows(database, "payment_methods").await?,
            inbox: rows(database, "deliveries").await?,
            events: rows(database, "events").await?,
            outgoing: rows(database, "endpoint_deliveries").await?,
            leases: rows(database, "idempotency_keys").await?,
            problems: Vec::new(),
        })
    }

    fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    fn compare(&mut self) {
        self.inbox();
        self.intents();
        self.gateway();
        self.methods();
        self.events();
        self.references();
    }

    /// I1: what was acknowledged is there. I2: nothing waits for ever.
    fn inbox(&mut self) {
        let received: i64 = self.inbox.iter().filter_map(|row| row["received_count"].as_i64()).sum();
        if i64::try_from(self.acknowledged).is_ok_and(|acknowledged| received < acknowledged) {
            let acknowledged = self.acknowledged;
            self.problem(format!(
                "I1: {acknowledged} webhooks were acknowledged, {received} are in the inbox"
            ));
        }
        let waiting = |row: &&Value| matches!(field(row, "state"), "received" | "parked");
        let waiting = self.inbox.iter().filter(waiting).count();
        if waiting + self.on_their_way > 0 {
            self.problem(format!("I2: {waiting} webhooks wait, {} are on their way", self.on_their_way));
        }
        let dead =
            self.inbox.iter().filter(|row| matches!(field(row, "state"), "dead" | "unreadable")).count();
        if dead > 0 {
            self.problem(format!("I2: {dead} webhooks were given up"));
        }
    }

    /// I8 and I15: one intent, one session, whoever asked how often; I13: none is left in the middle.
    fn intents(&mut self) {
        let mut of_customer: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for session in self.sessions.values() {
            let customer = self.customers.get(field(session, "customer_id"));
            let reference = customer.map(|customer| field(customer, "reference")).unwrap_or_default();
            of_customer.entry(reference).or_default().push(session);
        }
        let mut problems = Vec::new();
        for intent in self.intents {
            let sessions = of_customer.get(intent.reference.as_str()).cloned().unwrap_or_default();
            let named = |id: &String| sessions.iter().any(|session| field(session, "id") == id);
            if intent.session.as_ref().is_some_and(|id| !named(id)) {
                problems
                    .push(format!("I8: the session of {} was answered and is not there", intent.reference));
            }
            // A session whose creation died may have one after it, never two that a customer can use.
            let alive = sessions.iter().filter(|session| field(session, "status") != "creating").count();
            if alive > 1 || sessions.len() > intent.requests as usize {
                let (count, asked) = (sessions.len(), intent.requests);
                problems
                    .push(format!("I15: {} has {count} sessions after {asked} requests", intent.reference));
            }
            let completed = sessions.iter().any(|session| field(session, "status") == "completed");
            if intent.saved && !completed {
                let states: Vec<&str> = sessions.iter().map(|session| field(session, "status")).collect();
                problems.push(format!("I3: {} saved a method and is {states:?}", intent.reference));
            }
        }
        self.problems.extend(problems);
    }

    /// I5: sessions are what they are at the gateway. I3 and I4: one method for one token, of the right customer.
    fn gateway(&mut self) {
        let mut problems = Vec::new();
        let mut known = 0;
        for theirs in &self.gateway_sessions {
            let reference = field(theirs, "reference_id");
            let Some(ours) = self.sessions.get(reference) else {
                problems.push(format!("I13: {reference} is open at the gateway and was never stored"));
                continue;
            };
            let named = ours["provider_reference"].as_str();
            if named.is_some_and(|named| named != field(theirs, "payment_session_id")) {
                // An attempt that died before its answer; the one after it has another link, and nobody has this one.
                if field(theirs, "status") == "COMPLETED" {
                    problems.push(format!("I15: {reference} was completed by a link that nobody was given"));
                }
                continue;
            }
            known += 1;
            let completed = field(theirs, "status") == "COMPLETED";
            if completed != (field(ours, "status") == "completed") {
                let (theirs, ours) = (field(theirs, "status"), field(ours, "status"));
                problems.push(format!("I5: {reference} is {ours} and {theirs} at the gateway"));
            }
            let of_session = |row: &&Value| field(row, "session_id") == reference;
            let methods: Vec<&Value> = self.methods.iter().filter(of_session).collect();
            let expected = usize::from(completed);
            if methods.len() != expected {
                let count = methods.len();
                problems.push(format!("I3: {reference} has {count} methods, not {expected}"));
            }
            if methods.iter().any(|method| method["customer_id"] != ours["customer_id"]) {
                problems.push(format!("I3: the method of {reference} is another customer's"));
            }
            let token = self.gateway_tokens.get(field(theirs, "payment_token_id"));
            let active = token.is_some_and(|token| field(token, "status") == "ACTIVE");
            if methods.iter().any(|method| (field(method, "status") == "active") != active) {
                problems
                    .push(format!("I5: the method of {reference} and its token are not in the same state"));
            }
        }
        if known > self.sessions.len() {
            problems.push("I15: the gateway has more sessions than were wanted".to_owned());
        }
        self.problems.extend(problems);
    }

    /// I3: no token twice.
    fn methods(&mut self) {
        let mut seen = BTreeSet::new();
        let twice = self.methods.iter().filter(|row| !seen.insert(field(row, "token_fingerprint"))).count();
        if twice > 0 {
            self.problem(format!("I3: {twice} tokens were saved twice"));
        }
        if self.methods.iter().any(|row| row["token"].is_null() && field(row, "status") == "active") {
            self.problem("I3: an active method has no token".to_owned());
        }
    }

    /// I7: each change has one event, and the merchant has each event.
    fn events(&mut self) {
        let mut of_object: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for event in &self.events {
            *of_object.entry((field(event, "name"), field(event, "object_id"))).or_default() += 1;
        }
        let mut problems = Vec::new();
        let mut once = |name: &str, object: &str, expected: usize| {
            let count = of_object.get(&(name, object)).copied().unwrap_or(0);
            if count != expected {
                problems.push(format!("I7: {count} events {name} for {object}, not {expected}"));
            }
        };
        for (id, session) in &self.sessions {
            once("session.completed", id, usize::from(field(session, "status") == "completed"));
        }
        for method in &self.methods {
            once("payment_method.saved", field(method, "id"), 1);
        }
        let missing =
            self.events.iter().filter(|event| !self.merchant.contains_key(field(event, "id"))).count();
        if missing > 0 {
            problems.push(format!("I7: the merchant never heard of {missing} events"));
        }
        let known: BTreeSet<&str> = self.events.iter().map(|event| field(event, "id")).collect();
        let invented = self.merchant.keys().filter(|id| !known.contains(id.as_str())).count();
        if invented > 0 {
            problems.push(format!("I7: the merchant heard of {invented} events that are not there"));
        }
        let unsent = self.outgoing.iter().filter(|row| field(row, "state") != "delivered").count();
        if unsent > 0 {
            problems.push(format!("I7: {unsent} outgoing webhooks are not delivered"));
        }
        self.problems.extend(problems);
    }

    /// I12: no row names a row of another tenant, or none. I14: nobody holds a lease on what is over.
    fn references(&mut self) {
        let mut problems = Vec::new();
        for row in self.sessions.values().chain(&self.methods) {
            let customer = self.customers.get(field(row, "customer_id"));
            if customer.is_none_or(|customer| customer["tenant"] != row["tenant"]) {
                problems.push(format!("I12: {} names a customer of another tenant", field(row, "id")));
            }
        }
        let answered: BTreeSet<&str> =
            self.intents.iter().filter_map(|intent| intent.session.as_deref()).collect();
        let open = self.leases.iter().filter(|row| row["answer"].is_null()).count();
        if open > self.intents.len() - answered.len() {
            problems.push(format!("I14: {open} requests are still marked as running"));
        }
        self.problems.extend(problems);
    }

    fn findings(&self) -> Findings {
        let mut settled = BTreeMap::new();
        for session in self.sessions.values() {
            let details: Value = serde_json::from_str(field(session, "details")).unwrap_or_default();
            if let Some(way) = details["settled_via"].as_str() {
                *settled.entry(way.to_owned()).or_default() += 1;
            }
        }
        Findings {
            sessions: self.sessions.len(),
            saved: self.methods.len(),
            events: self.events.len(),
            settled,
        }
    }
}

fn field<'v>(row: &'v Value, member: &str) -> &'v str {
    row[member].as_str().unwrap_or_default()
}
