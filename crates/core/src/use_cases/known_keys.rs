//! API keys that were looked up a moment ago. Every request presents one, and they change rarely.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::clock::Timestamp;
use crate::id::ApiKeyId;
use crate::store::ApiKey;

const SIZE: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Keys and until when they may be believed. Only keys that exist are kept, so that nobody fills it with
/// guesses; what this process revokes is dropped at once.
pub(crate) struct KnownKeys {
    lifetime: Duration,
    keys: Mutex<LruCache<ApiKeyId, (ApiKey, Timestamp)>>,
}

impl KnownKeys {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, keys: Mutex::new(LruCache::new(SIZE)) }
    }

    fn keys(&self) -> MutexGuard<'_, LruCache<ApiKeyId, (ApiKey, Timestamp)>> {
        // Nothing in here panics half-way through a change.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: ApiKeyId, now: Timestamp) -> Option<ApiKey> {
        let mut keys = self.keys();
        let (key, until) = keys.get(&id)?;
        if *until <= now {
            keys.pop(&id);
            return None;
        }
        Some(key.clone())
    }

    /// `asked_at` is from before the key was read: a revocation in between is not missed for longer.
    pub(super) fn keep(&self, key: &ApiKey, asked_at: Timestamp) {
        if !self.lifetime.is_zero() {
            self.keys().put(key.id, (key.clone(), asked_at.plus(self.lifetime)));
        }
    }

    pub(super) fn forget(&self, id: ApiKeyId) {
        self.keys().pop(&id);
    }
}

impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownKeys").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}
