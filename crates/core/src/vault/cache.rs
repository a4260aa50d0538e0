//! Unwrapped data keys, kept for a bounded time, so that the root key is asked rarely and its outage is
//! survived for as long. A dropped key is overwritten. Where a key stands, another process may change: that is known
//! for a shorter time, and read anew from the database without asking the root key.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;

use super::keys::{DataKey, KeyId, KeyPurpose, KeyState, VaultKey};
use crate::clock::Timestamp;
use crate::name::TenantId;

/// Whose current key: tenant, subject, purpose.
type Role = (TenantId, String, KeyPurpose);

/// Whose turn it is to make or fetch a key. Roles share turns by chance, which costs a short wait at most.
pub(super) struct Turns([tokio::sync::Mutex<()>; 64]);

impl Turns {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| tokio::sync::Mutex::new(())))
    }

    pub(super) fn of(&self, role: &Role) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        role.hash(&mut hasher);
        let slot = usize::try_from(hasher.finish() % 64).unwrap_or(0);
        self.0.get(slot).unwrap_or(&self.0[0])
    }
}

/// For how long it is believed where a key stands: another process marks keys as compromised or replaces them.
const FRESH: Duration = Duration::from_mins(1);

#[derive(Clone)]
struct Entry {
    role: Role,
    key: DataKey,
    state: KeyState,
    /// The key is kept until then.
    until: Timestamp,
    /// Its state is believed until then.
    fresh_until: Timestamp,
}

pub(super) struct KeyCache {
    lifetime: Duration,
    maps: Mutex<Maps>,
}

struct Maps {
    by_id: LruCache<KeyId, Entry>,
    current: LruCache<Role, KeyId>,
}

impl KeyCache {
    pub(super) fn new(lifetime: Duration, size: usize) -> Self {
        let size = NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN);
        let maps = Maps { by_id: LruCache::new(size), current: LruCache::new(size) };
        Self { lifetime, maps: Mutex::new(maps) }
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn maps(&self) -> std::sync::MutexGuard<'_, Maps> {
        // Nothing in here panics half-way through a change.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key with this id and where it stands, if it is this tenant's and subject's, and that is known well enough.
    pub(super) fn by_id(
        &self,
        id: KeyId,
        tenant: &TenantId,
        subject: &str,
        now: Timestamp,
    ) -> Option<(DataKey, KeyState)> {
        let mut maps = self.maps();
        let entry = maps.by_id.get(&id)?;
        if entry.until <= now {
            maps.by_id.pop(&id);
            return None;
        }
        let known = entry.fresh_until > now && entry.role.0 == *tenant && entry.role.1 == subject;
        known.then(|| (entry.key.clone(), entry.state))
    }

    pub(super) fn current(&self, role: &Role, now: Timestamp) -> Option<(KeyId, DataKey)> {
        let mut maps = self.maps();
        let id = *maps.current.get(role)?;
        let entry = maps.by_id.get(&id).filter(|entry| entry.until > now && entry.fresh_until > now)?;
        Some((id, entry.key.clone()))
    }

    pub(super) fn keep(&self, row: &VaultKey, key: &DataKey, is_current: bool, now: Timestamp) {
        let (until, fresh_until) = (now.plus(self.lifetime), now.plus(FRESH));
        let role = (row.tenant.clone(), row.subject.clone(), row.purpose);
        let mut maps = self.maps();
        if is_current {
            maps.current.put(role.clone(), row.id);
        }
        maps.by_id.put(row.id, Entry { role, key: key.clone(), state: row.state, until, fresh_until });
    }

    /// The key of a row that was just read, if it is still kept; where it stands is then known anew. It is not kept
    /// for longer by that.
    pub(super) fn confirm(&self, row: &VaultKey, is_current: bool, now: Timestamp) -> Option<DataKey> {
        let mut maps = self.maps();
        let entry = maps.by_id.get_mut(&row.id).filter(|entry| entry.until > now)?;
        if (&entry.role.0, &*entry.role.1, entry.role.2) != (&row.tenant, &*row.subject, row.purpose) {
            return None;
        }
        entry.state = row.state;
        entry.fresh_until = now.plus(FRESH);
        let (role, key) = (entry.role.clone(), entry.key.clone());
        if is_current {
            maps.current.put(role, row.id);
        }
        Some(key)
    }

    /// Forgets a subject's keys: they were rotated or destroyed.
    pub(super) fn forget(&self, tenant: &TenantId, subject: &str) {
        let mut maps = self.maps();
        let ids: Vec<KeyId> = maps
            .by_id
            .iter()
            .filter(|(_, entry)| entry.role.0 == *tenant && entry.role.1 == subject)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(entry) = maps.by_id.pop(&id) {
                maps.current.pop(&entry.role);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::keys::KeyState;
    use crate::vault::wrapper::WrapperId;
    use zeroize::Zeroizing;

    fn row(id: u8, subject: &str) -> VaultKey {
        VaultKey {
            id: KeyId::from_bytes([id; 16]),
            tenant: TenantId::default_tenant(),
            subject: subject.to_owned(),
            purpose: KeyPurpose::Data,
            wrapped: Vec::new(),
            wrapper: WrapperId::new("local", "x"),
            state: KeyState::Primary,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            version: 1,
        }
    }

    #[test]
    fn keys_are_kept_for_their_time_and_for_their_subject() {
        let cache = KeyCache::new(Duration::from_secs(90), 2);
        let key = DataKey::from_bytes(Zeroizing::new([7; 32]));
        let at = Timestamp::from_millis;
        let tenant = TenantId::default_tenant();
        let role = |subject: &str| (TenantId::default_tenant(), subject.to_owned(), KeyPurpose::Data);
        cache.keep(&row(1, "a"), &key, true, at(0));
        assert!(cache.current(&role("a"), at(59_999)).is_some());
        assert!(cache.by_id(KeyId::from_bytes([1; 16]), &tenant, "b", at(0)).is_none(), "another subject");
        assert!(cache.current(&role("a"), at(60_000)).is_none(), "another key may be current by now");
        let first = KeyId::from_bytes([1; 16]);
        assert!(cache.by_id(first, &tenant, "a", at(60_000)).is_none(), "it may be compromised by now");
        let marked = VaultKey { state: KeyState::Compromised, ..row(1, "a") };
        assert!(cache.confirm(&row(1, "b"), true, at(60_000)).is_none(), "another subject");
        assert!(cache.confirm(&marked, false, at(60_000)).is_some());
        let (_, state) = cache.by_id(first, &tenant, "a", at(89_999)).unwrap();
        assert_eq!(state, KeyState::Compromised);
        assert!(cache.by_id(first, &tenant, "a", at(90_000)).is_none(), "its time is over");
        assert!(cache.confirm(&marked, true, at(90_000)).is_none());
        for id in 1..=3 {
            cache.keep(&row(id, "a"), &key, true, at(0));
        }
        assert!(
            cache.by_id(KeyId::from_bytes([1; 16]), &tenant, "a", at(0)).is_none(),
            "the oldest made room"
        );
        cache.forget(&tenant, "a");
        assert!(cache.current(&role("a"), at(0)).is_none());
        assert!(cache.by_id(KeyId::from_bytes([3; 16]), &tenant, "a", at(0)).is_none());
    }
}
