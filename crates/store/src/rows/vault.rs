//! Data keys and sealed values.

use billfold_core::store::StoreError;
use billfold_core::vault::{Fingerprint, KeyId, Sealed, Suite, VaultKey, VaultRecord, WrapperId};
use diesel::prelude::*;

use crate::convert::{json, millis, named, parsed, time, to_json, unreadable};
use crate::schema::{vault_keys, vault_records};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = vault_keys)]
pub(crate) struct VaultKeyRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) subject: String,
    pub(crate) purpose: String,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) wrapper: String,
    pub(crate) state: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) version: i64,
}

impl VaultKeyRow {
    /// What is unique among primary keys.
    pub(crate) fn place(&self) -> (&str, &str, &str) {
        (&self.tenant, &self.subject, &self.purpose)
    }
}

impl From<&VaultKey> for VaultKeyRow {
    fn from(key: &VaultKey) -> Self {
        Self {
            id: key.id.to_string(),
            tenant: key.tenant.to_string(),
            subject: key.subject.clone(),
            purpose: key.purpose.as_str().to_owned(),
            wrapped: key.wrapped.clone(),
            wrapper: key.wrapper.as_str().to_owned(),
            state: key.state.as_str().to_owned(),
            created_at: key.created_at.as_millis(),
            updated_at: key.updated_at.as_millis(),
            version: key.version,
        }
    }
}

impl TryFrom<VaultKeyRow> for VaultKey {
    type Error = StoreError;

    fn try_from(row: VaultKeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: key_id(&row.id, "vault_keys.id")?,
            tenant: parsed(&row.tenant, "vault_keys.tenant")?,
            subject: row.subject,
            purpose: named(&row.purpose, "vault_keys.purpose")?,
            wrapped: row.wrapped,
            wrapper: WrapperId::from_text(row.wrapper),
            state: named(&row.state, "vault_keys.state")?,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
        })
    }
}

fn key_id(text: &str, column: &'static str) -> Result<KeyId, StoreError> {
    KeyId::from_hex(text).ok_or_else(|| unreadable(column))
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = vault_records, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct VaultRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) owner: String,
    pub(crate) kind: String,
    pub(crate) object: String,
    pub(crate) key_id: String,
    pub(crate) suite: i64,
    pub(crate) fingerprint: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) masked: Option<String>,
    pub(crate) metadata: String,
    pub(crate) expires_at: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) version: i64,
}

impl TryFrom<&VaultRecord> for VaultRow {
    type Error = StoreError;

    fn try_from(record: &VaultRecord) -> Result<Self, StoreError> {
        Ok(Self {
            id: record.id.to_string(),
            tenant: record.tenant.to_string(),
            owner: record.owner.clone(),
            kind: record.kind.clone(),
            object: record.object.clone(),
            key_id: record.key_id.to_string(),
            suite: record.suite.number().into(),
            fingerprint: record.fingerprint.as_str().to_owned(),
            sealed: record.sealed.as_bytes().to_vec(),
            masked: record.masked.clone(),
            metadata: to_json(&record.metadata, "vault_records.metadata")?,
            expires_at: millis(record.expires_at),
            created_at: record.created_at.as_millis(),
            updated_at: record.updated_at.as_millis(),
            version: record.version,
        })
    }
}

impl TryFrom<VaultRow> for VaultRecord {
    type Error = StoreError;

    fn try_from(row: VaultRow) -> Result<Self, StoreError> {
        let suite = u16::try_from(row.suite).ok().and_then(Suite::from_number);
        Ok(Self {
            id: parsed(&row.id, "vault_records.id")?,
            tenant: parsed(&row.tenant, "vault_records.tenant")?,
            owner: row.owner,
            kind: row.kind,
            object: row.object,
            key_id: key_id(&row.key_id, "vault_records.key_id")?,
            suite: suite.ok_or_else(|| unreadable("vault_records.suite"))?,
            fingerprint: Fingerprint::from_text(row.fingerprint),
            sealed: Sealed::from_bytes(row.sealed),
            masked: row.masked,
            metadata: json(&row.metadata, "vault_records.metadata")?,
            expires_at: row.expires_at.map(time),
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
        })
    }
}
