//! Requests that are sent twice and must have one effect: a key that the client chose, and the answer that was given.

use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id::{Id, IdKind, IdempotencyKeyId, VaultRecordId};
use crate::name::TenantId;
use crate::secret::sha256;
use crate::vault::Fingerprint;

/// A key as stored. Neither the client's text nor the request can be read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Stable id.
    pub id: IdempotencyKeyId,
    /// Whose.
    pub tenant: TenantId,
    /// Keyed fingerprint of method, path and the client's text; unique in its tenant.
    pub key: Fingerprint,
    /// Keyed fingerprint of the request.
    pub request: Fingerprint,
    /// The sealed answer; `None` while the request is running.
    pub answer: Option<VaultRecordId>,
    /// Until when whoever runs the request has the key.
    pub lease_until: Timestamp,
    /// When the key is free again.
    pub expires_at: Timestamp,
    /// When it was first used.
    pub created_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

impl IdempotencyKey {
    /// What every attempt at this request has in common.
    pub fn intent(&self) -> Intent {
        Intent::new(self.created_at, &self.id.to_string())
    }
}

/// What every attempt at one request has in common, also when the process that made the first one died: the ids of
/// what the request makes. The second attempt finds what the first one stored, and goes on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    at: Timestamp,
    name: String,
}

impl Intent {
    /// The intent that began at `at` and is called `name`.
    pub fn new(at: Timestamp, name: &str) -> Self {
        Self { at, name: name.to_owned() }
    }

    /// The id of what the request makes.
    pub(crate) fn id<K: IdKind>(&self) -> Id<K> {
        self.nth(0)
    }

    /// The id of the `index`th of the things that it makes.
    pub(crate) fn nth<K: IdKind>(&self, index: usize) -> Id<K> {
        Id::derived(self.at, &sha256(format!("{}|{}|{index}", self.name, K::PREFIX).as_bytes()))
    }
}

/// A request that came with a key.
#[derive(Debug, Clone, Copy)]
pub struct KeyedRequest<'a> {
    /// `POST`
    pub method: &'a str,
    /// The path as sent: the key of one route is none at another.
    pub path: &'a str,
    /// The client's text.
    pub key: &'a str,
    /// Whatever else decides what the request does: its parts in their order, the body last.
    pub parts: &'a [&'a [u8]],
}

/// What a key says of a request.
#[derive(Debug)]
pub enum Claim {
    /// It is the first, or the one before was not answered: run it with the key's [`IdempotencyKey::intent`], and
    /// finish with [`crate::Billfold::keep_answer`] or [`crate::Billfold::release_idempotency_key`].
    First(Box<IdempotencyKey>),
    /// The same request is running.
    Running,
    /// Another request had this key.
    Reused,
    /// The same request was answered with this.
    Answered(Zeroizing<Vec<u8>>),
}
