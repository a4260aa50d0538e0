//! The ways a value can be encrypted. A suite is one AEAD and one HKDF; labels, commitment, padding and layout are
//! the same for all of them and live in the parent module.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, HKDF_SHA512};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SealError;

/// How a value is encrypted. Every suite derives a key per value by HKDF and commits to it; what a blob was sealed
/// with is written in it, so values of all suites live side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Suite {
    /// AES-256-GCM, keys by HKDF-SHA-512.
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
    /// XChaCha20-Poly1305, keys by HKDF-SHA-512: constant-time everywhere.
    #[serde(rename = "xchacha20-poly1305")]
    XChaCha20Poly1305,
    /// AES-256-GCM, keys by HKDF-SHA-256: the fastest where the processor has instructions for AES and SHA-256.
    #[default]
    #[serde(rename = "aes-256-gcm-sha256")]
    Aes256GcmSha256,
}

pub(super) const TAG: usize = 16;

impl Suite {
    /// Every suite, by number.
    pub const ALL: [Self; 3] = [Self::Aes256Gcm, Self::XChaCha20Poly1305, Self::Aes256GcmSha256];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::XChaCha20Poly1305 => "xchacha20-poly1305",
            Self::Aes256GcmSha256 => "aes-256-gcm-sha256",
        }
    }

    /// The suite of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.as_str() == name)
    }

    /// The number in the database.
    pub const fn number(self) -> u16 {
        u16::from_be_bytes(self.id())
    }

    /// The suite of a number in the database.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::from_id(number.to_be_bytes())
    }

    /// The number in a blob's header and in the labels of its keys. Zero will never be one.
    pub(super) const fn id(self) -> [u8; 2] {
        match self {
            Self::Aes256Gcm => [0, 1],
            Self::XChaCha20Poly1305 => [0, 2],
            Self::Aes256GcmSha256 => [0, 3],
        }
    }

    pub(super) fn from_id(id: [u8; 2]) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.id() == id)
    }

    pub(super) const fn nonce_len(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::Aes256GcmSha256 => 12,
            Self::XChaCha20Poly1305 => 24,
        }
    }

    /// What derives record key and commitment.
    pub(super) fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Aes256Gcm | Self::XChaCha20Poly1305 => HKDF_SHA512,
            Self::Aes256GcmSha256 => HKDF_SHA256,
        }
    }

    /// Encrypts `body` where it lies and returns the tag.
    pub(super) fn encrypt(
        self,
        key: &[u8; 32],
        nonce: &[u8],
        associated: &[u8],
        body: &mut [u8],
    ) -> Result<[u8; TAG], SealError> {
        match self {
            Self::Aes256Gcm | Self::Aes256GcmSha256 => {
                let tag = aes(key)?.seal_in_place_separate_tag(once(nonce)?, Aad::from(associated), body);
                tag.map_err(|_| SealError)?.as_ref().try_into().map_err(|_| SealError)
            }
            Self::XChaCha20Poly1305 => {
                let nonce = nonce.try_into().map_err(|_| SealError)?;
                let cipher = XChaCha20Poly1305::new(key.into());
                let tag = cipher.encrypt_inout_detached(nonce, associated, body.into());
                tag.map(Into::into).map_err(|_| SealError)
            }
        }
    }

    /// The body, if key, nonce, associated data and tag all belong to this ciphertext.
    pub(super) fn decrypt(
        self,
        key: &[u8; 32],
        nonce: &[u8],
        associated: &[u8],
        ciphertext: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        match self {
            Self::Aes256Gcm | Self::Aes256GcmSha256 => {
                let mut body = Zeroizing::new(vec![0; ciphertext.len()]);
                aes(key)?
                    .open_separate_gather(once(nonce)?, Aad::from(associated), ciphertext, tag, &mut body)
                    .map_err(|_| SealError)?;
                Ok(body)
            }
            Self::XChaCha20Poly1305 => {
                let nonce = nonce.try_into().map_err(|_| SealError)?;
                let mut body = Zeroizing::new(ciphertext.to_vec());
                XChaCha20Poly1305::new(key.into())
                    .decrypt_inout_detached(nonce, associated, body.as_mut_slice().into(), tag.into())
                    .map_err(|_| SealError)?;
                Ok(body)
            }
        }
    }
}

fn aes(key: &[u8; 32]) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| SealError)
}

fn once(nonce: &[u8]) -> Result<Nonce, SealError> {
    Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)
}
