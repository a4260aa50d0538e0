//! The independent reader: compares what the database says with what the gateway and the merchant know. It reads rows
//! and books, and calls none of Billfold's code but the two commands that open and verify what is sealed.

mod charging;
mod checks;
mod erasing;
mod saving;
mod secrets;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::bail;
use billfold_sandbox::{Delivery, DeliveryState};
use serde_json::Value;
use tokio::time::sleep;

use crate::installation::Installation;
use crate::merchant::Log;
use crate::notes::Notes;
use crate::rows::rows;

pub(crate) use checks::{Check, Problem, told};
pub(crate) use erasing::traces;
pub(crate) use secrets::secrets;

/// How long everything may take to come to rest.
const REST: Duration = Duration::from_secs(150);
/// The gateway whose books are read; there may be others, which have none.
const GATEWAY: &str = "main";

/// What was found when everything was at rest.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) sessions: usize,
    pub(crate) saved: usize,
    pub(crate) events: usize,
    /// By what sessions were completed.
    pub(crate) settled: BTreeMap<String, usize>,
    /// Charges that the gateway took money for.
    pub(crate) paid: usize,
    /// Charges that were stored when their server died, and never sent.
    pub(crate) unsent: usize,
    /// Sessions that somebody was told are completed.
    pub(crate) seen_completed: usize,
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
pub(crate) async fn at_rest(here: &Installation, notes: &Notes) -> anyhow::Result<Findings> {
    let began = Instant::now();
    let findings = loop {
        let books = Books::read(here, notes).await?;
        let mut problems = books.problems();
        if problems.is_empty() {
            problems = traces(here, &notes.erased).await?;
        }
        if problems.is_empty() {
            break books.findings();
        }
        if began.elapsed() > REST {
            bail!("{}", told(&problems));
        }
        sleep(Duration::from_millis(300)).await;
    };
    let problems = secrets::problems(here).await?;
    if !problems.is_empty() {
        bail!("{}", told(&problems));
    }
    Ok(findings)
}

/// Reads everything once: every problem there is.
pub(crate) async fn look(here: &Installation, notes: &Notes) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Books::read(here, notes).await?.problems();
    problems.extend(traces(here, &notes.erased).await?);
    problems.extend(secrets::problems(here).await?);
    Ok(problems)
}

/// Everything, read once.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    pub(crate) notes: Notes,
    pub(crate) merchant: Log,
    pub(crate) gateway_sessions: Vec<Value>,
    pub(crate) gateway_tokens: BTreeMap<String, Value>,
    pub(crate) gateway_charges: Vec<Value>,
    pub(crate) gateway_deliveries: Vec<Delivery>,
    /// The erasures beside the database.
    pub(crate) ledger: String,
    /// The rows of the tables that are compared, by the table's name.
    tables: BTreeMap<&'static str, Vec<Value>>,
    /// Answers that the servers gave and could not keep, as they said in their logs.
    unkept: usize,
}

/// What a server says when its database went away between an answer and the note of it.
const UNKEPT: &str = "an answer could not be kept for its idempotency key";

/// The tables that are compared.
const TABLES: [&str; 14] = [
    "audit_entries",
    "charges",
    "customers",
    "deliveries",
    "endpoint_deliveries",
    "erasures",
    "events",
    "gateway_customers",
    "idempotency_keys",
    "payment_methods",
    "sessions",
    "vault_keys",
    "vault_records",
    "webhook_endpoints",
];

/// Which table's rows name which other's: table, column, the table that is named.
const REFERENCES: [(&str, &str, &str); 8] = [
    ("charges", "customer_id", "customers"),
    ("deliveries", "customer_id", "customers"),
    ("endpoint_deliveries", "endpoint_id", "webhook_endpoints"),
    ("gateway_customers", "customer_id", "customers"),
    ("payment_methods", "customer_id", "customers"),
    ("payment_methods", "session_id", "sessions"),
    ("sessions", "customer_id", "customers"),
    ("vault_records", "key_id", "vault_keys"),
];

impl Books {
    pub(crate) async fn read(here: &Installation, notes: &Notes) -> anyhow::Result<Self> {
        // The gateway first: what it tells while the rows are read is in them, or they are read again.
        let (control, merchant) = (here.control(), here.merchant.log());
        let mut books = Self {
            notes: notes.clone(),
            merchant,
            gateway_sessions: control.sessions(),
            gateway_tokens: by(control.tokens(), "payment_token_id"),
            gateway_charges: control.charges(),
            gateway_deliveries: control.deliveries(),
            ledger: std::fs::read_to_string(here.ledger()).unwrap_or_default(),
            tables: BTreeMap::new(),
            unkept: 0,
        };
        for table in TABLES {
            let mut rows = rows(&here.database, table).await?;
            rows.retain(|row| row["gateway"].is_null() || row["gateway"] == GATEWAY);
            books.tables.insert(table, rows);
        }
        // Logs may be long, and are looked at where they matter.
        if books.open_requests() > books.unanswered() {
            let logs = (0..).map(|server| std::fs::read_to_string(here.log(server))).map_while(Result::ok);
            books.unkept = logs.map(|log| log.matches(UNKEPT).count()).sum();
        }
        Ok(books)
    }

    fn rows(&self, table: &str) -> &[Value] {
        self.tables.get(table).map(Vec::as_slice).unwrap_or_default()
    }

    /// Loses every entry of the audit trail about one kind of act.
    pub(crate) fn forget_trail(&mut self, action: &str) {
        self.tables.entry("audit_entries").or_default().retain(|entry| field(entry, "action") != action);
    }

    /// The rows of a table by id.
    fn by_id(&self, table: &str) -> BTreeMap<&str, &Value> {
        self.rows(table).iter().map(|row| (field(row, "id"), row)).collect()
    }

    /// Every comparison that does not hold.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.inbox();
        problems.extend(self.intents());
        problems.extend(self.gateway());
        problems.extend(self.methods());
        problems.extend(self.charges());
        problems.extend(self.events());
        problems.extend(self.told_as_completed());
        problems.extend(self.references());
        problems.extend(self.leases());
        problems.extend(self.erasures());
        problems
    }

    /// Whether a reference is of a session whose customer was erased.
    fn is_erased(&self, session: &str) -> bool {
        self.notes.erased.iter().any(|erased| erased.session == session)
    }

    /// I12: no row names a row of another tenant, or none.
    fn references(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (table, column, target) in REFERENCES {
            let targets = self.by_id(target);
            for row in self.rows(table).iter().filter(|row| !row[column].is_null()) {
                let named = field(row, column);
                if targets.get(named).is_none_or(|target| target["tenant"] != row["tenant"]) {
                    let text =
                        format!("a row of {table} names {named} in {target}: another tenant's, or nobody's");
                    problems.push(Problem::new(Check::ForeignRow, text));
                }
            }
        }
        problems
    }

    fn open_requests(&self) -> usize {
        self.rows("idempotency_keys").iter().filter(|row| row["answer"].is_null()).count()
    }

    fn unanswered(&self) -> usize {
        self.notes.intents.iter().filter(|intent| intent.session.is_none()).count()
    }

    /// I14: nobody holds a lease on what is over. A merchant who gave up leaves a request without an answer, and so does
    /// a server whose database went away before it could keep the one that it gave.
    fn leases(&self) -> Vec<Problem> {
        let open = self.open_requests();
        if open <= self.unanswered() + self.unkept {
            return Vec::new();
        }
        vec![Problem::new(Check::Running, format!("{open} requests are still marked as running"))]
    }

    fn findings(&self) -> Findings {
        let mut settled = BTreeMap::new();
        for session in self.rows("sessions") {
            let details: Value = serde_json::from_str(field(session, "details")).unwrap_or_default();
            if let Some(way) = details["settled_via"].as_str() {
                *settled.entry(way.to_owned()).or_default() += 1;
            }
        }
        let paid = self.gateway_charges.len();
        Findings {
            sessions: self.rows("sessions").len(),
            saved: self.rows("payment_methods").len(),
            events: self.rows("events").len(),
            settled,
            paid,
            unsent: self.notes.charges.len().saturating_sub(paid),
            seen_completed: self.seen_completed().len(),
        }
    }

    /// The sessions that somebody was told are completed: the merchant by an event, or somebody by an answer.
    fn seen_completed(&self) -> BTreeSet<&str> {
        let of_events = self.merchant.values().filter(|heard| heard.body["type"] == "session.completed");
        let here = |body: &Value| body["data"]["gateway"].is_null() || body["data"]["gateway"] == GATEWAY;
        let of_events = of_events.filter(|heard| here(&heard.body));
        let by_event = of_events.map(|heard| field(&heard.body, "object_id"));
        let by_answer = self.notes.intents.iter().filter(|intent| intent.completed);
        by_event.chain(by_answer.filter_map(|intent| intent.session.as_deref())).collect()
    }
}

fn is_on_its_way(delivery: &Delivery) -> bool {
    matches!(delivery.state, DeliveryState::Pending | DeliveryState::Sending | DeliveryState::Held)
}

/// Values by one of their members.
fn by(values: Vec<Value>, member: &str) -> BTreeMap<String, Value> {
    values.into_iter().map(|value| (field(&value, member).to_owned(), value)).collect()
}

fn field<'v>(row: &'v Value, member: &str) -> &'v str {
    row[member].as_str().unwrap_or_default()
}
