//! A root key that this process holds itself: 32 bytes from a file, the environment or a mounted secret.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::hkdf::HKDF_SHA512;
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::SealError;
use super::keys::{DataKey, Extracted, KeyId};
use super::seal::{self, Suite};
use super::wrapper::{KeyWrapper, WrapContext, WrapError, WrapperId};
use crate::entropy::{Entropy, EntropyError, SystemEntropy};

/// A root key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootKeyError {
    /// The text is not base64 of exactly 32 bytes.
    #[error("expected base64 of exactly 32 bytes")]
    Malformed,
    /// All bytes are equal: a placeholder, not a key.
    #[error("this is a placeholder, not a random key")]
    Placeholder,
}

/// Wraps under a root key in memory. The root key is only ever used to derive a wrapping key.
#[derive(Clone)]
pub struct LocalWrapper {
    id: WrapperId,
    key_id: KeyId,
    key: DataKey,
}

impl LocalWrapper {
    /// The kind, as in its [`WrapperId`] and in the configuration.
    pub const KIND: &'static str = "local";

    /// From base64 of 32 bytes.
    pub fn from_base64(text: &SecretString) -> Result<Self, RootKeyError> {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.expose_secret().trim());
        let decoded = Zeroizing::new(decoded.map_err(|_| RootKeyError::Malformed)?);
        let root = DataKey::from_slice(&decoded).ok_or(RootKeyError::Malformed)?;
        let [first, rest @ ..] = root.expose();
        if rest.iter().all(|byte| byte == first) {
            return Err(RootKeyError::Placeholder);
        }
        Self::derive(&root).map_err(|_| RootKeyError::Malformed)
    }

    /// A new random root key, as base64.
    pub fn generate(entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
        let key = DataKey::generate(entropy)?;
        Ok(SecretString::from(base64::engine::general_purpose::STANDARD.encode(key.expose())))
    }

    fn derive(root: &DataKey) -> Result<Self, SealError> {
        let extracted = Extracted::from(HKDF_SHA512, root, &[]);
        let mut id = [0_u8; 16];
        extracted.expand(&[b"pmv1/root-id"], &mut id)?;
        let mut key = Zeroizing::new([0_u8; 32]);
        extracted.expand(&[b"pmv1/root-wrap"], key.as_mut())?;
        let key_id = KeyId::from_bytes(id);
        let id = WrapperId::new(Self::KIND, &key_id.to_string());
        Ok(Self { id, key_id, key: DataKey::from_bytes(key) })
    }
}

#[async_trait]
impl KeyWrapper for LocalWrapper {
    fn id(&self) -> &WrapperId {
        &self.id
    }

    async fn wrap(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError> {
        let context = context.to_bytes();
        seal::seal(Suite::Aes256Gcm, self.key_id, &self.key, &context, key.expose(), &SystemEntropy)
            .map_err(|_| WrapError::Refused)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> Result<DataKey, WrapError> {
        let header = seal::header(wrapped).map_err(|_| WrapError::Refused)?;
        if header.key_id != self.key_id {
            return Err(WrapError::Refused);
        }
        let opened = seal::open(&self.key, &context.to_bytes(), wrapped).map_err(|_| WrapError::Refused)?;
        DataKey::from_slice(&opened).ok_or(WrapError::Refused)
    }
}

impl fmt::Debug for LocalWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalWrapper({})", self.id)
    }
}
