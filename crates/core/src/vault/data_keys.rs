//! Finding, making and unwrapping data keys.

use std::sync::Arc;
use std::time::Duration;

use super::keys::{DataKey, KeyId, KeyPurpose, KeyState, VaultKey};
use super::wrapper::{KeyWrapper, WrapError, WrapperId};
use super::{Vault, VaultRecord};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::name::TenantId;
use crate::store::{Changes, Commit, Write};

/// How often a lost race for making a key is looked at again; each round finds the winner's key.
const MAX_ROUNDS: usize = 4;
/// How long a key that somebody else is making is waited for.
const TURN: Duration = Duration::from_secs(1);

impl Vault {
    /// The key under which a subject's values are sealed now, made if there is none.
    pub(super) async fn current_key(
        &self,
        tenant: &TenantId,
        subject: &str,
        purpose: KeyPurpose,
    ) -> Result<(KeyId, DataKey)> {
        let role = (tenant.clone(), subject.to_owned(), purpose);
        if let Some(found) = self.inner.cache.current(&role, self.inner.clock.now()) {
            return Ok(found);
        }
        if purpose == KeyPurpose::Data {
            // A backup that holds an owner must hold the key that recognises them in the ledger of erasures, so
            // that key is always the older one. It is seen to before the owner's turn, which it may share.
            Box::pin(self.current_key(tenant, "", KeyPurpose::Fingerprint)).await?;
        }
        // Many first values of one owner come at once: one of them makes the key, the others find it. Nobody waits
        // for long: a key service that hangs must not make a queue.
        let turn = tokio::time::timeout(TURN, self.inner.turns.of(&role).lock());
        let _turn = turn.await.ok();
        if let Some(found) = self.inner.cache.current(&role, self.inner.clock.now()) {
            return Ok(found);
        }
        for _ in 0..MAX_ROUNDS {
            if let Some(row) = self.inner.store.primary_vault_key(tenant, subject, purpose).await? {
                return Ok((row.id, self.key_of(&row, true).await?));
            }
            let (row, key) = self.new_key(tenant, subject, purpose).await?;
            let changes = Changes { vault_keys: vec![Write::Insert(row.clone())], ..Changes::default() };
            if self.inner.store.commit(changes).await? == Commit::Applied {
                self.inner.cache.keep(&row, &key, true, self.inner.clock.now());
                return Ok((row.id, key));
            }
        }
        Err(Error::conflict("the owner's key is being changed by others; try again")
            .with_retry(Retry::SameKey { after: Some(Duration::from_secs(1)) }))
    }

    /// The key that sealed a record and where it stands, if there is one and it is of the record's tenant and owner.
    pub(super) async fn data_key(
        &self,
        record: &VaultRecord,
        id: KeyId,
    ) -> Result<Option<(DataKey, KeyState)>> {
        let VaultRecord { tenant, owner, .. } = record;
        if let Some(key) = self.inner.cache.by_id(id, tenant, owner, self.inner.clock.now()) {
            return Ok(Some(key));
        }
        let row = self.inner.store.vault_key(tenant, id).await?;
        let row = row.filter(|row| row.subject == *owner && row.purpose == KeyPurpose::Data);
        let Some(row) = row else { return Ok(None) };
        Ok(Some((self.key_of(&row, false).await?, row.state)))
    }

    /// The key of a row that was just read. The root key is asked only when it is not kept any more.
    async fn key_of(&self, row: &VaultKey, is_current: bool) -> Result<DataKey> {
        if let Some(key) = self.inner.cache.confirm(row, is_current, self.inner.clock.now()) {
            return Ok(key);
        }
        let key = self.unwrap_row(row).await?;
        self.inner.cache.keep(row, &key, is_current, self.inner.clock.now());
        Ok(key)
    }

    /// A new key, wrapped, not stored yet.
    pub(super) async fn new_key(
        &self,
        tenant: &TenantId,
        subject: &str,
        purpose: KeyPurpose,
    ) -> Result<(VaultKey, DataKey)> {
        let entropy = self.inner.entropy.as_ref();
        let now = self.inner.clock.now();
        let key = DataKey::generate(entropy)?;
        let mut row = VaultKey {
            id: KeyId::generate(entropy)?,
            tenant: tenant.clone(),
            subject: subject.to_owned(),
            purpose,
            wrapped: Vec::new(),
            wrapper: self.inner.primary.id().clone(),
            state: KeyState::Primary,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        row.wrapped = self.inner.primary.wrap(&key, &row.context()).await.map_err(unusable)?;
        Ok((row, key))
    }

    pub(super) async fn unwrap_row(&self, row: &VaultKey) -> Result<DataKey> {
        let wrapper = self.wrapper(&row.wrapper)?;
        wrapper.unwrap(&row.wrapped, &row.context()).await.map_err(unusable)
    }

    fn wrapper(&self, id: &WrapperId) -> Result<&Arc<dyn KeyWrapper>> {
        let mut all = std::iter::once(&self.inner.primary).chain(&self.inner.older);
        all.find(|wrapper| wrapper.id() == id).ok_or_else(|| {
            let local = id.as_str().starts_with("local:");
            let key = if local { "vault.previous_root_keys" } else { "vault.previous_wrappers" };
            let message = format!(
                "values are sealed under the root key {id}, which is not configured; add it to {key}, or restore it"
            );
            Error::new(ErrorKind::Configuration, message)
        })
    }
}

/// What a wrapper's failure means to whoever wanted a value.
pub(super) fn unusable(error: WrapError) -> Error {
    let unavailable = |after| {
        Error::new(ErrorKind::KeysUnavailable, "the key service cannot be reached; try again")
            .with_retry(Retry::SameKey { after: Some(after) })
    };
    match error {
        WrapError::Refused => {
            metrics::counter!("billfold_vault_refused_total", "reason" => "wrap").increment(1);
            Error::new(ErrorKind::Vault, "a stored value could not be sealed or opened")
        }
        WrapError::Unavailable { retry_after, .. } => {
            unavailable(retry_after.unwrap_or(Duration::from_secs(5))).with_source(error)
        }
        WrapError::Denied(_) => unavailable(Duration::from_mins(1)).with_source(error),
    }
}
