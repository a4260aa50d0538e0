//! Erased customers: nothing of them is left, here or at the gateways.

use billfold_core::erasure::ErasureState;
use billfold_core::id::CustomerId;
use billfold_core::session::SessionStatus;
use billfold_core::store::ERASED;

use super::Evidence;
use crate::simulation::gateway::GatewaySession;
use crate::simulation::rows::TenantRows;
use crate::simulation::told::short;

pub(super) fn check(evidence: &Evidence<'_>) {
    for rows in &evidence.tenants {
        for erasure in &rows.erasures {
            let id = short(&erasure.id.to_string());
            if erasure.state != ErasureState::Done || erasure.owner.is_some() {
                evidence.problem(format!("I2: the erasure {id} is not done"));
            }
            for (action, invariant) in [("customer.erase", "asked for"), ("erasure.done", "done")] {
                let told = rows
                    .audit
                    .iter()
                    .filter(|entry| entry.action == action && entry.object == erasure.id.to_string());
                let told = told.count();
                if told != 1 {
                    evidence.problem(format!("I10: that {id} was {invariant} is in the trail {told} times"));
                }
            }
        }
        tokens_are_deleted(evidence, rows);
    }
    for (merchant, customer) in &evidence.world.erased {
        let rows = &evidence.tenants[*merchant];
        match rows.customers.get(customer) {
            None => nothing_is_left(evidence, rows, *customer),
            Some(row) if row.erasure.is_some() => {
                evidence.problem(format!("I16: {} is still being erased", short(&customer.to_string())));
            }
            // It could not even be asked for.
            Some(_) => {}
        }
    }
}

fn nothing_is_left(evidence: &Evidence<'_>, rows: &TenantRows, customer: CustomerId) {
    let (owner, name) = (customer.to_string(), short(&customer.to_string()));
    let mine = |what: &str| evidence.problem(format!("I16: {name} is erased and has {what}"));
    if evidence.vault.records.iter().any(|record| record.owner == owner) {
        mine("sealed values");
    }
    if evidence.vault.keys.iter().any(|key| key.subject == owner) {
        mine("a data key");
    }
    if rows.sessions.values().any(|session| session.customer_id == customer) {
        mine("sessions");
    }
    if rows.methods.values().any(|method| method.customer_id == customer) {
        mine("methods");
    }
    if rows.charges.values().any(|charge| charge.customer_id == customer) {
        mine("charges");
    }
    if rows.deliveries.iter().any(|delivery| delivery.customer_id == Some(customer)) {
        mine("webhooks");
    }
    let sessions = evidence.world.scene.observer.sessions();
    let about = |object: &str| {
        object == owner
            || evidence.world.scene.observer.payer(object) == Some(customer)
            || sessions.iter().any(|(id, (of, _))| *of == customer && id.to_string() == object)
    };
    if rows
        .events
        .iter()
        .any(|event| about(&event.object_id) && event.data != ERASED && event.name != "customer.erased")
    {
        mine("events that tell of them");
    }
    if rows.events.iter().any(|event| event.object_id != owner && event.data.contains(&owner)) {
        mine("events about something else that name them");
    }
    let told = rows.events.iter().filter(|event| event.name == "customer.erased" && event.object_id == owner);
    let told = told.count();
    if told != 1 {
        evidence.problem(format!("I7: that {name} is erased was told {told} times"));
    }
}

/// Of those that Billfold knew, but for those that a gateway would not let go of until the deadline, and those
/// that were given out once more in a session that Billfold never heard the end of.
fn tokens_are_deleted(evidence: &Evidence<'_>, rows: &TenantRows) {
    let seen = evidence.world.scene.observer.sessions();
    let accounts = &evidence.world.scene.accounts;
    let all = accounts.sessions();
    let left: Vec<String> = all
        .iter()
        .filter(|one| std::ptr::eq(evidence.tenant_of(one.account), rows))
        .filter(|one| {
            let known = one.reference.parse().ok().and_then(|id| seen.get(&id));
            known.is_some_and(|(customer, status)| {
                *status == SessionStatus::Completed && !rows.is_live(*customer)
            })
        })
        .filter(|one| {
            let same = |other: &&GatewaySession| other.account == one.account && other.token == one.token;
            let completed = |other: &GatewaySession| {
                let known = other.reference.parse().ok().and_then(|id| seen.get(&id));
                known.is_some_and(|(_, status)| *status == SessionStatus::Completed)
            };
            all.iter().filter(same).all(completed)
        })
        .filter_map(|one| one.token.clone().map(|token| (one.account, token)))
        .filter(|(account, token)| {
            !accounts.is_deleted(*account, token) && !accounts.is_spoiled(*account, token)
        })
        .map(|(_, token)| token)
        .collect();
    let unfinished = rows.erasures.iter().flat_map(|erasure| &erasure.gateway_deletions);
    let unfinished =
        unfinished.filter(|one| matches!(one.outcome.as_str(), "unfinished" | "gave_up")).count();
    if left.len() > unfinished {
        evidence.problem(format!("I16: tokens of erased customers are left at their gateways: {left:?}"));
    }
}
