//! What was charged, against what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Books, Check, Problem, field};

impl Books {
    /// I17: one charge that was asked for is one charge at the gateway at most, of the same amount. I8: one that was
    /// answered is there. I13: the gateway has no other.
    pub(super) fn charges(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let rows = self.by_id("charges");
        let mut taken: BTreeMap<&str, Option<i64>> = BTreeMap::new();
        for charge in &self.gateway_charges {
            let id = field(charge, "reference");
            if taken.insert(id, amount(charge)).is_some() {
                problems.push(Problem::new(Check::ChargedTwice, format!("{id} was charged twice")));
            }
            if !rows.contains_key(id) {
                let text = format!("the gateway charged {id}, which was never stored");
                problems.push(Problem::new(Check::UnknownCharge, text));
            }
        }
        let named: BTreeSet<&str> = self.notes.charges.values().map(|charge| charge.id.as_str()).collect();
        if rows.len() != named.len() {
            let text = format!("{} charges are stored where {} were wanted", rows.len(), named.len());
            problems.push(Problem::new(Check::ChargeCount, text));
        }
        for (key, wanted) in &self.notes.charges {
            let Some(row) = rows.get(wanted.id.as_str()) else {
                let text = format!("the charge of {key} was answered and is not there");
                problems.push(Problem::new(Check::ChargeAnswerGone, text));
                continue;
            };
            if row["amount"].as_i64() != Some(wanted.amount) {
                problems.push(Problem::new(Check::ChargeAmount, format!("{key} is of another amount")));
            }
            let status = field(row, "status");
            match (taken.get(wanted.id.as_str()), status) {
                (Some(took), _) if *took != Some(wanted.amount) => {
                    let text = format!("{took:?} were taken for {key} instead of {}", wanted.amount);
                    problems.push(Problem::new(Check::TakenAmount, text));
                }
                // In the latter case it was stored when the server died, and never sent: this gateway cannot be asked about
                // what it never told of.
                (Some(_), "succeeded") | (None, "processing" | "unknown") => {}
                (Some(_), status) => {
                    let text = format!("{key} was paid and is {status}");
                    problems.push(Problem::new(Check::ChargeState, text));
                }
                (None, status) => {
                    let text = format!("{key} is {status}, and the gateway never heard of it");
                    problems.push(Problem::new(Check::NeverHeard, text));
                }
            }
        }
        problems
    }
}

/// `1000.00`: two decimals, whatever the amount.
fn amount(charge: &Value) -> Option<i64> {
    field(charge, "taken").replace('.', "").parse().ok()
}
