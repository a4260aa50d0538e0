//! The vault: seals any value so that it opens only in its own place. It knows nothing of payments.

mod keys;
mod seal;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use keys::{KeyRing, KeyRingError, RootKey};
pub use seal::SealError;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind, Result};
use crate::id::VaultRecordId;
use crate::name::TenantId;

/// A sealed value: versioned header, salt, key commitment, nonce, ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// From stored bytes; whether they open is found out when they are opened.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A keyed fingerprint (HMAC-SHA-256 under a key of the tenant), in hexadecimal. Equal for equal
/// values of one tenant, unlinkable across tenants, and useless without the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// From stored text.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a sealed value belongs. All four are bound into it: in any other place it does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whose value.
    pub tenant: &'a TenantId,
    /// What it is: `gateway_token`, `customer_profile`.
    pub kind: &'a str,
    /// The id of the row that holds it.
    pub record: &'a str,
    /// The id of what it belongs to.
    pub owner: &'a str,
}

/// A sealed value in a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRecord {
    /// Stable id.
    pub id: VaultRecordId,
    /// Whose value.
    pub tenant: TenantId,
    /// What it is.
    pub kind: String,
    /// The id of what it belongs to.
    pub owner: String,
    /// The value.
    pub sealed: Sealed,
    /// When it was stored.
    pub created_at: Timestamp,
}

impl VaultRecord {
    /// The place that the value is bound to; `record` is the id as text.
    pub fn place<'a>(&'a self, record: &'a str) -> Place<'a> {
        Place { tenant: &self.tenant, kind: &self.kind, record, owner: &self.owner }
    }
}

/// Seals and opens under the keys of a ring.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<KeyRing>,
    entropy: Arc<dyn Entropy>,
}

impl Vault {
    /// A vault that seals with the ring's primary key and opens with any of its keys.
    pub fn new(keys: KeyRing, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys: Arc::new(keys), entropy }
    }

    /// Seals bytes for a place.
    pub fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Sealed> {
        let (key_id, key) = self.keys.seal_key(place.tenant).map_err(failed)?;
        let blob = seal::seal(key_id, &key, place, plaintext, self.entropy.as_ref()).map_err(failed)?;
        Ok(Sealed(blob))
    }

    /// Opens what was sealed for exactly this place. Every reason not to is the same error.
    pub fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let opened = seal::key_id(&sealed.0).and_then(|key_id| {
            let key = self.keys.open_key(place.tenant, key_id)?;
            seal::open(&key, place, &sealed.0)
        });
        opened.map_err(failed)
    }

    /// Seals a value as JSON.
    pub fn seal_json<T: Serialize>(&self, place: &Place<'_>, value: &T) -> Result<Sealed> {
        let bytes = serde_json::to_vec(value).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| Error::internal("a value to seal could not be written as JSON"))?;
        self.seal(place, &bytes)
    }

    /// Opens a value sealed as JSON.
    pub fn open_json<T: DeserializeOwned>(&self, place: &Place<'_>, sealed: &Sealed) -> Result<T> {
        let bytes = self.open(place, sealed)?;
        serde_json::from_slice(&bytes).map_err(|_| failed(SealError))
    }

    /// The tenant's fingerprint of a value. `parts` name what the value is (purpose, gateway) and
    /// end with the value itself; each is length-prefixed, so no two lists read alike.
    pub fn fingerprint(&self, tenant: &TenantId, parts: &[&[u8]]) -> Result<Fingerprint> {
        let key = self.keys.fingerprint_key(tenant).map_err(failed)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        let mut message = Zeroizing::new(Vec::new());
        for part in parts {
            seal::push_prefixed(&mut message, part);
        }
        Ok(Fingerprint(hex::encode(hmac::sign(&key, &message))))
    }
}

fn failed(_: SealError) -> Error {
    Error::new(ErrorKind::Vault, "a stored value could not be sealed or opened")
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.keys).finish_non_exhaustive()
    }
}
