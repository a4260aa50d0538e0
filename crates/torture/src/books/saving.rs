//! Webhooks that came in, sessions that were wanted, and the methods that they saved.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Books, Check, Problem, field, is_on_its_way};

/// What a webhook that matches nothing is parked with.
const UNMATCHED: &str = "it matches no session or payment method";

impl Books {
    /// I1: what was acknowledged is there. I2: nothing waits for ever.
    pub(super) fn inbox(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let inbox = self.rows("deliveries");
        let attempts = self.gateway_deliveries.iter().flat_map(|delivery| &delivery.attempts);
        let accepted = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
        let acknowledged = attempts.filter(|attempt| accepted(attempt.status)).count();
        let received: i64 = inbox.iter().filter_map(|row| row["received_count"].as_i64()).sum();
        if i64::try_from(acknowledged).is_ok_and(|acknowledged| received < acknowledged) {
            let text = format!("{acknowledged} webhooks were acknowledged, {received} are in the inbox");
            problems.push(Problem::new(Check::Acknowledged, text));
        }
        // Whoever was erased has no session that a late webhook could match; it is parked until it is given up, which is
        // soon when servers die over it again and again.
        let is_late = |row: &&Value| field(row, "note") == UNMATCHED;
        let of_erased = |delivery: &&billfold_sandbox::Delivery| self.is_erased(reference(&delivery.data));
        let mut late = self.gateway_deliveries.iter().filter(of_erased).count();
        let mut not_late = |row: &&Value| {
            let pass = is_late(row) && late > 0;
            late -= usize::from(pass);
            !pass
        };
        let waiting = inbox.iter().filter(|row| matches!(field(row, "state"), "received" | "parked"));
        let waiting = waiting.filter(&mut not_late).count();
        let on_their_way = self.gateway_deliveries.iter().filter(|delivery| is_on_its_way(delivery)).count();
        if waiting + on_their_way > 0 {
            let text = format!("{waiting} webhooks wait, {on_their_way} are on their way");
            problems.push(Problem::new(Check::Waiting, text));
        }
        let dead = inbox.iter().filter(|row| matches!(field(row, "state"), "dead" | "unreadable"));
        let dead: Vec<&str> = dead.filter(&mut not_late).map(|row| field(row, "note")).collect();
        if let Some(note) = dead.first() {
            let text = format!("{} webhooks were given up, one with the note {note:?}", dead.len());
            problems.push(Problem::new(Check::GivenUp, text));
        }
        problems
    }

    /// I8 and I15: one intent, one session, whoever asked how often.
    pub(super) fn intents(&self) -> Vec<Problem> {
        let customers = self.by_id("customers");
        let mut of_customer: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for session in self.rows("sessions") {
            let customer = customers.get(field(session, "customer_id"));
            let reference = customer.map(|customer| field(customer, "reference")).unwrap_or_default();
            of_customer.entry(reference).or_default().push(session);
        }
        let mut problems = Vec::new();
        for intent in &self.notes.intents {
            let reference = &intent.reference;
            if let (Some(one), Some(other)) = (&intent.session, &intent.other_session) {
                let text = format!("{reference} was answered with {one} and with {other}");
                problems.push(Problem::new(Check::TwoAnswers, text));
            }
            if intent.session.as_deref().is_some_and(|id| self.is_erased(id)) {
                continue;
            }
            let sessions = of_customer.get(reference.as_str()).cloned().unwrap_or_default();
            let named = |id: &String| sessions.iter().any(|session| field(session, "id") == id);
            if intent.session.as_ref().is_some_and(|id| !named(id)) {
                let text = format!("the session of {reference} was answered and is not there");
                problems.push(Problem::new(Check::AnswerGone, text));
            }
            // A session whose creation died may have one after it, never two that a customer can use.
            let alive = sessions.iter().filter(|session| field(session, "status") != "creating").count();
            if alive > 1 || sessions.len() > intent.requests as usize {
                let (count, asked) = (sessions.len(), intent.requests);
                let text = format!("{reference} has {count} sessions after {asked} requests");
                problems.push(Problem::new(Check::SessionsOfIntent, text));
            }
            let completed = sessions.iter().any(|session| field(session, "status") == "completed");
            if intent.saved && !completed {
                let states: Vec<&str> = sessions.iter().map(|session| field(session, "status")).collect();
                let text = format!("{reference} saved a method and is {states:?}");
                problems.push(Problem::new(Check::SavedNotCompleted, text));
            }
        }
        problems
    }

    /// I5: sessions are what they are at the gateway. I3: one method for one token, of the right customer. I13: the
    /// gateway has nothing that is not known here.
    pub(super) fn gateway(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (sessions, mut known) = (self.by_id("sessions"), 0);
        for theirs in &self.gateway_sessions {
            let id = reference(theirs);
            if self.is_erased(id) {
                continue;
            }
            let Some(ours) = sessions.get(id) else {
                let text = format!("{id} is open at the gateway and was never stored");
                problems.push(Problem::new(Check::UnknownSession, text));
                continue;
            };
            let named = ours["provider_reference"].as_str();
            if named.is_some_and(|named| named != field(theirs, "payment_session_id")) {
                // An attempt that died before its answer; the one after it has another link, and nobody has this one.
                if field(theirs, "status") == "COMPLETED" {
                    let text = format!("{id} was completed by a link that nobody was given");
                    problems.push(Problem::new(Check::ForgottenLink, text));
                }
                continue;
            }
            known += 1;
            let completed = field(theirs, "status") == "COMPLETED";
            if completed == (field(ours, "status") == "completed") {
                problems.extend(self.methods_of(id, ours, theirs, completed));
            } else {
                let text = format!(
                    "{id} is {} and {} at the gateway",
                    field(ours, "status"),
                    field(theirs, "status")
                );
                problems.push(Problem::new(Check::SessionState, text));
            }
        }
        if known > sessions.len() {
            let text = format!("the gateway has {known} sessions where {} were wanted", sessions.len());
            problems.push(Problem::new(Check::TooManySessions, text));
        }
        problems
    }

    /// The methods of one session against its token.
    fn methods_of(&self, id: &str, ours: &Value, theirs: &Value, completed: bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        let of_session = |row: &&Value| field(row, "session_id") == id;
        let methods: Vec<&Value> = self.rows("payment_methods").iter().filter(of_session).collect();
        let expected = usize::from(completed);
        if methods.len() != expected {
            let text = format!("{id} has {} methods, not {expected}", methods.len());
            problems.push(Problem::new(Check::MethodCount, text));
        }
        if methods.iter().any(|method| method["customer_id"] != ours["customer_id"]) {
            let text = format!("the method of {id} is another customer's");
            problems.push(Problem::new(Check::ForeignMethod, text));
        }
        let token = self.gateway_tokens.get(field(theirs, "payment_token_id"));
        let Some(token) = token else {
            if !methods.is_empty() {
                let text = format!("the gateway has no token for the method of {id}");
                problems.push(Problem::new(Check::UnknownToken, text));
            }
            return problems;
        };
        let active = field(token, "status") == "ACTIVE";
        if methods.iter().any(|method| (field(method, "status") == "active") != active) {
            let text = format!("the method of {id} and its token are not in the same state");
            problems.push(Problem::new(Check::MethodState, text));
        }
        problems
    }

    /// I3: no token twice. I4: no method without one.
    pub(super) fn methods(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let methods = self.rows("payment_methods");
        let mut seen = BTreeSet::new();
        let twice = methods.iter().filter(|row| !seen.insert(field(row, "token_fingerprint"))).count();
        if twice > 0 {
            problems.push(Problem::new(Check::TokenTwice, format!("{twice} tokens were saved twice")));
        }
        let records = self.by_id("vault_records");
        for method in methods {
            let (id, sealed) = (field(method, "id"), method["token"].as_str());
            match sealed {
                None if field(method, "status") == "active" => {
                    let text = format!("{id} is active and has no token");
                    problems.push(Problem::new(Check::NoToken, text));
                }
                Some(sealed) if !records.contains_key(sealed) => {
                    let text = format!("the token of {id} is not in the vault");
                    problems.push(Problem::new(Check::NoRecord, text));
                }
                _ => {}
            }
        }
        problems
    }
}

/// Our id of a session, as the gateway has it.
fn reference(theirs: &Value) -> &str {
    field(theirs, "reference_id")
}
