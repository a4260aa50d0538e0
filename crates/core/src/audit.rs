//! The audit trail: who did what to which secret, appended in the transaction that does it, each entry
//! chained to the one before by an HMAC under a key of the tenant. Changing, removing or reordering entries
//! breaks the chain; cutting off its end is seen by whoever kept an earlier head.

use aws_lc_rs::hmac;
use serde::Serialize;
use serde_json::Value;

use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::name::TenantId;
use crate::secret::constant_time_eq;
use crate::store::{Changes, Commit};
use crate::vault::{DataKey, Vault};

/// The store gives each entry its place, so only a database that resolves a deadlock refuses one.
const APPEND_ATTEMPTS: usize = 5;

/// Who acts: an API key's id, `cli:` and the operating system's user, or `system`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// Somebody.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Billfold by itself.
    pub fn system() -> Self {
        Self::new("system")
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Whose trail.
    pub tenant: TenantId,
    /// Its place: 1, 2, 3, without gaps.
    pub sequence: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What was done: `vault.reveal`, `customer.erase`.
    pub action: String,
    /// To what.
    pub object: String,
    /// What else is known, as JSON text; never a secret.
    pub details: String,
    /// HMAC-SHA-256 over everything above and the hash before.
    pub hash: Vec<u8>,
}

/// An entry that is not in its place yet: the store gives it one.
#[derive(Debug, Clone)]
pub struct AuditDraft {
    entry: AuditEntry,
    key: DataKey,
}

impl AuditDraft {
    /// Whose trail.
    pub fn tenant(&self) -> &TenantId {
        &self.entry.tenant
    }

    /// The entry, chained to the last one of the trail (its sequence and hash). The store calls this while
    /// it lets nobody else append to the same trail.
    pub fn after(&self, last: Option<(i64, &[u8])>) -> AuditEntry {
        let (sequence, previous) = last.unwrap_or((0, &[]));
        let mut entry = AuditEntry { sequence: sequence.saturating_add(1), ..self.entry.clone() };
        entry.hash = link(&self.key, &entry, previous);
        entry
    }
}

fn link(key: &DataKey, entry: &AuditEntry, previous: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    for part in [
        b"pmv1/audit".as_slice(),
        previous,
        entry.tenant.as_str().as_bytes(),
        &entry.sequence.to_be_bytes(),
        &entry.at.as_millis().to_be_bytes(),
        entry.actor.as_bytes(),
        entry.action.as_bytes(),
        entry.object.as_bytes(),
        entry.details.as_bytes(),
    ] {
        crate::vault::push_part(&mut message, part);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    hmac::sign(&key, &message).as_ref().to_vec()
}

/// An entry for people and for archives.
#[derive(Debug, Clone, Serialize)]
pub struct AuditView {
    /// Always `audit_entry`.
    pub object: &'static str,
    /// Whose trail.
    pub tenant: TenantId,
    /// Its place.
    pub sequence: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// What else is known.
    pub details: Value,
    /// The chain's link, in hexadecimal.
    pub hash: String,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { tenant, sequence, at, actor, action, object, details, hash } = entry;
        let details = serde_json::from_str(&details).unwrap_or(Value::Null);
        let hash = hex::encode(hash);
        Self { object: "audit_entry", tenant, sequence, at, actor, action, target: object, details, hash }
    }
}

/// Whether a trail is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditVerdict {
    /// Entries that are in their place.
    pub entries: i64,
    /// The last of them, `sequence:hash`: keep it elsewhere, and a later verification sees a cut end.
    pub head: Option<String>,
    /// The first place that is not right.
    pub broken_at: Option<i64>,
}

impl Vault {
    /// An entry for a tenant's trail, to be committed together with what it tells of.
    pub async fn audit_entry(
        &self,
        tenant: &TenantId,
        by: &Actor,
        action: &str,
        object: &str,
        details: &Value,
    ) -> Result<AuditDraft> {
        let entry = AuditEntry {
            tenant: tenant.clone(),
            sequence: 0,
            at: self.now(),
            actor: by.as_str().to_owned(),
            action: action.to_owned(),
            object: object.to_owned(),
            details: details.to_string(),
            hash: Vec::new(),
        };
        Ok(AuditDraft { entry, key: self.audit_key(tenant).await? })
    }

    /// Appends an entry that no other change goes with.
    pub async fn append_audit(
        &self,
        tenant: &TenantId,
        by: &Actor,
        action: &str,
        object: &str,
        details: &Value,
    ) -> Result<()> {
        for _ in 0..APPEND_ATTEMPTS {
            let entry = self.audit_entry(tenant, by, action, object, details).await?;
            let changes = Changes { audit: vec![entry], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(());
            }
        }
        Err(Error::conflict("the audit trail is being written by others; try again"))
    }
}

impl Billfold {
    /// Entries of a tenant's trail after a place, in order.
    pub async fn list_audit(&self, tenant: &TenantId, after: i64, limit: u32) -> Result<Vec<AuditView>> {
        let entries = self.store().audit_entries(tenant, after, limit).await?;
        Ok(entries.into_iter().map(AuditView::from).collect())
    }

    /// Recomputes a tenant's whole chain. `known_head` is the head of an earlier verification: a trail that
    /// no longer holds it was cut or rewritten.
    pub async fn verify_audit(&self, tenant: &TenantId, known_head: Option<&str>) -> Result<AuditVerdict> {
        let known_head = known_head.map(parse_head).transpose()?;
        let key = self.vault().audit_key(tenant).await?;
        let (mut sequence, mut previous) = (0, Vec::new());
        loop {
            let page = self.store().audit_entries(tenant, sequence, 500).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                let expected = sequence + 1;
                let right = entry.sequence == expected
                    && constant_time_eq(&link(&key, &entry, &previous), &entry.hash)
                    && known_head
                        .as_ref()
                        .is_none_or(|(place, hash)| *place != expected || *hash == entry.hash);
                if !right {
                    return Ok(verdict(sequence, &previous, Some(expected)));
                }
                sequence = expected;
                previous = entry.hash;
            }
        }
        let cut = known_head.is_some_and(|(place, _)| place > sequence).then_some(sequence + 1);
        Ok(verdict(sequence, &previous, cut))
    }
}

fn verdict(entries: i64, hash: &[u8], broken_at: Option<i64>) -> AuditVerdict {
    let head = (entries > 0).then(|| format!("{entries}:{}", hex::encode(hash)));
    AuditVerdict { entries, head, broken_at }
}

fn parse_head(text: &str) -> Result<(i64, Vec<u8>)> {
    let parsed =
        text.split_once(':').and_then(|(place, hash)| Some((place.parse().ok()?, hex::decode(hash).ok()?)));
    parsed
        .ok_or_else(|| Error::invalid("/head", "expected a head such as 17:9f… from an earlier verification"))
}
