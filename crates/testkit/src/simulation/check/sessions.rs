//! Sessions, against what their gateways know.

use billfold_core::provider::ProviderSessionStatus;
use billfold_core::session::SessionStatus;

use super::Evidence;
use crate::simulation::gateway::GatewaySession;
use crate::simulation::told::short;

pub(super) fn check(evidence: &Evidence<'_>) {
    for rows in &evidence.tenants {
        for session in rows.sessions.values() {
            let id = short(&session.id.to_string());
            if !session.status.is_final() || session.next_check_at.is_some() {
                let (status, next) = (session.status.as_str(), session.next_check_at);
                evidence.problem(format!("I13: {id} is {status}, and will be looked at: {next:?}"));
            }
            if session.tenant != rows.tenant || !rows.customers.contains_key(&session.customer_id) {
                evidence.problem(format!("I12: {id} belongs to nobody of its tenant"));
            }
        }
    }
    for (merchant, rows) in evidence.world.merchants.iter().zip(&evidence.tenants) {
        for id in &merchant.sessions {
            let seen = evidence.world.scene.observer.sessions();
            let gone = seen.get(id).is_none_or(|(customer, _)| rows.is_live(*customer));
            if gone && !rows.sessions.contains_key(id) {
                evidence.problem(format!("I1: {} was started and is gone", short(&id.to_string())));
            }
        }
    }
    for known in evidence.world.scene.accounts.sessions() {
        compare(evidence, &known);
    }
}

fn compare(evidence: &Evidence<'_>, known: &GatewaySession) {
    let rows = evidence.tenant_of(known.account);
    let (Ok(id), Ok(customer)) = (known.reference.parse(), known.customer.parse()) else { return };
    if !rows.is_live(customer) {
        return;
    }
    let name = short(&known.reference);
    let Some(row) = rows.sessions.get(&id) else {
        return evidence.problem(format!("I13: {name} is open at its gateway and was never stored"));
    };
    if row.customer_id != customer {
        evidence.problem(format!("I12: {name} is another customer's at its gateway"));
    }
    let gateway = &evidence.world.accounts[known.account].gateway;
    let completed = gateway.session_status(&known.id) == Some(ProviderSessionStatus::Completed);
    let spoiled = |token: &String| evidence.world.scene.accounts.is_spoiled(known.account, token);
    let usable = completed && !known.token.as_ref().is_some_and(spoiled);
    // A token that Billfold had deleted before it learnt of this session is not usable either.
    let deleted = known
        .token
        .as_ref()
        .is_some_and(|token| evidence.world.scene.accounts.is_deleted(known.account, token));
    match (row.status, completed) {
        (SessionStatus::Completed, false) => {
            evidence.problem(format!("I5: {name} is completed and is not at its gateway"));
        }
        (status, true) if usable && !deleted && status != SessionStatus::Completed => {
            evidence.problem(format!("I3: {name} is completed at its gateway and is {}", status.as_str()));
        }
        _ => {}
    }
}
