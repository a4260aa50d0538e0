//! Webhooks, of two kinds at one address: token webhooks, whose signature in a header covers the body, and standard
//! webhooks, where each item carries a signature over eight of its fields. Pure.

mod charge;
mod standard;
mod token;

use billfold_core::provider::{EventSubject, WebhookBatch, WebhookDelivery, WebhookRejection};
use serde_json::Value;

use crate::config::Config;

/// Verifies and reads a delivery. Which kind it is, its shape says; neither is believed without its own proof.
pub(crate) fn read(config: &Config, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
    let body = serde_json::from_slice::<Value>(&delivery.body).ok();
    match body.as_ref().and_then(|body| Some((body, body.get(standard::ITEMS)?.as_array()?))) {
        Some((body, items)) => standard::read(config, body, items),
        None => token::read(config, delivery, body),
    }
}

/// News about a session. The gateway knows it by our own reference, so the question needs nothing else: not even
/// the answer to the call that made it.
fn session(reference: &str) -> EventSubject {
    let reference = Some(reference.to_owned());
    EventSubject::Session { merchant_reference: reference.clone(), reference }
}
