//! Events: each change is told once, in the order in which it happened, to whoever reads along.

use std::collections::BTreeMap;

use billfold_core::charge::ChargeStatus;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::session::SessionStatus;

use super::Evidence;
use crate::simulation::rows::TenantRows;
use crate::simulation::told::short;

pub(super) fn check(evidence: &Evidence<'_>) {
    for (merchant, rows) in evidence.world.merchants.iter().zip(&evidence.tenants) {
        let all: Vec<(i64, String)> =
            rows.events.iter().map(|event| (event.sequence, event.id.to_string())).collect();
        if all.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            evidence.problem("I7: events are out of order".to_owned());
        }
        if all != merchant.events {
            evidence.problem(format!(
                "I7: {} events were read along, and there are {}",
                merchant.events.len(),
                all.len()
            ));
        }
        let mut by_object: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for event in &rows.events {
            by_object.entry(&event.object_id).or_default().push(&event.name);
        }
        sessions(evidence, rows, &by_object);
        methods(evidence, rows, &by_object);
        charges(evidence, rows, &by_object);
    }
}

fn sessions(evidence: &Evidence<'_>, rows: &TenantRows, told: &BTreeMap<&str, Vec<&str>>) {
    for session in rows.sessions.values() {
        let names = told.get(session.id.to_string().as_str()).cloned().unwrap_or_default();
        let last = format!("session.{}", session.status.as_str());
        // Only a completion may follow another ending.
        let right = match (session.status, names.as_slice()) {
            (SessionStatus::Completed, [first, second]) => {
                *second == last && matches!(*first, "session.expired" | "session.failed" | "session.canceled")
            }
            (_, [only]) => *only == last,
            _ => false,
        };
        if !right {
            let id = short(&session.id.to_string());
            evidence.problem(format!("I7: {id} is {}; told was {names:?}", session.status.as_str()));
        }
    }
}

fn methods(evidence: &Evidence<'_>, rows: &TenantRows, told: &BTreeMap<&str, Vec<&str>>) {
    for method in rows.methods.values() {
        let names = told.get(method.id.to_string().as_str()).cloned().unwrap_or_default();
        let count = |name: &str| names.iter().filter(|one| **one == name).count();
        let deleted = method.status == PaymentMethodStatus::Deleted;
        let right = names.first() == Some(&"payment_method.saved")
            && count("payment_method.saved") == 1
            && count("payment_method.deleted") == usize::from(deleted)
            && (!deleted || names.last() == Some(&"payment_method.deleted"));
        if !right {
            let id = short(&method.id.to_string());
            evidence.problem(format!("I7: {id} is {}; told was {names:?}", method.status.as_str()));
        }
    }
}

/// Every step of a charge's way that its merchant is to learn of, once and in its order.
fn charges(evidence: &Evidence<'_>, rows: &TenantRows, told: &BTreeMap<&str, Vec<&str>>) {
    for charge in rows.charges.values() {
        let names = told.get(charge.id.to_string().as_str()).cloned().unwrap_or_default();
        let silent = ["capturing", "capture_failed", "refund_processing", "refund_unknown"];
        let steps =
            charge.details.timeline.iter().skip(1).filter(|step| !silent.contains(&step.what.as_str()));
        let expected: Vec<String> = steps
            .map(|step| match step.what.as_str() {
                "incident" => "charge.needs_attention".to_owned(),
                what => format!("charge.{what}"),
            })
            .collect();
        if names != expected {
            let id = short(&charge.id.to_string());
            evidence.problem(format!("I7: {id} went by {expected:?}; told was {names:?}"));
        }
        let states = charge.details.timeline.iter().rev().map(|step| step.what.as_str());
        let mut states = states.filter(|what| ChargeStatus::ALL.iter().any(|one| one.as_str() == *what));
        if states.next() != Some(charge.status.as_str()) {
            let id = short(&charge.id.to_string());
            evidence.problem(format!("I7: {id} is {}, and its way is not", charge.status.as_str()));
        }
    }
}
