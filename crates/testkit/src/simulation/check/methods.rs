//! Methods, against the tokens that gateways gave out.

use std::collections::BTreeMap;

use billfold_core::payment_method::{PaymentMethod, PaymentMethodStatus};
use billfold_core::provider::{ProviderMethodStatus, TokenRef};
use billfold_core::secret::ExposeSecret as _;
use billfold_core::session::{Session, SessionStatus};

use super::Evidence;
use crate::simulation::gateway::GatewaySession;
use crate::simulation::rows::TenantRows;
use crate::simulation::told::short;
use crate::simulation::world::account_name;

/// Live methods by account and token.
type Holders<'a> = BTreeMap<(usize, String), Vec<&'a PaymentMethod>>;

pub(super) async fn check(evidence: &Evidence<'_>) {
    let mut holders = Holders::new();
    for rows in &evidence.tenants {
        for method in rows.live_methods() {
            let account =
                (0..evidence.world.accounts.len()).find(|index| account_name(*index) == method.gateway);
            let (Some(account), Some(token)) = (account, token_of(evidence, method).await) else {
                evidence.problem(format!("I9: {} has no token that opens", short(&method.id.to_string())));
                continue;
            };
            holders.entry((account, token)).or_default().push(method);
        }
        one_default(evidence, rows);
    }
    for ((account, token), methods) in &holders {
        if methods.len() > 1 {
            evidence.problem(format!("I3: {token} is {} methods", methods.len()));
        }
        for method in methods {
            known_to_gateway(evidence, *account, token, method);
        }
    }
    one_for_each_instrument(evidence, &holders);
    for known in evidence.world.scene.accounts.sessions() {
        nothing_left_over(evidence, &known, &holders);
    }
    for (merchant, rows) in evidence.world.merchants.iter().zip(&evidence.tenants) {
        for id in &merchant.deleted {
            if rows.methods.get(id).is_some_and(|method| method.status != PaymentMethodStatus::Deleted) {
                evidence.problem(format!("I6: {} was deleted and is back", short(&id.to_string())));
            }
        }
    }
}

async fn token_of(evidence: &Evidence<'_>, method: &PaymentMethod) -> Option<String> {
    let record = evidence.vault.records.iter().find(|record| Some(record.id) == method.token)?;
    let ours = record.tenant == method.tenant
        && record.owner == method.customer_id.to_string()
        && record.object == method.id.to_string();
    if !ours {
        evidence.problem(format!("I12: {} has another's token", short(&method.id.to_string())));
    }
    let bytes = evidence.world.processes[0].vault().open(record).await.ok()?;
    Some(TokenRef::from_secret_bytes(&bytes).ok()?.token.expose_secret().to_owned())
}

fn one_default(evidence: &Evidence<'_>, rows: &TenantRows) {
    for customer in rows.customers.keys() {
        let defaults = rows.live_methods().filter(|one| one.is_default && one.customer_id == *customer);
        if defaults.count() > 1 {
            evidence.problem(format!("I3: {} has two defaults", short(&customer.to_string())));
        }
    }
}

fn known_to_gateway(evidence: &Evidence<'_>, account: usize, token: &str, method: &PaymentMethod) {
    let accounts = &evidence.world.scene.accounts;
    let sessions = accounts.sessions();
    let mut givers = sessions
        .iter()
        .filter(|one| one.account == account && one.token.as_deref() == Some(token))
        .peekable();
    let name = short(&method.id.to_string());
    if givers.peek().is_none() {
        return evidence.problem(format!("I4: {name} has the token {token}, which no gateway gave out"));
    }
    if givers.any(|one| one.customer != method.customer_id.to_string()) {
        evidence.problem(format!("I12: {name} has the token of another customer"));
    }
    let usable = matches!(method.status, PaymentMethodStatus::Active | PaymentMethodStatus::Pending);
    if usable && accounts.is_deleted(account, token) {
        evidence.problem(format!("I3: {name} looks usable, and its token was deleted at its gateway by us"));
    }
    let there = evidence.world.accounts[account].gateway.token_status(token);
    if there == Some(ProviderMethodStatus::Active) && method.status != PaymentMethodStatus::Active {
        evidence.problem(format!("I5: {name} is {} and active at its gateway", method.status.as_str()));
    }
}

/// One card saved twice by one customer is one method, whatever its tokens.
fn one_for_each_instrument(evidence: &Evidence<'_>, holders: &Holders<'_>) {
    let mut seen = BTreeMap::new();
    for ((account, token), methods) in holders {
        for method in methods {
            let cards = evidence.world.cards.get(&(*account, method.customer_id.to_string()));
            let card = cards.into_iter().flatten().find(|card| card.token == *token);
            let Some(instrument) = card.and_then(|card| card.fingerprint.clone()) else { continue };
            if seen.insert((*account, method.customer_id, instrument), method.id).is_some() {
                let customer = short(&method.customer_id.to_string());
                evidence.problem(format!("I3: one card of {customer} is two methods"));
            }
        }
    }
}

/// A token of a live customer is a method's, or its gateway was made to forget it.
fn nothing_left_over(evidence: &Evidence<'_>, known: &GatewaySession, holders: &Holders<'_>) {
    let rows = evidence.tenant_of(known.account);
    let (Ok(id), Ok(customer)) = (known.reference.parse(), known.customer.parse()) else { return };
    let (Some(token), Some(row)) = (&known.token, rows.sessions.get(&id)) else { return };
    let held = holders.contains_key(&(known.account, token.clone()));
    if row.status != SessionStatus::Completed || held || !rows.is_live(customer) {
        return;
    }
    let accounts = &evidence.world.scene.accounts;
    if accounts.is_deleted(known.account, token) || accounts.is_spoiled(known.account, token) {
        return justified(evidence, rows, row, token);
    }
    evidence.problem(format!("I3: {token} of {} is no method, and still there", short(&known.reference)));
}

/// Whoever lost a token deleted the method, or saved the card anew.
fn justified(evidence: &Evidence<'_>, rows: &TenantRows, row: &Session, token: &str) {
    let gone = row.details.payment_methods.iter().any(|id| !rows.methods.contains_key(id));
    if gone || row.details.payment_methods.is_empty() {
        evidence.problem(format!("I3: the method of {token} is gone without a trace"));
    }
}
