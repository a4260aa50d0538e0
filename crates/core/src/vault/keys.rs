//! Data keys: what they are, not where they come from.

use std::fmt;

use aws_lc_rs::hkdf;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SealError;
use super::seal::push_prefixed;
use super::wrapper::{WrapContext, WrapperId};
use crate::clock::Timestamp;
use crate::entropy::{Entropy, EntropyError};
use crate::name::TenantId;

/// Names a data key: 16 random bytes, written into every value that it seals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// From stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 16];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| Self(bytes))
    }

    /// A new id.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0_u8; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// 32 secret bytes from which the keys of single values are derived. Overwritten when dropped.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// From bytes that a wrapper gave back.
    pub const fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// From a slice of exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0_u8; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// A new random key.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        entropy.fill(key.as_mut())?;
        Ok(Self(key))
    }

    /// The bytes, for a wrapper to encrypt.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// What a data key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// Seals one subject's values.
    Data,
    /// Makes a tenant's fingerprints.
    Fingerprint,
    /// Chains a tenant's audit trail.
    Audit,
    /// Proves that a wrapper works; never stored.
    Check,
}

impl KeyPurpose {
    /// The name in the database and in wrap contexts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Fingerprint => "fingerprint",
            Self::Audit => "audit",
            Self::Check => "check",
        }
    }
}

/// Where a data key stands in its life (NIST SP 800-57): a key that was destroyed has no row any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Seals what is new. One for each tenant, subject and purpose.
    Primary,
    /// Opens what it sealed, until that is sealed anew.
    DecryptOnly,
    /// Somebody else may know it: opens only for being sealed anew.
    Compromised,
}

impl KeyState {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::DecryptOnly => "decrypt_only",
            Self::Compromised => "compromised",
        }
    }
}

/// A data key as stored: wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    /// Its id, in every value that it sealed.
    pub id: KeyId,
    /// Whose key.
    pub tenant: TenantId,
    /// Whose data it protects; empty for keys of the whole tenant.
    pub subject: String,
    /// What it does.
    pub purpose: KeyPurpose,
    /// The key, encrypted by the root key.
    pub wrapped: Vec<u8>,
    /// Which root key.
    pub wrapper: WrapperId,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

impl VaultKey {
    /// What its wrapping is bound to.
    pub fn context(&self) -> WrapContext {
        WrapContext {
            key_id: self.id,
            tenant: self.tenant.clone(),
            subject: self.subject.clone(),
            purpose: self.purpose,
        }
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// What an HKDF extracts from a key and a salt, for any number of keys to be expanded from.
pub(super) struct Extracted(hkdf::Prk);

impl Extracted {
    pub(super) fn from(algorithm: hkdf::Algorithm, key: &DataKey, salt: &[u8]) -> Self {
        Self(hkdf::Salt::new(algorithm, salt).extract(key.expose()))
    }

    /// Fills `out` with the key that `info` names; each part is length-prefixed.
    pub(super) fn expand(&self, info: &[&[u8]], out: &mut [u8]) -> Result<(), SealError> {
        let mut joined = Vec::with_capacity(64);
        for part in info {
            push_prefixed(&mut joined, part);
        }
        let info = [joined.as_slice()];
        let okm = self.0.expand(&info, Length(out.len())).map_err(|_| SealError)?;
        okm.fill(out).map_err(|_| SealError)
    }
}
