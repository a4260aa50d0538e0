//! Records that belong to the vault's users: any JSON or bytes, put, read, replaced, deleted, listed.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::value::{Mask, SecretValue, masked, owner_problem, problem, value_problems};
use super::{Fingerprint, Place, Vault, VaultRecord};
use crate::audit::Actor;
use crate::clock::Timestamp;
use crate::error::{Error, FieldError, Result};
use crate::id::VaultRecordId;
use crate::idempotency::Intent;
use crate::name::TenantId;
use crate::store::{Changes, Commit, Page, VaultPut, Write};

const MAX_ROUNDS: usize = 16;
/// Records whose time is over are deleted so many at once.
const EXPIRED: u32 = 200;
const MAX_METADATA: usize = 20;
const MAX_METADATA_VALUE: usize = 500;

/// What happens when the owner already has this value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Nothing is stored; the answer is a conflict.
    #[default]
    Reject,
    /// The stored value stays; metadata that was given is stored.
    Keep,
    /// The stored record takes the new value, metadata, mask and expiry, and keeps its id.
    Replace,
}

/// A value to store.
#[derive(Debug)]
#[non_exhaustive]
pub struct PutRecord {
    /// The data subject: 1 to 255 printable characters.
    pub owner: String,
    /// What the value is, as a name: `bank_account`.
    pub kind: String,
    /// The value.
    pub value: SecretValue,
    /// What makes two values the same; the value itself when left out.
    pub identity: Option<SecretString>,
    /// Whether one owner may hold the same value of a kind twice.
    pub allow_duplicates: bool,
    /// What happens when the owner already has it.
    pub on_conflict: OnConflict,
    /// What may be shown.
    pub mask: Mask,
    /// Pairs in clear; `None` leaves those of a kept record as they are.
    pub metadata: Option<BTreeMap<String, String>>,
    /// When the record ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Puts with one intent make one record.
    pub intent: Option<Intent>,
}

impl PutRecord {
    /// A value with nothing else said.
    pub fn new(owner: impl Into<String>, kind: impl Into<String>, value: SecretValue) -> Self {
        Self {
            owner: owner.into(),
            kind: kind.into(),
            value,
            identity: None,
            allow_duplicates: false,
            on_conflict: OnConflict::default(),
            mask: Mask::default(),
            metadata: None,
            expires_at: None,
            intent: None,
        }
    }
}

/// Another value for a record.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReplaceRecord {
    /// The value.
    pub value: SecretValue,
    /// What makes two values the same; the value itself when left out.
    pub identity: Option<SecretString>,
    /// What may be shown.
    pub mask: Mask,
    /// Pairs in clear; `None` leaves them as they are.
    pub metadata: Option<BTreeMap<String, String>>,
    /// When the record ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The generation that the caller has seen; a record that moved on is a conflict.
    pub expected_generation: Option<i64>,
}

impl ReplaceRecord {
    /// A value with nothing else said.
    pub fn new(value: SecretValue) -> Self {
        Self {
            value,
            identity: None,
            mask: Mask::default(),
            metadata: None,
            expires_at: None,
            expected_generation: None,
        }
    }
}

/// What came of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutOutcome {
    /// A new record.
    Created,
    /// The owner had it; nothing was changed.
    Kept,
    /// The owner had it; its metadata was changed.
    MetadataUpdated,
    /// The owner had it; it has the new value now.
    Replaced,
}

/// A put's answer: which of the outcomes it was, and the record as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct PutResult {
    /// What came of it.
    pub outcome: PutOutcome,
    /// The record.
    #[serde(flatten)]
    pub record: RecordView,
}

/// A record without its value.
#[derive(Debug, Clone, Serialize)]
pub struct RecordView {
    /// `vlt_…`.
    pub id: VaultRecordId,
    /// Always `vault_record`.
    pub object: &'static str,
    /// The data subject.
    pub owner: String,
    /// What the value is.
    pub kind: String,
    /// What may be shown of it.
    pub masked: Option<String>,
    /// The owner's own pairs.
    pub metadata: BTreeMap<String, String>,
    /// Counts changes of the value, from 1.
    pub generation: i64,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl From<&VaultRecord> for RecordView {
    fn from(record: &VaultRecord) -> Self {
        Self {
            id: record.id,
            object: "vault_record",
            owner: record.owner.clone(),
            kind: record.kind.clone(),
            masked: record.masked.clone(),
            metadata: record.metadata.clone(),
            generation: record.version,
            expires_at: record.expires_at,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

/// A record with its value, for whoever may see it.
#[derive(Debug)]
pub struct RevealedRecord {
    /// What is known in clear.
    pub record: RecordView,
    /// The value.
    pub value: SecretValue,
}

impl Vault {
    /// Stores a value, or finds that its owner has it already; one statement decides races.
    ///
    /// Errors: [`crate::ErrorKind::InvalidRequest`] with pointers; [`crate::ErrorKind::Conflict`] when the
    /// owner has the value and `on_conflict` is [`OnConflict::Reject`].
    pub async fn put(&self, tenant: &TenantId, put: PutRecord) -> Result<PutResult> {
        check_put(&put, self.inner.clock.now())?;
        let intended = put.intent.as_ref().map(Intent::id);
        if let Some(id) = intended
            && let Some(made) = self.inner.store.vault_record(tenant, id).await?
        {
            return Ok(PutResult { outcome: PutOutcome::Created, record: RecordView::from(&made) });
        }
        let plaintext = put.value.to_plaintext();
        let fingerprint = if put.allow_duplicates {
            None
        } else {
            Some(self.value_fingerprint(tenant, &put.kind, put.identity.as_ref(), &plaintext).await?)
        };
        for _ in 0..MAX_ROUNDS {
            let place = Place { tenant, owner: &put.owner, kind: &put.kind, object: "" };
            let mut record = self.seal_as(intended, place, &plaintext).await?;
            if let Some(fingerprint) = &fingerprint {
                record.fingerprint = fingerprint.clone();
            }
            record.masked = masked(put.mask, &put.value);
            record.metadata = put.metadata.clone().unwrap_or_default();
            record.expires_at = put.expires_at;
            let stored = self.inner.store.vault_put(&record, self.inner.clock.now()).await?;
            let settled = match stored {
                VaultPut::Created => Some((PutOutcome::Created, record)),
                VaultPut::Exists(known) => self.settle_conflict(*known, &put, &plaintext).await?,
                VaultPut::Stale => None,
            };
            if let Some((outcome, record)) = settled {
                return Ok(PutResult { outcome, record: RecordView::from(&record) });
            }
            // The key was destroyed meanwhile, or the record moved on: both are read anew.
            self.inner.cache.forget(tenant, &put.owner);
        }
        Err(Error::conflict("the value is being changed by others; try again"))
    }

    async fn settle_conflict(
        &self,
        known: VaultRecord,
        put: &PutRecord,
        plaintext: &[u8],
    ) -> Result<Option<(PutOutcome, VaultRecord)>> {
        let mut changed = known.clone();
        changed.metadata = put.metadata.clone().unwrap_or(changed.metadata);
        let (outcome, changed) = match put.on_conflict {
            OnConflict::Reject => {
                return Err(Error::conflict(format!("the owner already has this value, as {}", known.id)));
            }
            OnConflict::Keep if changed.metadata == known.metadata => {
                return Ok(Some((PutOutcome::Kept, known)));
            }
            OnConflict::Keep => {
                let Some(value) = self.open_if_kept(&known).await? else { return Ok(None) };
                (PutOutcome::MetadataUpdated, self.reseal(changed, &value).await?)
            }
            OnConflict::Replace => {
                changed.masked = masked(put.mask, &put.value);
                changed.expires_at = put.expires_at;
                (PutOutcome::Replaced, self.reseal(changed, plaintext).await?)
            }
        };
        Ok(self.update(changed).await?.map(|record| (outcome, record)))
    }

    /// A record without its value. One that ended is not found.
    pub async fn get(&self, tenant: &TenantId, id: VaultRecordId) -> Result<RecordView> {
        self.user_record(tenant, id).await.map(|record| RecordView::from(&record))
    }

    /// An owner's records, oldest first; of one kind if named.
    pub async fn list(
        &self,
        tenant: &TenantId,
        owner: &str,
        kind: Option<&str>,
        page: Page<VaultRecordId>,
    ) -> Result<Vec<RecordView>> {
        let now = self.inner.clock.now();
        let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (mut views, mut rest) = (Vec::new(), page);
        // Billfold's own records of the owner are passed over, so a page may take more than one look.
        while views.len() < wanted {
            let records = self.inner.store.vault_records_of(tenant, owner, kind, rest).await?;
            let Some(last) = records.last() else { break };
            rest.after = Some(last.id);
            views.extend(records.iter().filter(|record| is_users(record, now)).map(RecordView::from));
        }
        views.truncate(wanted);
        Ok(views)
    }

    /// Gives a record another value.
    ///
    /// Errors: [`crate::ErrorKind::Conflict`] when the record is not at the expected generation, or another
    /// record of its owner has the value.
    pub async fn replace(
        &self,
        tenant: &TenantId,
        id: VaultRecordId,
        replace: ReplaceRecord,
    ) -> Result<RecordView> {
        let mut fields = value_problems(&replace.value);
        fields.extend(metadata_problems(replace.metadata.as_ref()));
        fields.extend(expiry_problem(replace.expires_at, self.inner.clock.now()));
        refuse(fields)?;
        let plaintext = replace.value.to_plaintext();
        for _ in 0..MAX_ROUNDS {
            let known = self.user_record(tenant, id).await?;
            if replace.expected_generation.is_some_and(|expected| expected != known.version) {
                let message = format!("the record is at generation {}; read it again", known.version);
                return Err(Error::conflict(message));
            }
            let mut changed = known.clone();
            if known.fingerprint.as_str() != id.to_string() {
                let identity = replace.identity.as_ref();
                changed.fingerprint =
                    self.value_fingerprint(tenant, &known.kind, identity, &plaintext).await?;
            }
            changed.masked = masked(replace.mask, &replace.value);
            changed.metadata = replace.metadata.clone().unwrap_or(changed.metadata);
            changed.expires_at = replace.expires_at;
            let changed = self.reseal(changed, &plaintext).await?;
            if let Some(record) = self.update(changed.clone()).await? {
                return Ok(RecordView::from(&record));
            }
            let holder = self
                .inner
                .store
                .vault_record_by_fingerprint(tenant, &changed.owner, &changed.kind, &changed.fingerprint)
                .await?;
            if let Some(holder) = holder.filter(|holder| holder.id != id) {
                if is_users(&holder, self.inner.clock.now()) {
                    let message = format!("the owner already has this value, as {}", holder.id);
                    return Err(Error::conflict(message));
                }
                // Its time is over, and the sweeper has not come yet. It looks again before it deletes: somebody may
                // be prolonging it.
                while self.sweep_expired(EXPIRED).await? > 0 {}
            }
            self.inner.cache.forget(tenant, &changed.owner);
        }
        Err(Error::conflict("the record is being changed by others; try again"))
    }

    /// Deletes a record and its value.
    pub async fn delete(&self, tenant: &TenantId, id: VaultRecordId) -> Result<RecordView> {
        let record = self.user_record(tenant, id).await?;
        let changes = Changes { vault_deletes: vec![(tenant.clone(), id)], ..Changes::default() };
        self.inner.store.commit(changes).await?;
        Ok(RecordView::from(&record))
    }

    /// A record with its value. The audit trail says so in the same transaction; if it cannot, nothing is
    /// revealed.
    pub async fn reveal(&self, tenant: &TenantId, id: VaultRecordId, by: &Actor) -> Result<RevealedRecord> {
        let gone = || Error::not_found("vault record");
        let record = self.user_record(tenant, id).await?;
        let value = SecretValue::from_plaintext(&self.open_if_kept(&record).await?.ok_or_else(gone)?)?;
        let details = serde_json::json!({"kind": record.kind, "generation": record.version});
        self.append_audit(tenant, by, "vault.reveal", &id.to_string(), &details).await?;
        // Erased before the entry was written: nobody is shown a value after that.
        self.inner.store.vault_record(tenant, id).await?.ok_or_else(gone)?;
        Ok(RevealedRecord { record: RecordView::from(&record), value })
    }

    /// Deletes up to `limit` records whose time is over; says how many.
    pub async fn sweep_expired(&self, limit: u32) -> Result<usize> {
        Ok(self.inner.store.sweep_vault_records(self.inner.clock.now(), limit).await?.len())
    }

    async fn update(&self, record: VaultRecord) -> Result<Option<VaultRecord>> {
        let changes = Changes { vault: vec![Write::Update(record.clone())], ..Changes::default() };
        Ok((self.inner.store.commit(changes).await? == Commit::Applied).then_some(record))
    }

    async fn user_record(&self, tenant: &TenantId, id: VaultRecordId) -> Result<VaultRecord> {
        let now = self.inner.clock.now();
        let found = self.inner.store.vault_record(tenant, id).await?;
        found.filter(|record| is_users(record, now)).ok_or_else(|| Error::not_found("vault record"))
    }

    async fn value_fingerprint(
        &self,
        tenant: &TenantId,
        kind: &str,
        identity: Option<&SecretString>,
        plaintext: &[u8],
    ) -> Result<Fingerprint> {
        let identity = identity.map_or(plaintext, |identity| identity.expose_secret().as_bytes());
        self.fingerprint(tenant, &[b"vault-value", kind.as_bytes(), identity]).await
    }
}

/// Billfold's own records have kinds with a dot, which a user's kind cannot have.
fn is_users(record: &VaultRecord, now: Timestamp) -> bool {
    !record.kind.contains('.') && record.expires_at.is_none_or(|end| end > now)
}

fn refuse(fields: Vec<FieldError>) -> Result<()> {
    if fields.is_empty() { Ok(()) } else { Err(Error::invalid_fields(fields)) }
}

fn check_put(put: &PutRecord, now: Timestamp) -> Result<()> {
    let mut fields = Vec::new();
    fields.extend(owner_problem(&put.owner));
    if let Err(error) = put.kind.parse::<TenantId>() {
        fields.push(problem("/kind", error.to_string()));
    }
    fields.extend(value_problems(&put.value));
    fields.extend(metadata_problems(put.metadata.as_ref()));
    fields.extend(expiry_problem(put.expires_at, now));
    refuse(fields)
}

fn metadata_problems(metadata: Option<&BTreeMap<String, String>>) -> Vec<FieldError> {
    let Some(metadata) = metadata else { return Vec::new() };
    let mut fields = Vec::new();
    if metadata.len() > MAX_METADATA {
        fields.push(problem("/metadata", format!("expected at most {MAX_METADATA} pairs")));
    }
    for (key, value) in metadata {
        let name_fits = !key.is_empty() && key.chars().count() <= 40 && !key.chars().any(char::is_control);
        let value_fits = value.chars().count() <= MAX_METADATA_VALUE && !value.contains('\0');
        if !name_fits || !value_fits {
            let pointer = format!("/metadata/{}", key.replace('~', "~0").replace('/', "~1"));
            let limits = format!("keys have 1 to 40 characters, values at most {MAX_METADATA_VALUE}");
            fields.push(problem(pointer, limits));
        }
    }
    fields
}

fn expiry_problem(expires_at: Option<Timestamp>, now: Timestamp) -> Option<FieldError> {
    let passed = expires_at.is_some_and(|end| end <= now);
    passed.then(|| problem("/expires_at", "expected a moment in the future"))
}
