//! What Billfold does, one file per use case. Each is a method of [`crate::Billfold`].

use std::collections::BTreeMap;

use futures::future::{BoxFuture, join_all};
use futures::stream::{self, StreamExt as _};

use crate::name::GatewayName;

mod api_keys;
mod background;
mod cancel;
mod charges;
mod choose;
mod customers;
mod endpoint_deliveries;
mod erase;
mod events;
mod fan_out;
mod idempotency;
mod inbox;
mod known_keys;
mod methods;
mod process;
mod receive;
mod reconcile;
mod remove;
mod returns;
mod send;
mod settle;
mod settle_method;
mod start;
mod validate;
mod vault_records;
mod webhook_endpoints;

pub use api_keys::{ApiKeyView, IssuedApiKey, Principal};
pub use charges::{Attempt, StartCharge, StartRefund};
pub(crate) use known_keys::KnownKeys;

pub use events::{DeliveryView, EventView};
pub use send::EndpointTest;
pub use start::{CustomerSelector, GivenConsent, StartSession};
pub use webhook_endpoints::{ChangeEndpoint, CreateEndpoint, EndpointSecret};

/// How often a use case reads again when its commit was stale. Each round means that someone else
/// made progress, so the bound only guards against a defect.
const MAX_ROUNDS: usize = 16;

fn contended() -> crate::Error {
    crate::Error::conflict("the object is being changed by others; try again")
        .with_retry(crate::error::Retry::SameKey { after: Some(std::time::Duration::from_secs(1)) })
}

/// Works on all of a batch, a few at a time, so that one slow gateway does not hold up the others. All are worked
/// on whatever becomes of one; then the first error is told.
async fn side_by_side(at_once: usize, batch: Vec<BoxFuture<'_, crate::Result<()>>>) -> crate::Result<()> {
    let mut outcomes = stream::iter(batch).buffer_unordered(at_once.max(1));
    let mut first = Ok(());
    while let Some(outcome) = outcomes.next().await {
        first = first.and(outcome);
    }
    first
}

/// The same for what concerns gateways: each has places of its own, so that one that is slow holds up no other. One after
/// the other where only one may be worked on.
async fn each_by_itself(
    at_once: usize,
    batches: BTreeMap<GatewayName, Vec<BoxFuture<'_, crate::Result<()>>>>,
) -> crate::Result<()> {
    if at_once > 1 {
        let each = batches.into_values().map(|batch| side_by_side(at_once, batch));
        join_all(each).await.into_iter().collect()
    } else {
        side_by_side(at_once, batches.into_values().flatten().collect()).await
    }
}

/// Tells a tenant's fingerprints of different things apart.
mod purpose {
    pub(super) const TOKEN: &[u8] = b"gateway-token";
    pub(super) const INSTRUMENT: &[u8] = b"instrument";
    pub(super) const DELIVERY: &[u8] = b"webhook-delivery";
    pub(super) const ERASURE: &[u8] = b"erasure-subject";
    pub(super) const CONSENT_ADDRESS: &[u8] = b"consent-address";
    pub(super) const IDEMPOTENCY_KEY: &[u8] = b"idempotency-key";
    pub(super) const IDEMPOTENT_REQUEST: &[u8] = b"idempotent-request";
}

/// The kinds of sealed value. The dot keeps them apart from the kinds of the vault's users.
mod sealed_kind {
    pub(super) const GATEWAY_TOKEN: &str = "billfold.gateway_token";
    pub(super) const CUSTOMER_PROFILE: &str = "billfold.customer_profile";
    pub(super) const NEXT_ACTION: &str = "billfold.next_action";
    pub(super) const WEBHOOK: &str = "billfold.webhook";
    pub(super) const WEBHOOK_SECRET: &str = "billfold.webhook_secret";
    pub(super) const IDEMPOTENT_ANSWER: &str = "billfold.idempotent_answer";
}
