//! What the merchant and its customers were told, and whether it is still so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Books, Check, Problem, field};

impl Books {
    /// I7: each change has one event, and the merchant has each event.
    pub(super) fn events(&self) -> Vec<Problem> {
        let events = self.rows("events");
        let mut of_object: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for event in events {
            *of_object.entry((field(event, "name"), field(event, "object_id"))).or_default() += 1;
        }
        let mut problems = Vec::new();
        let mut once = |name: &str, object: &str, expected: usize| {
            let count = of_object.get(&(name, object)).copied().unwrap_or(0);
            if count != expected {
                let text = format!("{count} events {name} for {object}, not {expected}");
                problems.push(Problem::new(Check::EventCount, text));
            }
        };
        for session in self.rows("sessions") {
            let completed = field(session, "status") == "completed";
            once("session.completed", field(session, "id"), usize::from(completed));
        }
        for method in self.rows("payment_methods") {
            once("payment_method.saved", field(method, "id"), 1);
        }
        for erased in &self.notes.erased {
            once("customer.erased", &erased.customer, 1);
        }
        let missing = events.iter().filter(|event| !self.merchant.contains_key(field(event, "id"))).count();
        if missing > 0 {
            let text = format!("the merchant never heard of {missing} events");
            problems.push(Problem::new(Check::Unheard, text));
        }
        let known: BTreeSet<&str> = events.iter().map(|event| field(event, "id")).collect();
        let invented = self.merchant.keys().filter(|id| !known.contains(id.as_str())).count();
        if invented > 0 {
            let text = format!("the merchant heard of {invented} events that are not there");
            problems.push(Problem::new(Check::Invented, text));
        }
        let outgoing = self.rows("endpoint_deliveries");
        let unsent = outgoing.iter().filter(|row| field(row, "state") != "delivered").count();
        if unsent > 0 {
            let text = format!("{unsent} outgoing webhooks are not delivered");
            problems.push(Problem::new(Check::Undelivered, text));
        }
        problems
    }

    /// I6: what was told as completed, whenever and to whomever, is completed; and nobody was told two things under one
    /// number.
    pub(super) fn told_as_completed(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let sessions = self.by_id("sessions");
        for id in self.seen_completed().into_iter().filter(|id| !self.is_erased(id)) {
            let status = sessions.get(id).map_or("gone", |session| field(session, "status"));
            if status != "completed" {
                let text = format!("{id} was told as completed and is {status}");
                problems.push(Problem::new(Check::Regressed, text));
            }
        }
        for intent in self.notes.intents.iter().filter(|intent| intent.regressed) {
            let text = format!("{} was shown as completed, and then not", intent.reference);
            problems.push(Problem::new(Check::Regressed, text));
        }
        problems.extend(self.later_ends());
        problems.extend(self.contradictions());
        problems
    }

    /// Sessions of which the merchant was told another end after they were completed.
    fn later_ends(&self) -> Vec<Problem> {
        let mut completed: BTreeMap<&str, i64> = BTreeMap::new();
        let of_sessions = || {
            let heard = self.merchant.values().map(|heard| &heard.body);
            heard.filter(|body| field(body, "type").starts_with("session."))
        };
        for body in of_sessions().filter(|body| body["type"] == "session.completed") {
            completed.insert(field(body, "object_id"), sequence(body));
        }
        let later = of_sessions().filter(|body| {
            body["type"] != "session.completed"
                && completed.get(field(body, "object_id")).is_some_and(|at| sequence(body) > *at)
        });
        let text =
            |body: &Value| format!("{} after it was completed: {}", field(body, "object_id"), body["type"]);
        later.map(|body| Problem::new(Check::Regressed, text(body))).collect()
    }

    /// Numbers and ids under which the merchant was told two things. What is told of somebody who was erased meanwhile
    /// is blank, and no other thing.
    fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen: BTreeMap<i64, &str> = BTreeMap::new();
        for (id, heard) in &self.merchant {
            let number = sequence(&heard.body);
            if let Some(other) = seen.insert(number, id) {
                let text = format!("{id} and {other} both have the number {number}");
                problems.push(Problem::new(Check::SequenceTwice, text));
            }
            if heard.others.iter().any(|other| differs(&heard.body, other)) {
                let text = format!("{id} came again and said something else");
                problems.push(Problem::new(Check::SequenceTwice, text));
            }
        }
        problems
    }
}

fn sequence(body: &Value) -> i64 {
    body["sequence"].as_i64().unwrap_or_default()
}

fn differs(one: &Value, other: &Value) -> bool {
    let members = ["sequence", "type", "object_id", "created_at"];
    let is_blank = |body: &Value| body["data"]["erased"] == true;
    members.iter().any(|member| one[member] != other[member])
        || (one["data"] != other["data"] && !is_blank(one) && !is_blank(other))
}
