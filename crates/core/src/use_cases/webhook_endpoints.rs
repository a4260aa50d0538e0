//! Webhook endpoints: made, shown, changed, deleted. Their secrets lie in the vault under the endpoint's id, and are
//! shown once.

use std::time::Duration;

use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::{MAX_ROUNDS, Principal, contended, sealed_kind};
use crate::audit::{Actor, AuditDraft};
use crate::billfold::Billfold;
use crate::erasure::Shred;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{VaultRecordId, WebhookEndpointId};
use crate::idempotency::Intent;
use crate::name::TenantId;
use crate::outgoing::{
    DisabledReason, EndpointState, EventFilter, PreviousSecret, WebhookEndpoint, WebhookEndpointView,
};
use crate::store::{Changes, Commit, Page, Write};
use crate::vault::{Place, VaultRecord};

/// As the Standard Webhooks specification marks a symmetric secret.
const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;
const MAX_DESCRIPTION: usize = 500;
const MAX_ENDPOINTS: u32 = 50;
/// How long the old secret signs beside the new one when nothing else is said.
const OVERLAP: Duration = Duration::from_hours(24);
const MAX_OVERLAP: Duration = Duration::from_hours(7 * 24);

/// An endpoint to make.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateEndpoint {
    /// Where events are sent.
    pub url: String,
    /// Which ones; all of them when left out.
    #[serde(default)]
    pub events: Option<Vec<String>>,
    /// The merchant's own words.
    #[serde(default)]
    pub description: Option<String>,
    /// Calls with one intent make one endpoint.
    #[serde(skip)]
    pub intent: Option<Intent>,
}

/// What is to be another way; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeEndpoint {
    /// Where events are sent.
    #[serde(default)]
    pub url: Option<String>,
    /// Which ones, from now on.
    #[serde(default)]
    pub events: Option<Vec<String>>,
    /// The merchant's own words; an empty text takes them away.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether anything is sent. What waited while it was disabled is sent once it is enabled.
    #[serde(default)]
    pub state: Option<EndpointState>,
}

/// An endpoint and its new secret, which is shown this once.
#[derive(Debug)]
pub struct EndpointSecret {
    /// The endpoint.
    pub endpoint: WebhookEndpointView,
    /// `whsec_` and 256 random bits in base64: what receivers verify signatures with.
    pub secret: SecretString,
}

impl Billfold {
    /// Makes an endpoint, which gets the events that happen from now on.
    ///
    /// Errors: [`ErrorKind::InvalidRequest`] with pointers; [`ErrorKind::Conflict`] when the tenant has too many.
    pub async fn create_webhook_endpoint(
        &self,
        by: &Principal,
        create: CreateEndpoint,
    ) -> Result<EndpointSecret> {
        let tenant = &by.tenant;
        let intended = create.intent.as_ref().map(Intent::id);
        if let Some(id) = intended
            && let Some(made) = self.store().webhook_endpoint(tenant, id).await?
        {
            return self.with_its_secret(made).await;
        }
        let url = self.endpoint_url(&create.url)?;
        let events = create.events.map_or_else(|| Ok(EventFilter::all()), EventFilter::parse)?;
        let description = description(create.description)?;
        let known = self.store().webhook_endpoints(tenant, Page::first(MAX_ENDPOINTS)).await?;
        if u32::try_from(known.len()).is_ok_and(|count| count >= MAX_ENDPOINTS) {
            return Err(Error::conflict(format!("a tenant has at most {MAX_ENDPOINTS} webhook endpoints")));
        }
        for _ in 0..MAX_ROUNDS {
            let now = self.now();
            let id = match intended {
                Some(id) => id,
                None => WebhookEndpointId::generate(now, self.entropy().as_ref())?,
            };
            let (secret, record) = self.new_secret(tenant, id, None).await?;
            let endpoint = WebhookEndpoint {
                id,
                tenant: tenant.clone(),
                url: url.clone(),
                events: events.clone(),
                description: description.clone(),
                disabled: None,
                failing_since: None,
                secret: record.id,
                previous_secret: None,
                cursor: self.store().last_event_sequence(tenant).await?,
                created_at: now,
                updated_at: now,
                version: 1,
            };
            let changes = Changes {
                vault: vec![Write::Insert(record)],
                webhook_endpoints: vec![Write::Insert(endpoint.clone())],
                audit: vec![self.endpoint_entry(&endpoint, "webhook_endpoint.create", &by.actor).await?],
                ..Changes::default()
            };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(EndpointSecret { endpoint: WebhookEndpointView::from(&endpoint), secret });
            }
            self.vault().forget(tenant, &id.to_string());
        }
        Err(contended())
    }

    /// One endpoint.
    pub async fn get_webhook_endpoint(
        &self,
        tenant: &TenantId,
        id: WebhookEndpointId,
    ) -> Result<WebhookEndpointView> {
        self.endpoint(tenant, id).await.map(|endpoint| WebhookEndpointView::from(&endpoint))
    }

    /// A tenant's endpoints, oldest first.
    pub async fn list_webhook_endpoints(
        &self,
        tenant: &TenantId,
        page: Page<WebhookEndpointId>,
    ) -> Result<Vec<WebhookEndpointView>> {
        let endpoints = self.store().webhook_endpoints(tenant, page).await?;
        Ok(endpoints.iter().map(WebhookEndpointView::from).collect())
    }

    /// Changes an endpoint. Enabling it forgets that it failed.
    pub async fn change_webhook_endpoint(
        &self,
        by: &Principal,
        id: WebhookEndpointId,
        change: ChangeEndpoint,
    ) -> Result<WebhookEndpointView> {
        let url = change.url.as_deref().map(|url| self.endpoint_url(url)).transpose()?;
        let events = change.events.map(EventFilter::parse).transpose()?;
        let description = change.description.map(|text| description(Some(text))).transpose()?;
        for _ in 0..MAX_ROUNDS {
            let known = self.endpoint(&by.tenant, id).await?;
            let mut endpoint = known.clone();
            endpoint.url = url.clone().unwrap_or(endpoint.url);
            endpoint.events = events.clone().unwrap_or(endpoint.events);
            endpoint.description = description.clone().unwrap_or(endpoint.description);
            match change.state {
                Some(EndpointState::Enabled) if endpoint.disabled.is_some() => {
                    endpoint.disabled = None;
                    endpoint.failing_since = None;
                }
                Some(EndpointState::Disabled) => {
                    endpoint.disabled = endpoint.disabled.or(Some(DisabledReason::Requested));
                }
                Some(EndpointState::Enabled) | None => {}
            }
            if endpoint == known {
                return Ok(WebhookEndpointView::from(&known));
            }
            endpoint.updated_at = self.now();
            endpoint.version += 1;
            let changes = Changes {
                webhook_endpoints: vec![Write::Update(endpoint.clone())],
                audit: vec![self.endpoint_entry(&endpoint, "webhook_endpoint.update", &by.actor).await?],
                ..Changes::default()
            };
            if self.store().commit(changes).await? == Commit::Applied {
                self.announce_events();
                return Ok(WebhookEndpointView::from(&endpoint));
            }
        }
        Err(contended())
    }

    /// Deletes an endpoint, its deliveries, its secrets and their key.
    pub async fn delete_webhook_endpoint(
        &self,
        by: &Principal,
        id: WebhookEndpointId,
    ) -> Result<WebhookEndpointView> {
        let endpoint = self.endpoint(&by.tenant, id).await?;
        for _ in 0..MAX_ROUNDS {
            let owner = id.to_string();
            let changes = Changes {
                webhook_endpoint_deletes: vec![(by.tenant.clone(), id)],
                shreds: vec![Shred { tenant: by.tenant.clone(), owner: owner.clone() }],
                audit: vec![self.endpoint_entry(&endpoint, "webhook_endpoint.delete", &by.actor).await?],
                ..Changes::default()
            };
            let commit = self.store().commit(changes).await?;
            self.vault().forget(&by.tenant, &owner);
            if commit == Commit::Applied {
                return Ok(WebhookEndpointView::from(&endpoint));
            }
        }
        Err(contended())
    }

    /// Gives an endpoint a new secret. The one it had signs beside it for `overlap` (24 hours when left out, 7 days
    /// at most, zero when it is known to somebody else), then it is destroyed. Calls with one intent make one secret.
    pub async fn rotate_webhook_secret(
        &self,
        by: &Principal,
        id: WebhookEndpointId,
        overlap: Option<Duration>,
        intent: Option<&Intent>,
    ) -> Result<EndpointSecret> {
        let overlap = overlap.unwrap_or(OVERLAP);
        if overlap > MAX_OVERLAP {
            let message = format!("expected at most {} seconds", MAX_OVERLAP.as_secs());
            return Err(Error::invalid("/overlap_seconds", message));
        }
        for _ in 0..MAX_ROUNDS {
            let mut endpoint = self.endpoint(&by.tenant, id).await?;
            let intended = intent.map(Intent::id);
            if intended == Some(endpoint.secret) {
                return self.with_its_secret(endpoint).await;
            }
            let (secret, record) = self.new_secret(&by.tenant, id, intended).await?;
            let mut changes = Changes::default();
            if let Some(oldest) = endpoint.previous_secret.take() {
                changes.vault_deletes.push((by.tenant.clone(), oldest.record));
            }
            let until = self.now().plus(overlap);
            match self.ending(&endpoint, until).await?.filter(|_| !overlap.is_zero()) {
                Some(old) => {
                    endpoint.previous_secret = Some(PreviousSecret { record: old.id, until });
                    changes.vault.push(Write::Update(old));
                }
                None => changes.vault_deletes.push((by.tenant.clone(), endpoint.secret)),
            }
            endpoint.secret = record.id;
            endpoint.updated_at = self.now();
            endpoint.version += 1;
            changes.vault.push(Write::Insert(record));
            changes
                .audit
                .push(self.endpoint_entry(&endpoint, "webhook_endpoint.rotate_secret", &by.actor).await?);
            changes.webhook_endpoints.push(Write::Update(endpoint.clone()));
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(EndpointSecret { endpoint: WebhookEndpointView::from(&endpoint), secret });
            }
            self.vault().forget(&by.tenant, &id.to_string());
        }
        Err(contended())
    }

    pub(super) async fn endpoint(&self, tenant: &TenantId, id: WebhookEndpointId) -> Result<WebhookEndpoint> {
        let found = self.store().webhook_endpoint(tenant, id).await?;
        found.ok_or_else(|| Error::not_found("webhook endpoint"))
    }

    /// An entry of the trail. The URL's path and query may hold a secret of the receiver, so its origin must do.
    pub(super) async fn endpoint_entry(
        &self,
        endpoint: &WebhookEndpoint,
        action: &str,
        by: &Actor,
    ) -> Result<AuditDraft> {
        let origin = endpoint.url.origin().ascii_serialization();
        let details = serde_json::json!({"origin": origin, "disabled": endpoint.disabled});
        let object = endpoint.id.to_string();
        self.vault().audit_entry(&endpoint.tenant, by, action, &object, &details).await
    }

    fn endpoint_url(&self, text: &str) -> Result<Url> {
        let sender = self.sender()?;
        let url = Url::parse(text).map_err(|_| Error::invalid("/url", "expected an https URL"))?;
        sender.check_url(&url).map_err(|problem| Error::invalid("/url", problem))?;
        Ok(url)
    }

    async fn new_secret(
        &self,
        tenant: &TenantId,
        id: WebhookEndpointId,
        intended: Option<VaultRecordId>,
    ) -> Result<(SecretString, VaultRecord)> {
        let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
        self.entropy().fill(bytes.as_mut())?;
        let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(bytes.as_ref()));
        let secret = SecretString::from(format!("{SECRET_PREFIX}{}", encoded.as_str()));
        let id = id.to_string();
        let place = Place { tenant, owner: &id, kind: sealed_kind::WEBHOOK_SECRET, object: &id };
        let record = self.vault().seal_as(intended, place, secret.expose_secret().as_bytes()).await?;
        Ok((secret, record))
    }

    /// An endpoint whose secret was made and not shown: whoever made it died.
    async fn with_its_secret(&self, endpoint: WebhookEndpoint) -> Result<EndpointSecret> {
        let record = self.store().vault_record(&endpoint.tenant, endpoint.secret).await?;
        let record = record.ok_or_else(|| Error::not_found("webhook endpoint"))?;
        let bytes = self.vault().open(&record).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::internal("a webhook secret is no text"))?;
        Ok(EndpointSecret {
            secret: SecretString::from(text.to_owned()),
            endpoint: WebhookEndpointView::from(&endpoint),
        })
    }

    /// The endpoint's secret as a record that ends by itself; `None` when it is gone or does not open any more: then a
    /// new one is all the better.
    async fn ending(
        &self,
        endpoint: &WebhookEndpoint,
        until: crate::clock::Timestamp,
    ) -> Result<Option<VaultRecord>> {
        let Some(mut record) = self.store().vault_record(&endpoint.tenant, endpoint.secret).await? else {
            return Ok(None);
        };
        let secret = match self.vault().open(&record).await {
            Ok(secret) => secret,
            Err(error) if error.kind() == ErrorKind::Vault => return Ok(None),
            Err(error) => return Err(error),
        };
        record.expires_at = Some(until);
        self.vault().reseal(record, &secret).await.map(Some)
    }
}

fn description(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_DESCRIPTION || text.chars().any(char::is_control) {
        let message = format!("expected at most {MAX_DESCRIPTION} printable characters");
        return Err(Error::invalid("/description", message));
    }
    Ok(Some(text))
}
