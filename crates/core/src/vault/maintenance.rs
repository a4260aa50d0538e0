//! Rotation, sealing anew, verification. Everything works in small steps on rows that carry versions, next
//! to whatever else is writing; a step that was killed left a row as it was or as it shall be. The rows
//! themselves say what is still to do, so a job that was stopped is simply started again.

use std::collections::BTreeSet;

use serde::Serialize;

use super::data_keys::unusable;
use super::keys::{KeyId, KeyPurpose, KeyState, VaultKey};
use super::wrapper::WrapperId;
use super::{SealError, Suite, Vault, VaultRecord, refused};
use crate::audit::Actor;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::VaultRecordId;
use crate::name::TenantId;
use crate::secret::constant_time_eq;
use crate::store::{Changes, Commit, KeyFilter, RecordFilter, Write};

/// How many stored keys are tried until a root key is a wrong one.
const TRIED: u32 = 16;

/// How far one step of a job came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress<C> {
    /// Rows looked at; 0 when the job is at its end.
    pub seen: usize,
    /// Rows changed.
    pub changed: usize,
    /// Rows that could not be changed; the log says why.
    pub failed: usize,
    /// Where the next step goes on.
    #[serde(skip)]
    pub next: Option<C>,
}

impl<C> Progress<C> {
    /// The end of a job, or a step that has not begun.
    const fn of(seen: usize, next: Option<C>) -> Self {
        Self { seen, changed: 0, failed: 0, next }
    }
}

/// A step of sealing anew.
pub type Resealed = Progress<VaultRecordId>;

/// A step of verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Records that opened.
    pub opened: usize,
    /// Records that did not.
    pub refused: Vec<VaultRecordId>,
    /// Where the next step goes on; `None` at the end.
    #[serde(skip)]
    pub next: Option<VaultRecordId>,
}

/// Keys of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyCount {
    /// The root key that wraps them.
    #[serde(serialize_with = "as_text")]
    pub wrapper: WrapperId,
    /// What they do.
    pub purpose: KeyPurpose,
    /// Where they stand.
    pub state: KeyState,
    /// How many there are.
    pub keys: i64,
    /// How many records they sealed.
    pub records: i64,
}

/// The vault at one glance.
#[derive(Debug, Clone, Serialize)]
pub struct VaultStatus {
    /// The root key that wraps new data keys.
    #[serde(serialize_with = "as_text")]
    pub root: WrapperId,
    /// How new values are encrypted.
    pub suite: Suite,
    /// Keys by root key, purpose and state.
    pub keys: Vec<KeyCount>,
    /// Keys that are not wrapped by the current root key.
    pub keys_to_rewrap: i64,
    /// Records that are not sealed under a primary key and the current suite.
    pub records_to_reseal: i64,
}

fn as_text<S: serde::Serializer>(id: &WrapperId, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

impl Vault {
    /// Wraps up to `limit` data keys, beyond `after`, under the current root key. No value is touched.
    pub async fn rotate_root_step(&self, after: Option<KeyId>, limit: u32) -> Result<Progress<KeyId>> {
        let filter = KeyFilter::NotWrappedBy(self.inner.primary.id().clone());
        let rows = self.inner.store.vault_keys(&filter, after, limit).await?;
        let mut progress = Progress::of(rows.len(), rows.last().map(|row| row.id));
        for row in rows {
            let id = row.id;
            match self.rewrap(row).await {
                // Stale: somebody else changed the key, and the next run sees it again if it has to.
                Ok(commit) => progress.changed += usize::from(commit == Commit::Applied),
                Err(error) => {
                    progress.failed += 1;
                    tracing::error!(key = %id, error = %error.log_line(), "a data key could not be wrapped anew");
                }
            }
        }
        Ok(progress)
    }

    async fn rewrap(&self, row: VaultKey) -> Result<Commit> {
        let key = self.unwrap_row(&row).await?;
        let primary = &self.inner.primary;
        let wrapped = primary.wrap(&key, &row.context()).await.map_err(unusable)?;
        // The old wrapping is about to go: what cannot be read back must not take its place.
        let read_back = primary.unwrap(&wrapped, &row.context()).await.map_err(unusable)?;
        if !constant_time_eq(read_back.expose(), key.expose()) {
            return Err(refused("rewrap", SealError));
        }
        let row = VaultKey {
            wrapped,
            wrapper: primary.id().clone(),
            updated_at: self.inner.clock.now(),
            version: row.version + 1,
            ..row
        };
        Ok(self.inner.store.commit(keys(vec![Write::Update(row)])).await?)
    }

    /// Replaces up to `limit` data keys made before `cutoff`, beyond `after`: what is new is sealed under
    /// new keys; the old ones open what they sealed until it is sealed anew.
    pub async fn rotate_data_step(
        &self,
        tenant: Option<&TenantId>,
        cutoff: Timestamp,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Progress<KeyId>> {
        let filter = KeyFilter::PrimaryDataMadeBefore(tenant.cloned(), cutoff);
        let rows = self.inner.store.vault_keys(&filter, after, limit).await?;
        let mut progress = Progress::of(rows.len(), rows.last().map(|row| row.id));
        for row in rows {
            if self.supersede(row, KeyState::DecryptOnly).await? == Commit::Applied {
                progress.changed += 1;
            }
        }
        Ok(progress)
    }

    /// Marks a data key as known to somebody else, and replaces it. What it sealed is sealed anew by
    /// [`Self::reseal_step`], or when it is next opened, whichever comes first; another process may believe for a
    /// minute that the key is a good one.
    pub async fn compromise_key(&self, tenant: &TenantId, id: KeyId) -> Result<()> {
        let row = self.inner.store.vault_key(tenant, id).await?;
        let row = row.filter(|row| row.purpose == KeyPurpose::Data);
        let row = row.ok_or_else(|| Error::not_found("data key"))?;
        let done = match row.state {
            KeyState::Primary => self.supersede(row, KeyState::Compromised).await?,
            KeyState::DecryptOnly => {
                let (tenant, subject) = (row.tenant.clone(), row.subject.clone());
                let changed = self.in_state(row, KeyState::Compromised);
                let commit = self.inner.store.commit(keys(vec![Write::Update(changed)])).await?;
                self.inner.cache.forget(&tenant, &subject);
                commit
            }
            KeyState::Compromised => Commit::Applied,
        };
        if done == Commit::Applied {
            Ok(())
        } else {
            Err(Error::conflict("the key is being changed; try again"))
        }
    }

    async fn supersede(&self, row: VaultKey, state: KeyState) -> Result<Commit> {
        let (new, _) = self.new_key(&row.tenant, &row.subject, row.purpose).await?;
        let (tenant, subject) = (row.tenant.clone(), row.subject.clone());
        // The old key steps down before the new one takes its place.
        let writes = vec![Write::Update(self.in_state(row, state)), Write::Insert(new)];
        let commit = self.inner.store.commit(keys(writes)).await?;
        self.inner.cache.forget(&tenant, &subject);
        Ok(commit)
    }

    fn in_state(&self, row: VaultKey, state: KeyState) -> VaultKey {
        VaultKey { state, updated_at: self.inner.clock.now(), version: row.version + 1, ..row }
    }

    /// Seals up to `limit` records, beyond `after`, under their owners' current keys and the current suite:
    /// those that are not yet.
    pub async fn reseal_step(&self, after: Option<VaultRecordId>, limit: u32) -> Result<Resealed> {
        let filter = RecordFilter::ToReseal(self.inner.suite);
        let records = self.inner.store.vault_records_all(&filter, after, limit).await?;
        let mut progress = Progress::of(records.len(), records.last().map(|record| record.id));
        for record in records {
            let id = record.id;
            match self.reseal_one(&record).await {
                Ok(commit) => progress.changed += usize::from(commit == Commit::Applied),
                Err(_) if !self.is_still(&record).await? => {}
                Err(error) => {
                    progress.failed += 1;
                    tracing::error!(record = %id, error = %error.log_line(), "a record could not be sealed anew");
                }
            }
        }
        Ok(progress)
    }

    async fn reseal_one(&self, record: &VaultRecord) -> Result<Commit> {
        let (value, _) = self.unseal(record).await?.ok_or_else(|| refused("key", SealError))?;
        self.seal_anew(record.clone(), &value).await
    }

    /// Whether a record that did not open is as it was read: its owner may have been erased meanwhile, or its value
    /// replaced and the key destroyed.
    async fn is_still(&self, record: &VaultRecord) -> Result<bool> {
        let kept = self.inner.store.vault_record(&record.tenant, record.id).await?;
        Ok(kept.is_some_and(|kept| kept.version == record.version))
    }

    /// Destroys up to `limit` data keys that sealed nothing that is still there: superseded ones, those of
    /// owners whose values are all deleted, and those that were made for a value that was never stored. Another
    /// process may hold one in its cache and seal under it, so a key is destroyed only after twice the
    /// cache's lifetime; a record that names a destroyed key is refused by the store in any case.
    pub async fn retire_keys(&self, limit: u32) -> Result<usize> {
        let settled = self.inner.clock.now().minus(self.inner.cache.lifetime() * 2);
        let rows = self.inner.store.vault_keys(&KeyFilter::UnusedSince(settled), None, limit).await?;
        let mut retired = 0;
        for row in rows {
            let changes = Changes { vault_key_deletes: vec![(row.tenant, row.id)], ..Changes::default() };
            if self.inner.store.commit(changes).await? == Commit::Applied {
                retired += 1;
            }
        }
        Ok(retired)
    }

    /// Overwrites what erased owners may have left behind in unused parts of the database's files, as
    /// [`Store::scrub`](crate::store::Store::scrub) does. `false` when there was nothing to do. Call it now and then,
    /// but seldom when it takes long: others wait meanwhile.
    pub async fn scrub(&self) -> Result<bool> {
        Ok(self.inner.store.scrub().await?)
    }

    /// Opens up to `limit` records beyond `after`.
    pub async fn verify_step(&self, after: Option<VaultRecordId>, limit: u32) -> Result<Verified> {
        let records = self.inner.store.vault_records_all(&RecordFilter::All, after, limit).await?;
        let mut verified = Verified { next: records.last().map(|record| record.id), ..Verified::default() };
        for record in records {
            match self.unseal(&record).await {
                Ok(Some(_)) => verified.opened += 1,
                Err(error) if error.kind() == ErrorKind::KeysUnavailable => return Err(error),
                Ok(None) | Err(_) if !self.is_still(&record).await? => {}
                Ok(None) | Err(_) => verified.refused.push(record.id),
            }
        }
        Ok(verified)
    }

    /// Proves that the current root key can be used, that every root key which wrapped a stored key is at
    /// hand, and that it is the right one: of each, one stored key is unwrapped. A stored key that was damaged does not
    /// make the root key wrong, so others are tried; [`Vault::verify_step`] finds what it sealed.
    ///
    /// Errors: [`ErrorKind::Configuration`], which names the root key;
    /// [`ErrorKind::KeysUnavailable`] when it cannot be asked.
    pub async fn check(&self) -> Result<()> {
        self.inner.primary.check().await.map_err(unusable)?;
        let counts = self.inner.store.vault_key_counts().await?;
        let wrappers: BTreeSet<WrapperId> = counts.into_iter().map(|count| count.wrapper).collect();
        for wrapper in wrappers {
            let filter = KeyFilter::WrappedBy(wrapper.clone());
            let rows = self.inner.store.vault_keys(&filter, None, TRIED).await?;
            let mut refused = Vec::new();
            for row in &rows {
                match self.unwrap_row(row).await {
                    Ok(_) => break,
                    Err(error) if error.kind() == ErrorKind::Vault => refused.push(row.id),
                    Err(error) => return Err(error),
                }
            }
            if refused.len() == rows.len() && !rows.is_empty() {
                let message = format!("the root key {wrapper} does not open the keys that name it");
                return Err(Error::new(ErrorKind::Configuration, message));
            }
            for key in refused {
                tracing::warn!(%key, root = %wrapper, "a data key was damaged; `billfold vault verify` lists its values");
            }
        }
        Ok(())
    }

    /// Counts of keys and records.
    pub async fn status(&self) -> Result<VaultStatus> {
        let root = self.inner.primary.id().clone();
        let keys = self.inner.store.vault_key_counts().await?;
        let keys_to_rewrap = keys.iter().filter(|count| count.wrapper != root).map(|count| count.keys).sum();
        let records_to_reseal =
            self.inner.store.count_vault_records(&RecordFilter::ToReseal(self.inner.suite)).await?;
        Ok(VaultStatus { root, suite: self.inner.suite, keys, keys_to_rewrap, records_to_reseal })
    }

    /// Writes into a tenant's audit trail that a job was started, before it changes anything.
    pub async fn record_job(
        &self,
        tenant: &TenantId,
        by: &Actor,
        action: &str,
        details: &serde_json::Value,
    ) -> Result<()> {
        self.append_audit(tenant, by, action, "vault", details).await
    }
}

fn keys(vault_keys: Vec<Write<VaultKey>>) -> Changes {
    Changes { vault_keys, ..Changes::default() }
}
