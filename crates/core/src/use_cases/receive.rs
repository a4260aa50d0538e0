//! Receiving a webhook: verify, seal, store, acknowledge. Nothing else happens before the
//! acknowledgement, and nothing is acknowledged before it is durably stored.

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::{DeliveryView, MAX_ROUNDS, Principal, contended, purpose, sealed_kind};
use crate::billfold::Billfold;
use crate::capability::{Capabilities, Trust};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::id::DeliveryId;
use crate::name::GatewayName;
use crate::provider::{
    Acknowledgement, EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection,
};
use crate::secret::sha256;
use crate::store::{Changes, Commit, Delivery, DeliveryState, Write};
use crate::vault::{Fingerprint, Place, VaultRecord};

/// What is sealed of a webhook.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredWebhook {
    /// The body, byte for byte, in base64.
    body: String,
    /// What the provider read in it.
    pub(super) events: Vec<ProviderEvent>,
}

impl Billfold {
    /// Stores a webhook and says how to acknowledge it.
    ///
    /// Errors: [`ErrorKind::NotFound`] for an unknown gateway, [`ErrorKind::Unauthenticated`] when
    /// it did not prove its origin (nothing is stored, and the answer's status is that of
    /// [`Billfold::webhook_refusal`]), [`ErrorKind::InvalidRequest`] when it did but cannot be read
    /// (stored as evidence), [`ErrorKind::Store`] when it could not be stored and has to be sent again.
    pub async fn receive(&self, gateway: &GatewayName, delivery: WebhookDelivery) -> Result<Acknowledgement> {
        let gateway = self.gateway_named(gateway).ok_or_else(|| Error::not_found("gateway"))?;
        // A provider that panics over a body must not take the server with it.
        let read = gateway.contain("read_webhook", || gateway.provider.read_webhook(&delivery));
        match read.unwrap_or(Err(WebhookRejection::Unauthentic)) {
            Ok(mut batch) => {
                believe_no_more_than_is_signed(&mut batch);
                self.store_webhook(gateway, &delivery, &batch, DeliveryState::Received).await?;
                self.announce_work();
                Ok(batch.acknowledge)
            }
            Err(WebhookRejection::Unauthentic) => {
                tracing::warn!(gateway = %gateway.name, "a webhook without the right secret was refused");
                Err(Error::new(ErrorKind::Unauthenticated, "the webhook's secret is missing or wrong"))
            }
            Err(WebhookRejection::Unreadable) => {
                let evidence = WebhookBatch::new(gateway.capabilities().webhook_trust, Vec::new());
                self.store_webhook(gateway, &delivery, &evidence, DeliveryState::Unreadable).await?;
                Err(Error::invalid("", "the webhook's body cannot be read"))
            }
        }
    }

    /// The status with which a gateway wants a webhook refused that did not prove its origin.
    pub fn webhook_refusal(&self, gateway: &GatewayName) -> u16 {
        let wanted = self.gateway_named(gateway).map(|gateway| gateway.capabilities().webhook_refusal);
        wanted.unwrap_or(Capabilities::WEBHOOK_REFUSAL)
    }

    async fn store_webhook(
        &self,
        gateway: &Gateway,
        delivery: &WebhookDelivery,
        batch: &WebhookBatch,
        state: DeliveryState,
    ) -> Result<()> {
        let mut conflicts_with = None;
        for _ in 0..MAX_ROUNDS {
            let (row, body) = self.delivery_row(gateway, delivery, batch, state, conflicts_with).await?;
            let changes = Changes {
                vault: vec![Write::Insert(body)],
                deliveries: vec![Write::Insert(row.clone())],
                ..Changes::default()
            };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(());
            }
            let Some(known) = self.store().delivery_by_key(&row.gateway, &row.key).await? else {
                // The key that sealed the body was destroyed meanwhile: it is sealed anew.
                self.vault().forget(&gateway.tenant, gateway.name.as_str());
                continue;
            };
            if conflicts_with.is_none() && self.tells_something_else(gateway, &known, batch).await? {
                tracing::warn!(
                    gateway = %gateway.name, delivery = %known.id,
                    "a webhook came again under the same event id and tells something else: both are kept"
                );
                conflicts_with = Some(known.id);
                continue;
            }
            if self.store().delivery_came_again(known.id, self.now()).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Whether a webhook under a known event id is about other things than the one before. What the provider read is
    /// compared and not the bodies: some gateways write the time of the attempt into theirs.
    async fn tells_something_else(
        &self,
        gateway: &Gateway,
        known: &Delivery,
        batch: &WebhookBatch,
    ) -> Result<bool> {
        match self.open_webhook(gateway, known).await {
            Ok(stored) => Ok(stored.events != batch.events),
            // A body that is no longer kept cannot be compared.
            Err(error) if error.kind() == ErrorKind::Gone => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has a webhook worked on again, from its first attempt on, whatever became of it before: each event is only
    /// a reason to ask the gateway, so doing it twice does no harm.
    ///
    /// Errors: [`ErrorKind::NotFound`]; [`ErrorKind::Conflict`] for one that the provider could not read, or whose
    /// body is no longer kept.
    pub async fn replay_delivery(&self, by: &Principal, id: DeliveryId) -> Result<DeliveryView> {
        let tenant = &by.tenant;
        for _ in 0..MAX_ROUNDS {
            let stored = self.store().delivery(tenant, id).await?;
            let mut delivery = stored.ok_or_else(|| Error::not_found("delivery"))?;
            if delivery.state == DeliveryState::Unreadable {
                return Err(Error::conflict("the provider could not read the body of this delivery"));
            }
            if self.store().vault_record(tenant, delivery.body).await?.is_none() {
                return Err(Error::conflict("the body of this delivery is no longer kept"));
            }
            delivery.state = DeliveryState::Received;
            delivery.attempts = 0;
            delivery.note = None;
            delivery.next_attempt_at = Some(self.now());
            delivery.updated_at = self.now();
            delivery.version += 1;
            let details = serde_json::json!({"gateway": delivery.gateway, "summary": delivery.summary});
            let object = id.to_string();
            let entry = self.vault().audit_entry(tenant, &by.actor, "delivery.replay", &object, &details);
            let audit = vec![entry.await?];
            let deliveries = vec![Write::Update(delivery.clone())];
            if self.store().commit(Changes { deliveries, audit, ..Changes::default() }).await?
                == Commit::Applied
            {
                self.announce_work();
                return Ok(DeliveryView::from(delivery));
            }
        }
        Err(contended())
    }

    async fn delivery_row(
        &self,
        gateway: &Gateway,
        delivery: &WebhookDelivery,
        batch: &WebhookBatch,
        state: DeliveryState,
        conflicts_with: Option<DeliveryId>,
    ) -> Result<(Delivery, VaultRecord)> {
        let now = self.now();
        let readable = state != DeliveryState::Unreadable;
        let id = DeliveryId::generate(now, self.entropy().as_ref())?;
        let body = base64::engine::general_purpose::STANDARD.encode(&delivery.body);
        let stored = StoredWebhook { body, events: batch.events.clone() };
        let text = id.to_string();
        let mut sealed = self.vault().seal_json(webhook_place(gateway, &text), &stored).await?;
        sealed.expires_at = Some(now.plus(self.schedule().webhook_retention));
        let row = Delivery {
            id,
            tenant: gateway.tenant.clone(),
            gateway: gateway.name.clone(),
            key: self.delivery_key(gateway, delivery, batch, conflicts_with).await?,
            summary: summary(batch),
            body: sealed.id,
            customer_id: None,
            state,
            received_count: 1,
            attempts: 0,
            next_attempt_at: readable.then_some(now),
            note: (!readable).then(|| "the provider could not read the body".to_owned()),
            conflicts_with,
            received_at: delivery.received_at,
            updated_at: now,
            version: 1,
        };
        Ok((row, sealed))
    }

    /// The events' own keys, or the body's digest when it has none; for a key that was used for something else before,
    /// what is told this time as well. Keyed, for they may hold tokens.
    async fn delivery_key(
        &self,
        gateway: &Gateway,
        delivery: &WebhookDelivery,
        batch: &WebhookBatch,
        conflicts_with: Option<DeliveryId>,
    ) -> Result<Fingerprint> {
        let (digest, told) =
            (sha256(&delivery.body), sha256(&serde_json::to_vec(&batch.events).unwrap_or_default()));
        let mut parts = vec![purpose::DELIVERY, gateway.name.as_str().as_bytes()];
        if batch.events.is_empty() {
            parts.push(&digest);
        } else if conflicts_with.is_some() {
            parts.push(&told);
        }
        parts.extend(batch.events.iter().map(|event| event.dedupe_key.as_bytes()));
        self.vault().fingerprint(&gateway.tenant, &parts).await
    }

    pub(super) async fn open_webhook(&self, gateway: &Gateway, delivery: &Delivery) -> Result<StoredWebhook> {
        let record = self.store().vault_record(&gateway.tenant, delivery.body).await?;
        let ours = |record: &VaultRecord| {
            record.owner == gateway.name.as_str() && record.object == delivery.id.to_string()
        };
        let record = record.filter(ours).ok_or_else(|| {
            Error::new(
                ErrorKind::Gone,
                "the webhook's body is not kept any more; its gateway can send it again",
            )
        })?;
        self.vault().open_json(&record).await
    }
}

fn webhook_place<'a>(gateway: &'a Gateway, id: &'a str) -> Place<'a> {
    Place { tenant: &gateway.tenant, owner: gateway.name.as_str(), kind: sealed_kind::WEBHOOK, object: id }
}

/// A hint may name an object, and tells nothing about it.
fn believe_no_more_than_is_signed(batch: &mut WebhookBatch) {
    if batch.trust == Trust::Signed {
        return;
    }
    for event in &mut batch.events {
        if let EventSubject::Charge { told, .. } = &mut event.subject {
            *told = None;
        }
    }
}

/// The events' names, cut to a length that a list can show. They come from outside.
fn summary(batch: &WebhookBatch) -> String {
    let names: Vec<&str> = batch.events.iter().take(8).map(|event| event.name.as_str()).collect();
    names.join(", ").chars().filter(|c| !c.is_control()).take(120).collect()
}
