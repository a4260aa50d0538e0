//! Root keys, wherever they are kept. A [`KeyWrapper`] encrypts ("wraps") the vault's data keys under a
//! root key; the root key itself may never leave a key management service. The contract suite
//! `billfold_testkit::key_wrapper` says what an implementation has to do.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::keys::{DataKey, KeyId, KeyPurpose};
use super::seal::push_prefixed;
use crate::name::TenantId;
use crate::secret::sha256;

/// Which root key wrapped a data key: `local:` and 32 hexadecimal digits, `transit:…`, `aws-kms:…`. Stable,
/// stored beside each wrapped key, and no secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WrapperId(String);

impl WrapperId {
    /// From the wrapper's kind and its own name for the root key.
    pub fn new(kind: &str, name: &str) -> Self {
        Self(format!("{kind}:{name}"))
    }

    /// From stored text.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WrapperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WrapperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a data key is for. Bound into its wrapping: a key unwraps in its own place only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapContext {
    /// The data key's id.
    pub key_id: KeyId,
    /// Whose key.
    pub tenant: TenantId,
    /// Whose data it protects; empty for keys of the whole tenant.
    pub subject: String,
    /// What it does.
    pub purpose: KeyPurpose,
}

impl WrapContext {
    /// One byte string per context: what a wrapper authenticates beside the key.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"pmv1/wrap".to_vec();
        for part in [
            self.key_id.as_bytes().as_slice(),
            self.tenant.as_str().as_bytes(),
            self.subject.as_bytes(),
            self.purpose.as_str().as_bytes(),
        ] {
            push_prefixed(&mut out, part);
        }
        out
    }

    /// SHA-256 of [`WrapContext::to_bytes`] in hexadecimal, for services that log the context in clear: a
    /// subject may be somebody's name.
    pub fn digest(&self) -> String {
        hex::encode(sha256(&self.to_bytes()))
    }
}

/// Why a key could not be wrapped or unwrapped. Never holds key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The wrapped bytes, the context or the root key do not belong together.
    #[error("the wrapped key does not open here")]
    Refused,
    /// The service cannot be asked now; try again.
    #[error("the key service cannot be reached: {reason}")]
    Unavailable {
        /// For logs.
        reason: String,
        /// How long to wait, when the service said so.
        retry_after: Option<Duration>,
    },
    /// The service refuses us: credentials, permissions, an unknown or disabled root key. Somebody has to act.
    #[error("the key service refuses: {0}")]
    Denied(String),
}

/// Keeps a root key, or knows who does.
///
/// Both calls are idempotent and may run concurrently. A wrapper has no cache and retries nothing; the vault
/// does that. `unwrap` opens what `wrap` of any earlier version of the same root key made, as long as the
/// service still has that version.
#[async_trait]
pub trait KeyWrapper: fmt::Debug + Send + Sync {
    /// Which root key this is.
    fn id(&self) -> &WrapperId;

    /// Encrypts a data key under the root key, bound to its context.
    async fn wrap(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError>;

    /// Decrypts what [`KeyWrapper::wrap`] made for exactly this context.
    async fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> Result<DataKey, WrapError>;

    /// Proves that the root key can be used and that contexts are authenticated, without leaving anything
    /// behind. A service that ignores the context would let wrapped keys be swapped.
    async fn check(&self) -> Result<(), WrapError> {
        prove(self, "the key service does not authenticate the context").await
    }
}

/// Wraps and unwraps a key that is none. A wrapper that opens it in another context too is refused, in words
/// that say who ignores the context.
pub async fn prove<W: KeyWrapper + ?Sized>(wrapper: &W, ignorant: &str) -> Result<(), WrapError> {
    let context = WrapContext {
        key_id: KeyId::from_bytes([0; 16]),
        tenant: TenantId::default_tenant(),
        subject: String::new(),
        purpose: KeyPurpose::Check,
    };
    let key = DataKey::from_bytes(Zeroizing::new([0; 32]));
    let wrapped = wrapper.wrap(&key, &context).await?;
    wrapper.unwrap(&wrapped, &context).await?;
    let elsewhere = WrapContext { subject: "elsewhere".to_owned(), ..context };
    match wrapper.unwrap(&wrapped, &elsewhere).await {
        Err(WrapError::Refused) => Ok(()),
        Err(other) => Err(other),
        Ok(_) => Err(WrapError::Denied(ignorant.to_owned())),
    }
}
