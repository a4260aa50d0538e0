//! The sealed blob, version 1. All integers big-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `PMV` and version 1 |
//! | 4 | 2 | suite: 1 = AES-256-GCM and HKDF-SHA-512, 2 = XChaCha20-Poly1305 and HKDF-SHA-512, 3 = AES-256-GCM and HKDF-SHA-256 |
//! | 6 | 2 | flags, zero |
//! | 8 | 16 | id of the data key |
//! | 24 | 32 | salt |
//! | 56 | 32 | commitment to the record key |
//! | 88 | 12 (suite 2: 24) | nonce |
//! | 100 (112) | n | ciphertext of: length (4), plaintext, zeros up to a multiple of 64 |
//! | end | 16 | tag |
//!
//! Each value has a key of its own, derived by the suite's HKDF from the data key, the suite's number and a fresh
//! salt, so random nonces never run out and a suite cannot be exchanged for another; the commitment, derived
//! beside it, makes a value open under one key only.
//!
//! Nobody outside the vault chooses a salt or a nonce: what takes or draws them is private.
//!
//! ```
//! use billfold_core::vault::Suite;
//! ```
//! ```compile_fail,E0603
//! use billfold_core::vault::seal;
//! ```

mod suite;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

pub use self::suite::Suite;
use self::suite::TAG;
use super::keys::{DataKey, Extracted, KeyId};
use crate::entropy::Entropy;
use crate::secret::constant_time_eq;

/// A value that could not be sealed or opened; deliberately says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not seal or open")]
pub struct SealError;

/// The most that one value may hold: 1 MiB. Far above any token or profile, and low enough that nobody makes
/// the vault encrypt, or a database give back, without bounds.
pub(super) const MAX_PLAINTEXT: usize = 1 << 20;

/// What a blob says of itself before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// How it is encrypted.
    pub(super) suite: Suite,
    /// Under which data key.
    pub(super) key_id: KeyId,
}

const MAGIC: [u8; 4] = [b'P', b'M', b'V', 1];
const FLAGS: [u8; 2] = [0, 0];
const SALT: usize = 32;
const COMMITMENT: usize = 32;
/// What precedes the nonce, and is authenticated.
const HEAD: usize = 88;
/// Ciphertexts reveal lengths, so bodies are padded to a multiple of this.
const BLOCK: usize = 64;
const LENGTH: usize = 4;
const MAX_BODY: usize = (LENGTH + MAX_PLAINTEXT).next_multiple_of(BLOCK);

/// Appends `bytes` after its length, so that a list of parts reads in one way only.
pub(super) fn push_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    // A length beyond 4 GiB cannot occur: bodies and values are capped far below.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads a blob's header. What is unknown, too long or of a length that no value has is refused, so that
/// nobody fetches a key for it.
pub(super) fn header(blob: &[u8]) -> Result<Header, SealError> {
    Parts::read(blob).map(|parts| parts.header).ok_or(SealError)
}

/// Seals `plaintext`, of [`MAX_PLAINTEXT`] at most; `context` says where it belongs and is authenticated with
/// it.
pub(super) fn seal(
    suite: Suite,
    key_id: KeyId,
    key: &DataKey,
    context: &[u8],
    plaintext: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut body = padded(plaintext)?;
    let mut random = vec![0_u8; SALT + suite.nonce_len()];
    entropy.fill(&mut random).map_err(|_| SealError)?;
    let (salt, nonce) = random.split_at_checked(SALT).ok_or(SealError)?;
    let header = Header { suite, key_id };
    let record = RecordKey::derive(header, key, salt)?;

    let mut blob = Vec::with_capacity(HEAD + nonce.len() + body.len() + TAG);
    blob.extend_from_slice(&MAGIC);
    blob.extend_from_slice(&suite.id());
    blob.extend_from_slice(&FLAGS);
    blob.extend_from_slice(key_id.as_bytes());
    blob.extend_from_slice(salt);
    blob.extend_from_slice(&record.commitment);
    let associated = associated_data(&blob, context);
    let tag = suite.encrypt(&record.key, nonce, &associated, &mut body)?;
    blob.extend_from_slice(nonce);
    blob.extend_from_slice(&body);
    blob.extend_from_slice(&tag);
    Ok(blob)
}

/// Opens what was sealed under `key` for `context`.
pub(super) fn open(key: &DataKey, context: &[u8], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let parts = Parts::read(blob).ok_or(SealError)?;
    let record = RecordKey::derive(parts.header, key, parts.salt)?;
    if !constant_time_eq(&record.commitment, parts.commitment) {
        return Err(SealError);
    }
    let associated = associated_data(parts.head, context);
    let suite = parts.header.suite;
    let body = suite.decrypt(&record.key, parts.nonce, &associated, parts.ciphertext, parts.tag)?;
    unpadded(&body)
}

/// A blob taken apart. Its lengths are right and its header is one that we write; nothing is proven yet.
struct Parts<'a> {
    header: Header,
    head: &'a [u8],
    salt: &'a [u8; SALT],
    commitment: &'a [u8; COMMITMENT],
    nonce: &'a [u8],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG],
}

impl<'a> Parts<'a> {
    fn read(blob: &'a [u8]) -> Option<Self> {
        let head = blob.get(..HEAD)?;
        let (magic, rest) = blob.split_first_chunk()?;
        let (suite, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let (key_id, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (commitment, rest) = rest.split_first_chunk()?;
        if *magic != MAGIC || *flags != FLAGS {
            return None;
        }
        let header = Header { suite: Suite::from_id(*suite)?, key_id: KeyId::from_bytes(*key_id) };
        let (nonce, rest) = rest.split_at_checked(header.suite.nonce_len())?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        let whole_blocks = !ciphertext.is_empty() && ciphertext.len().is_multiple_of(BLOCK);
        if !whole_blocks || ciphertext.len() > MAX_BODY {
            return None;
        }
        Some(Self { header, head, salt, commitment, nonce, ciphertext, tag })
    }
}

struct RecordKey {
    key: Zeroizing<[u8; 32]>,
    commitment: [u8; COMMITMENT],
}

impl RecordKey {
    fn derive(header: Header, data_key: &DataKey, salt: &[u8]) -> Result<Self, SealError> {
        let suite = header.suite.id();
        let id = header.key_id.as_bytes();
        let mut key = Zeroizing::new([0_u8; 32]);
        let extracted = Extracted::from(header.suite.hkdf(), data_key, salt);
        extracted.expand(&[b"pmv1/key", &suite, id], key.as_mut())?;
        let mut commitment = [0_u8; COMMITMENT];
        extracted.expand(&[b"pmv1/commit", &suite, id], &mut commitment)?;
        Ok(Self { key, commitment })
    }
}

fn associated_data(head: &[u8], context: &[u8]) -> Vec<u8> {
    let mut out = b"pmv1/aad".to_vec();
    out.extend_from_slice(head);
    push_prefixed(&mut out, context);
    out
}

fn padded(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(SealError);
    }
    let length = u32::try_from(plaintext.len()).map_err(|_| SealError)?;
    let total = (LENGTH + plaintext.len()).next_multiple_of(BLOCK);
    // As large as it will get: growing would leave a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(total));
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(plaintext);
    body.resize(total, 0);
    Ok(body)
}

/// Takes the one padding that [`padded`] makes, and no other.
fn unpadded(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (length, rest) = body.split_first_chunk::<LENGTH>().ok_or(SealError)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError)?;
    let (plaintext, padding) = rest.split_at_checked(length).ok_or(SealError)?;
    if length > MAX_PLAINTEXT || padding.len() >= BLOCK || padding.iter().any(|byte| *byte != 0) {
        return Err(SealError);
    }
    Ok(Zeroizing::new(plaintext.to_vec()))
}
