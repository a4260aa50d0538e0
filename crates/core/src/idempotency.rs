//! Requests that are sent twice and must have one effect: a key that the client chose, and the answer that was given.

use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id::{IdempotencyKeyId, VaultRecordId};
use crate::name::TenantId;
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
    /// It is the first: run it, and finish with [`crate::Billfold::keep_answer`] or
    /// [`crate::Billfold::release_idempotency_key`].
    First(Box<IdempotencyKey>),
    /// The same request is running.
    Running,
    /// Another request had this key.
    Reused,
    /// The same request was answered with this.
    Answered(Zeroizing<Vec<u8>>),
}
