//! The audit trail and the ledger of erasures.

use billfold_core::audit::AuditEntry;
use billfold_core::erasure::Erasure;
use billfold_core::store::StoreError;
use billfold_core::vault::Fingerprint;
use diesel::prelude::*;

use crate::convert::{json, millis, named, parsed, time, to_json};
use crate::schema::{audit_entries, erasures};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_entries)]
pub(crate) struct AuditRow {
    tenant: String,
    sequence: i64,
    happened_at: i64,
    actor: String,
    action: String,
    object: String,
    details: String,
    hash: Vec<u8>,
}

impl From<AuditEntry> for AuditRow {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { tenant, sequence, at, actor, action, object, details, hash } = entry;
        let (tenant, happened_at) = (tenant.to_string(), at.as_millis());
        Self { tenant, sequence, happened_at, actor, action, object, details, hash }
    }
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        let AuditRow { tenant, sequence, happened_at, actor, action, object, details, hash } = row;
        let (tenant, at) = (parsed(&tenant, "audit_entries.tenant")?, time(happened_at));
        Ok(Self { tenant, sequence, at, actor, action, object, details, hash })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = erasures, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct ErasureRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    subject: String,
    owner: Option<String>,
    state: String,
    gateway_deletions: String,
    requested_at: i64,
    done_at: Option<i64>,
    next_attempt_at: Option<i64>,
    pub(crate) version: i64,
}

impl TryFrom<&Erasure> for ErasureRow {
    type Error = StoreError;

    fn try_from(erasure: &Erasure) -> Result<Self, StoreError> {
        Ok(Self {
            id: erasure.id.to_string(),
            tenant: erasure.tenant.to_string(),
            subject: erasure.subject.as_str().to_owned(),
            owner: erasure.owner.clone(),
            state: erasure.state.as_str().to_owned(),
            gateway_deletions: to_json(&erasure.gateway_deletions, "erasures.gateway_deletions")?,
            requested_at: erasure.requested_at.as_millis(),
            done_at: millis(erasure.done_at),
            next_attempt_at: millis(erasure.next_attempt_at),
            version: erasure.version,
        })
    }
}

impl TryFrom<ErasureRow> for Erasure {
    type Error = StoreError;

    fn try_from(row: ErasureRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "erasures.id")?,
            tenant: parsed(&row.tenant, "erasures.tenant")?,
            subject: Fingerprint::from_text(row.subject),
            owner: row.owner,
            state: named(&row.state, "erasures.state")?,
            gateway_deletions: json(&row.gateway_deletions, "erasures.gateway_deletions")?,
            requested_at: time(row.requested_at),
            done_at: row.done_at.map(time),
            next_attempt_at: row.next_attempt_at.map(time),
            version: row.version,
        })
    }
}
