//! Root keys and what is derived from them.
//!
//! A root key never touches data. Per tenant it yields a data key (from which each sealed value
//! derives its own) and a fingerprint key. Fingerprints must stay comparable when a new root key
//! becomes primary, so they come from the ring's oldest key.

use std::fmt;

use aws_lc_rs::hkdf;
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::SealError;
use crate::entropy::{Entropy, EntropyError};
use crate::name::TenantId;

/// 32 secret bytes from which all keys are derived.
pub struct RootKey {
    id: [u8; 16],
    bytes: Zeroizing<[u8; 32]>,
}

/// A root key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The text is not base64 of exactly 32 bytes.
    #[error("expected base64 of exactly 32 bytes")]
    Malformed,
    /// All bytes are equal: a placeholder, not a key.
    #[error("this is a placeholder, not a random key")]
    Placeholder,
    /// The same key twice.
    #[error("the same key is listed twice")]
    Duplicate,
}

impl RootKey {
    /// From base64 of 32 bytes.
    pub fn from_base64(text: &SecretString) -> Result<Self, KeyRingError> {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.expose_secret().trim());
        let decoded = Zeroizing::new(decoded.map_err(|_| KeyRingError::Malformed)?);
        let mut bytes = Zeroizing::new([0_u8; 32]);
        if decoded.len() != bytes.len() {
            return Err(KeyRingError::Malformed);
        }
        bytes.copy_from_slice(&decoded);
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(KeyRingError::Placeholder);
        }
        Self::from_bytes(bytes).map_err(|_| KeyRingError::Malformed)
    }

    /// A new random key, as base64.
    pub fn generate(entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        entropy.fill(bytes.as_mut())?;
        Ok(SecretString::from(base64::engine::general_purpose::STANDARD.encode(bytes.as_ref())))
    }

    fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Result<Self, SealError> {
        let mut id = [0_u8; 16];
        expand(bytes.as_ref(), &[], &[b"pmv1/root-id"], &mut id)?;
        Ok(Self { id, bytes })
    }

    fn derive(&self, label: &[u8], tenant: &TenantId) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        expand(self.bytes.as_ref(), &[], &[label, tenant.as_str().as_bytes()], key.as_mut())?;
        Ok(key)
    }
}

/// The primary root key, which seals, and older ones, which only open.
pub struct KeyRing {
    primary: RootKey,
    older: Vec<RootKey>,
}

impl KeyRing {
    /// A ring with one key.
    pub fn new(primary: RootKey) -> Self {
        Self { primary, older: Vec::new() }
    }

    /// A ring whose `older` keys, newest first, still open what they sealed.
    pub fn with_older(primary: RootKey, older: Vec<RootKey>) -> Result<Self, KeyRingError> {
        let mut ids: Vec<[u8; 16]> = older.iter().map(|key| key.id).chain([primary.id]).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(KeyRingError::Duplicate);
        }
        Ok(Self { primary, older })
    }

    pub(super) fn seal_key(&self, tenant: &TenantId) -> Result<([u8; 16], Zeroizing<[u8; 32]>), SealError> {
        Ok((self.primary.id, self.primary.derive(b"pmv1/tenant-data", tenant)?))
    }

    pub(super) fn open_key(&self, tenant: &TenantId, id: [u8; 16]) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let mut keys = std::iter::once(&self.primary).chain(&self.older);
        keys.find(|key| key.id == id).ok_or(SealError)?.derive(b"pmv1/tenant-data", tenant)
    }

    pub(super) fn fingerprint_key(&self, tenant: &TenantId) -> Result<Zeroizing<[u8; 32]>, SealError> {
        self.older.last().unwrap_or(&self.primary).derive(b"pmv1/tenant-fingerprint", tenant)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing(primary {}, {} older)", hex::encode(self.primary.id), self.older.len())
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-512; each part of the info is length-prefixed.
pub(super) fn expand(ikm: &[u8], salt: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), SealError> {
    let mut joined = Vec::new();
    for part in info {
        super::seal::push_prefixed(&mut joined, part);
    }
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA512, salt).extract(ikm);
    let info = [joined.as_slice()];
    let okm = prk.expand(&info, Length(out.len())).map_err(|_| SealError)?;
    okm.fill(out).map_err(|_| SealError)
}
