//! Webhooks: what was acknowledged is stored, once, and what was refused is not.

use std::collections::BTreeMap;

use base64::Engine as _;
use billfold_core::store::{Delivery, DeliveryState};

use super::Evidence;
use crate::simulation::channel::Origin;
use crate::simulation::told::short;
use crate::simulation::world::account_name;

pub(super) async fn check(evidence: &Evidence<'_>) {
    let mut stored: BTreeMap<(String, String), usize> = BTreeMap::new();
    for delivery in evidence.tenants.iter().flat_map(|rows| &rows.deliveries) {
        let open = matches!(delivery.state, DeliveryState::Received | DeliveryState::Parked);
        if open || delivery.next_attempt_at.is_some() {
            let id = short(&delivery.id.to_string());
            let (state, next) = (delivery.state.as_str(), delivery.next_attempt_at);
            evidence.problem(format!("I2: {id} is {state}, and will be worked on: {next:?}"));
        }
        if let Some(body) = body_of(evidence, delivery).await {
            *stored.entry((delivery.gateway.to_string(), body)).or_default() += 1;
        }
    }
    for ((gateway, body), count) in &stored {
        if *count > 1 {
            evidence.problem(format!("I1: {body} of {gateway} is stored {count} times"));
        }
    }
    for webhook in &evidence.world.channel.webhooks {
        let is_stored =
            stored.contains_key(&(account_name(webhook.account).to_string(), webhook.body.clone()));
        let body = &webhook.body;
        match webhook.origin {
            Origin::Forger if webhook.acknowledged || is_stored => {
                evidence.problem(format!("I1: {body} was forged and believed"));
            }
            Origin::Gateway
                if webhook.acknowledged && !is_stored && is_kept(evidence, webhook.about.as_ref()) =>
            {
                evidence.problem(format!("I1: {body} was acknowledged and is not stored"));
            }
            _ => {}
        }
    }
}

/// The bodies that were about an erased customer are erased with them.
fn is_kept(evidence: &Evidence<'_>, about: Option<&String>) -> bool {
    let observer = &evidence.world.scene.observer;
    let seen = observer.sessions();
    let customer = about.and_then(|id| match id.parse() {
        Ok(session) => seen.get(&session).map(|(customer, _)| *customer),
        Err(_) => observer.payer(id),
    });
    customer.is_none_or(|customer| evidence.tenants.iter().any(|rows| rows.is_live(customer)))
}

async fn body_of(evidence: &Evidence<'_>, delivery: &Delivery) -> Option<String> {
    let record = evidence.vault.records.iter().find(|record| record.id == delivery.body)?;
    let opened: serde_json::Value = evidence.world.processes[0].vault().open_json(record).await.ok()?;
    let body = base64::engine::general_purpose::STANDARD.decode(opened.get("body")?.as_str()?).ok()?;
    String::from_utf8(body).ok()
}
