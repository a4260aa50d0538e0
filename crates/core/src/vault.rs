//! The vault: seals any value so that it opens only in its own place, under keys that can be rotated and
//! destroyed. It knows nothing of payments.
//!
//! A **root key** lives behind a [`KeyWrapper`]. It wraps **data keys**, one for each owner ("data
//! subject") of a tenant; the wrapped keys are rows of the store. Each value is sealed under a key of its
//! own, derived from its owner's data key. Destroying an owner's data key destroys every value of that
//! owner, wherever copies of the rows may be.
//!
//! Every sealed value of Billfold is a [`VaultRecord`]: rotation, verification and erasure look at one table.

mod cache;
mod data_keys;
mod keys;
mod local;
mod maintenance;
mod records;
mod registry;
mod seal;
mod value;
mod wrapper;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use keys::{DataKey, KeyId, KeyPurpose, KeyState, VaultKey};
pub use local::{LocalWrapper, RootKeyError};
pub use maintenance::{KeyCount, Progress, Resealed, VaultStatus, Verified};
pub use records::{OnConflict, PutOutcome, PutRecord, PutResult, RecordView, ReplaceRecord, RevealedRecord};
pub use registry::{BuildWrapper, WrapperRegistration, WrapperRegistry, WrapperSettings};
pub use seal::{SealError, Suite};
pub(crate) use value::owner_problem;
pub use value::{Mask, SecretValue, bytes_from_base64};
pub use wrapper::{KeyWrapper, WrapContext, WrapError, WrapperId, prove};

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::entropy::{Entropy, SystemEntropy};
use crate::error::{Error, ErrorKind, Result};
use crate::id::VaultRecordId;
use crate::name::TenantId;
use crate::store::{Changes, Commit, Store, Write};
use cache::{KeyCache, Turns};

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

/// Where a value belongs. Everything here is bound into it: in any other place it does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whose value.
    pub tenant: &'a TenantId,
    /// The data subject: whose key seals it, and with whom it is erased.
    pub owner: &'a str,
    /// What it is.
    pub kind: &'a str,
    /// The object that refers to it; empty when none does.
    pub object: &'a str,
}

/// A sealed value and what is known of it in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRecord {
    /// Stable id.
    pub id: VaultRecordId,
    /// Whose value.
    pub tenant: TenantId,
    /// The data subject.
    pub owner: String,
    /// What it is.
    pub kind: String,
    /// The object that refers to it.
    pub object: String,
    /// The data key that sealed it; a key with records cannot be deleted.
    pub key_id: KeyId,
    /// How it is encrypted.
    pub suite: Suite,
    /// Unique among the owner's records of this kind: the value's keyed fingerprint, or the id when
    /// duplicates are welcome.
    pub fingerprint: Fingerprint,
    /// The value.
    pub sealed: Sealed,
    /// What may be shown of the value.
    pub masked: Option<String>,
    /// The owner's own pairs, in clear.
    pub metadata: BTreeMap<String, String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The generation: counts changes, from 1. Bound into the sealed value.
    pub version: i64,
}

impl VaultRecord {
    /// The bytes that are authenticated with the value. Each part is length-prefixed, so no two places
    /// read alike.
    fn context(&self) -> Vec<u8> {
        let (id, version) = (self.id.to_string(), self.version.to_be_bytes());
        let mut out = Vec::new();
        for part in [
            self.tenant.as_str().as_bytes(),
            self.owner.as_bytes(),
            self.kind.as_bytes(),
            self.object.as_bytes(),
            id.as_bytes(),
            &version,
        ] {
            seal::push_prefixed(&mut out, part);
        }
        out
    }
}

/// Seals and opens. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    primary: Arc<dyn KeyWrapper>,
    older: Vec<Arc<dyn KeyWrapper>>,
    suite: Suite,
    cache: KeyCache,
    turns: Turns,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Puts a [`Vault`] together.
pub struct VaultBuilder {
    inner: Inner,
}

/// For how long an unwrapped data key is kept when nothing else is said.
pub const DEFAULT_KEY_CACHE: Duration = Duration::from_mins(5);
const CACHED_KEYS: usize = 1000;

impl Vault {
    /// A vault over `store`, with one root key.
    pub fn new(store: Arc<dyn Store>, root: Arc<dyn KeyWrapper>) -> Self {
        Self::builder(store, root).build()
    }

    /// Begins with what is required.
    pub fn builder(store: Arc<dyn Store>, root: Arc<dyn KeyWrapper>) -> VaultBuilder {
        VaultBuilder {
            inner: Inner {
                store,
                primary: root,
                older: Vec::new(),
                suite: Suite::default(),
                cache: KeyCache::new(DEFAULT_KEY_CACHE, CACHED_KEYS),
                turns: Turns::new(),
                clock: Arc::new(SystemClock),
                entropy: Arc::new(SystemEntropy),
            },
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Forgets an owner's unwrapped keys.
    pub(crate) fn forget(&self, tenant: &TenantId, owner: &str) {
        self.inner.cache.forget(tenant, owner);
    }

    /// The root key that wraps new data keys.
    pub fn root(&self) -> &Arc<dyn KeyWrapper> {
        &self.inner.primary
    }

    /// Seals a value as a new record, which the caller commits.
    ///
    /// Errors: [`ErrorKind::KeysUnavailable`] when the owner's key is not at hand and the root key cannot
    /// be asked; never stores or returns clear text instead.
    pub async fn seal(&self, place: Place<'_>, plaintext: &[u8]) -> Result<VaultRecord> {
        self.seal_as(None, place, plaintext).await
    }

    /// The same under an id that was chosen before, if there is one.
    pub(crate) async fn seal_as(
        &self,
        chosen: Option<VaultRecordId>,
        place: Place<'_>,
        plaintext: &[u8],
    ) -> Result<VaultRecord> {
        let now = self.inner.clock.now();
        let id = match chosen {
            Some(id) => id,
            None => VaultRecordId::generate(now, self.inner.entropy.as_ref())?,
        };
        let record = VaultRecord {
            id,
            tenant: place.tenant.clone(),
            owner: place.owner.to_owned(),
            kind: place.kind.to_owned(),
            object: place.object.to_owned(),
            key_id: KeyId::from_bytes([0; 16]),
            suite: self.inner.suite,
            fingerprint: Fingerprint(id.to_string()),
            sealed: Sealed(Vec::new()),
            masked: None,
            metadata: BTreeMap::new(),
            expires_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        self.fill(record, plaintext).await
    }

    /// Seals a value as JSON.
    pub async fn seal_json<T: Serialize + Sync>(&self, place: Place<'_>, value: &T) -> Result<VaultRecord> {
        self.seal(place, &json_bytes(value)?).await
    }

    /// The record's next generation, with another value, sealed under the owner's current key.
    pub async fn reseal(&self, mut record: VaultRecord, plaintext: &[u8]) -> Result<VaultRecord> {
        record.version += 1;
        record.updated_at = self.inner.clock.now();
        self.fill(record, plaintext).await
    }

    /// The record's next generation, with another value as JSON.
    pub async fn reseal_json<T: Serialize + Sync>(
        &self,
        record: VaultRecord,
        value: &T,
    ) -> Result<VaultRecord> {
        self.reseal(record, &json_bytes(value)?).await
    }

    /// Opens a record. Every reason why it does not open is the same error. What was sealed under a key that
    /// somebody else may know is sealed anew before anybody has it.
    pub async fn open(&self, record: &VaultRecord) -> Result<Zeroizing<Vec<u8>>> {
        self.open_with_key(record).await?.ok_or_else(|| refused("key", SealError))
    }

    /// Opens a record that was read a moment ago; `None` when it was destroyed meanwhile, as whoever is erased loses
    /// keys and values at once.
    pub(crate) async fn open_if_kept(&self, record: &VaultRecord) -> Result<Option<Zeroizing<Vec<u8>>>> {
        if let Some(opened) = self.open_with_key(record).await? {
            return Ok(Some(opened));
        }
        let kept = self.inner.store.vault_record(&record.tenant, record.id).await?;
        if kept.is_none() { Ok(None) } else { Err(refused("key", SealError)) }
    }

    /// `None` when there is no key for it.
    async fn open_with_key(&self, record: &VaultRecord) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some((value, state)) = self.unseal(record).await? else { return Ok(None) };
        if state == KeyState::Compromised {
            self.seal_anew(record.clone(), &value).await?;
        }
        Ok(Some(value))
    }

    /// What a record holds, and where the key stands that sealed it; `None` when there is no key for it.
    async fn unseal(&self, record: &VaultRecord) -> Result<Option<(Zeroizing<Vec<u8>>, KeyState)>> {
        let header = seal::header(&record.sealed.0).map_err(|error| refused("header", error))?;
        let Some((key, state)) = self.data_key(record, header.key_id).await? else { return Ok(None) };
        let value = seal::open(&key, &record.context(), &record.sealed.0);
        Ok(Some((value.map_err(|error| refused("sealed", error))?, state)))
    }

    /// Seals a record's own value under its owner's current key and the current suite.
    async fn seal_anew(&self, record: VaultRecord, value: &[u8]) -> Result<Commit> {
        let (tenant, owner) = (record.tenant.clone(), record.owner.clone());
        let resealed = self.reseal(record, value).await?;
        let changes = Changes { vault: vec![Write::Update(resealed)], ..Changes::default() };
        let commit = self.inner.store.commit(changes).await?;
        if commit == Commit::Stale {
            self.inner.cache.forget(&tenant, &owner);
        }
        Ok(commit)
    }

    /// Opens a record sealed as JSON.
    pub async fn open_json<T: DeserializeOwned>(&self, record: &VaultRecord) -> Result<T> {
        from_json(&self.open(record).await?)
    }

    /// The same for a record that was read a moment ago and may have been destroyed since.
    pub(crate) async fn open_json_if_kept<T: DeserializeOwned>(
        &self,
        record: &VaultRecord,
    ) -> Result<Option<T>> {
        self.open_if_kept(record).await?.map(|bytes| from_json(&bytes)).transpose()
    }

    /// The tenant's fingerprint of a value. `parts` name what the value is (purpose, gateway) and
    /// end with the value itself; each is length-prefixed, so no two lists read alike.
    pub async fn fingerprint(&self, tenant: &TenantId, parts: &[&[u8]]) -> Result<Fingerprint> {
        let (_, key) = self.current_key(tenant, "", KeyPurpose::Fingerprint).await?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let mut message = Zeroizing::new(Vec::new());
        for part in parts {
            seal::push_prefixed(&mut message, part);
        }
        Ok(Fingerprint(hex::encode(hmac::sign(&key, &message))))
    }

    /// The key that chains a tenant's audit trail.
    pub(crate) async fn audit_key(&self, tenant: &TenantId) -> Result<DataKey> {
        self.current_key(tenant, "", KeyPurpose::Audit).await.map(|(_, key)| key)
    }

    async fn fill(&self, mut record: VaultRecord, plaintext: &[u8]) -> Result<VaultRecord> {
        if plaintext.len() > seal::MAX_PLAINTEXT {
            let message = format!("the value is larger than {} bytes", seal::MAX_PLAINTEXT);
            return Err(Error::invalid("/value", message));
        }
        let (key_id, key) = self.current_key(&record.tenant, &record.owner, KeyPurpose::Data).await?;
        let Inner { suite, entropy, .. } = &*self.inner;
        let blob = seal::seal(*suite, key_id, &key, &record.context(), plaintext, entropy.as_ref());
        record.sealed = Sealed(blob.map_err(|error| refused("seal", error))?);
        record.key_id = key_id;
        record.suite = *suite;
        Ok(record)
    }
}

impl VaultBuilder {
    /// Adds root keys that still open what they wrapped.
    pub fn older(mut self, older: Vec<Arc<dyn KeyWrapper>>) -> Self {
        self.inner.older = older;
        self
    }

    /// How new values are encrypted; values of the other suites still open.
    pub fn suite(mut self, suite: Suite) -> Self {
        self.inner.suite = suite;
        self
    }

    /// For how long unwrapped data keys are kept, and so for how long they serve while the root key
    /// cannot be asked.
    pub fn key_cache(mut self, lifetime: Duration) -> Self {
        self.inner.cache = KeyCache::new(lifetime, CACHED_KEYS);
        self
    }

    /// Replaces the machine's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.inner.clock = clock;
        self
    }

    /// Replaces the system's randomness.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.inner.entropy = entropy;
        self
    }

    /// The finished value.
    pub fn build(self) -> Vault {
        Vault { inner: Arc::new(self.inner) }
    }
}

fn json_bytes<T: Serialize>(value: &T) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = serde_json::to_vec(value).map(Zeroizing::new);
    bytes.map_err(|_| Error::internal("a value to seal could not be written as JSON"))
}

/// Appends a part after its length, so that a list of parts reads in one way only.
pub(crate) fn push_part(out: &mut Vec<u8>, part: &[u8]) {
    seal::push_prefixed(out, part);
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|_| refused("json", SealError))
}

/// One error outwards; what it was is counted only.
fn refused(reason: &'static str, _: SealError) -> Error {
    metrics::counter!("billfold_vault_refused_total", "reason" => reason).increment(1);
    Error::new(ErrorKind::Vault, "a stored value could not be sealed or opened")
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("root", self.inner.primary.id())
            .field("older", &self.inner.older.len())
            .finish_non_exhaustive()
    }
}
