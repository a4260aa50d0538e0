//! Charges, against the gateways' books: each order was charged once and as ordered, and what stands here stands there.

use std::collections::BTreeMap;

use billfold_core::charge::{Charge, ChargeStatus, RefundStatus};
use billfold_core::provider::ProviderChargeStatus;

use super::Evidence;
use crate::reference::{LedgerCharge, LedgerRefund};
use crate::simulation::charges::ChargeOrder;
use crate::simulation::gateway::Account;
use crate::simulation::rows::TenantRows;
use crate::simulation::told::short;
use crate::simulation::world::account_name;

pub(super) fn check(evidence: &Evidence<'_>) {
    let mut by_order: BTreeMap<usize, Vec<LedgerCharge>> = BTreeMap::new();
    for account in &evidence.world.accounts {
        for charge in account.gateway.ledger() {
            stored_before(evidence, account, &charge);
            let number = charge.asked.metadata.get(ChargeOrder::NUMBER).and_then(|text| text.parse().ok());
            let Some(number) = number else {
                evidence.problem(format!("I17: {} was ordered by nobody", charge.id));
                continue;
            };
            by_order.entry(number).or_default().push(charge);
        }
    }
    for (number, charges) in &by_order {
        as_ordered(evidence, *number, charges);
    }
    for rows in &evidence.tenants {
        for charge in rows.charges.values() {
            as_booked(evidence, rows, charge);
        }
        in_terms(evidence, rows);
    }
    for (number, order) in evidence.world.orders.iter().enumerate() {
        for id in &order.told {
            let rows = &evidence.tenants[order.merchant];
            let payer = evidence.world.scene.observer.payer(&id.to_string());
            if payer.is_none_or(|payer| rows.is_live(payer)) && !rows.charges.contains_key(id) {
                let id = short(&id.to_string());
                evidence.problem(format!("I1: {id} of order {number} was told of and is gone"));
            }
        }
    }
}

/// Nothing is charged that was not written down before, for the customer whose token it is.
fn stored_before(evidence: &Evidence<'_>, account: &Account, charge: &LedgerCharge) {
    let name = short(&charge.reference);
    let Some(payer) = evidence.world.scene.observer.payer(&charge.reference) else {
        return evidence.problem(format!("I17: {name} is at its gateway and was never stored"));
    };
    let sessions = evidence.world.scene.accounts.sessions();
    let mut givers = sessions
        .iter()
        .filter(|one| one.account == account.index && one.token.as_deref() == Some(charge.token.as_str()));
    if !givers.any(|one| one.customer == payer.to_string()) {
        evidence.problem(format!("I12: {name} was charged with the token of another customer"));
    }
    let rows = evidence.tenant_of(account.index);
    let stored = charge.reference.parse().is_ok_and(|id| rows.charges.contains_key(&id));
    if rows.is_live(payer) && !stored {
        evidence.problem(format!("I17: {name} is at its gateway and is gone here"));
    }
    let back: i64 = charge
        .refunds
        .iter()
        .filter(|one| one.status != RefundStatus::Failed)
        .map(|one| one.money.amount)
        .sum();
    let returned = charge.status == ProviderChargeStatus::Returned;
    if charge.captured > charge.money.amount || (back > charge.captured && !returned) {
        let taken = charge.captured;
        evidence.problem(format!("I18: of {name}, {taken} was taken and {back} given back at its gateway"));
    }
}

fn as_ordered(evidence: &Evidence<'_>, number: usize, charges: &[LedgerCharge]) {
    let order = &evidence.world.orders[number];
    let ids: Vec<&str> = charges.iter().map(|charge| charge.id.as_str()).collect();
    let tried = charges
        .iter()
        .filter(|charge| !order.request.fallback || charge.status != ProviderChargeStatus::Declined);
    if tried.count() > 1 {
        evidence.problem(format!("I17: order {number} was charged more than once: {ids:?}"));
    }
    for charge in charges {
        let money = (charge.money.amount, charge.money.currency);
        if money != (order.request.amount, order.request.currency) {
            evidence.problem(format!("I17: order {number} is charged as {money:?}"));
        }
        let asked = &charge.asked;
        if (asked.initiator, asked.capture) != (order.request.initiator, order.request.capture) {
            evidence.problem(format!("I17: order {number} is charged otherwise than ordered"));
        }
    }
}

fn as_booked(evidence: &Evidence<'_>, rows: &TenantRows, row: &Charge) {
    if !rows.is_live(row.customer_id) {
        return;
    }
    let name = short(&row.id.to_string());
    let account = evidence.world.accounts.iter().find(|one| account_name(one.index) == row.gateway);
    let Some(account) = account else { return evidence.problem(format!("I12: {name} is at no gateway")) };
    let mute = Account::is_mute_at(account.index);
    let booked = account.gateway.ledger();
    let booked = booked.iter().find(|charge| charge.reference == row.id.to_string());
    let (here, there) = (row.status, booked.map(|charge| charge.status));
    let same = match there {
        // A gateway that cannot be asked does not tell of what it never heard of.
        None if account.finds_by_reference() => here == ChargeStatus::Declined,
        None => matches!(here, ChargeStatus::Declined | ChargeStatus::Processing | ChargeStatus::Unknown),
        Some(ProviderChargeStatus::Authorized) => here == ChargeStatus::Authorized,
        Some(ProviderChargeStatus::Succeeded) => here == ChargeStatus::Succeeded,
        Some(ProviderChargeStatus::Declined | ProviderChargeStatus::Returned) => {
            here == ChargeStatus::Declined
        }
        Some(ProviderChargeStatus::Canceled) => here == ChargeStatus::Canceled,
        Some(_) => false,
    };
    if !same {
        return evidence.problem(format!("I18: {name} is {}, and at its gateway {there:?}", here.as_str()));
    }
    if row.details.incident.is_some() {
        let incident = &row.details.incident;
        evidence.problem(format!("I18: {name} is said to contradict itself: {incident:?}"));
    }
    let Some(booked) = booked else { return };
    if row.provider_reference.as_ref().is_some_and(|known| *known != booked.id) {
        evidence.problem(format!("I12: {name} is another charge at its gateway"));
    }
    if row.details.captured != booked.captured {
        let (here, there) = (row.details.captured, booked.captured);
        evidence.problem(format!("I18: of {name}, {here} was taken here and {there} at its gateway"));
    }
    refunds_as_booked(evidence, row, booked, mute);
    let open = row.details.capturing.is_some() || row.details.refunds.iter().any(|one| one.status.is_open());
    if open && !mute {
        evidence.problem(format!("I2: a capture or refund of {name} never ends"));
    }
    if row.status.is_final() && (row.next.is_some() || (!open && row.next_check_at.is_some())) {
        evidence.problem(format!("I2: {name} is over, and something is still waited for"));
    }
}

fn refunds_as_booked(evidence: &Evidence<'_>, row: &Charge, booked: &LedgerCharge, mute: bool) {
    let name = short(&row.id.to_string());
    for refund in &row.details.refunds {
        let is_it = |one: &&LedgerRefund| one.reference == refund.id.to_string();
        let there = booked.refunds.iter().find(is_it);
        let same = match there {
            None => refund.status == RefundStatus::Failed || (mute && refund.status.is_open()),
            Some(there) => there.status == refund.status && there.money.amount == refund.amount,
        };
        if !same {
            let status = refund.status.as_str();
            evidence.problem(format!("I18: a refund of {name} is {status}, and at its gateway {there:?}"));
        }
    }
    for there in &booked.refunds {
        if !row.details.refunds.iter().any(|refund| refund.id.to_string() == there.reference) {
            evidence.problem(format!("I18: {} of {name} is not known here", there.id));
        }
    }
}

/// The customers agreed to one charge of the merchant a day, not counting those that came to nothing. One of which it was
/// believed for a while that it had come to nothing could not be counted.
fn in_terms(evidence: &Evidence<'_>, rows: &TenantRows) {
    let mut by_method = BTreeMap::new();
    for charge in rows.charges.values() {
        let nothing = ["declined", "canceled"];
        let counted = !charge.details.timeline.iter().any(|step| nothing.contains(&step.what.as_str()));
        if counted && charge.details.initiator == billfold_core::charge::Initiator::Merchant {
            by_method.entry(charge.payment_method_id).or_insert_with(Vec::new).push(charge.created_at);
        }
    }
    for (method, mut times) in by_method {
        times.sort_unstable();
        if times.windows(2).any(|pair| pair[1].since(pair[0]).as_secs() < 24 * 3600) {
            let method = short(&method.to_string());
            evidence.problem(format!("I17: {method} was charged sooner than its customer agreed to"));
        }
    }
}
