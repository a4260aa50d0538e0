//! The sealed blob, version 1. All integers big-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `PMV` and version 1 |
//! | 4 | 2 | suite: 1 = HKDF-SHA-512, AES-256-GCM, key commitment |
//! | 6 | 2 | flags, zero |
//! | 8 | 16 | id of the root key |
//! | 24 | 32 | salt |
//! | 56 | 32 | commitment to the record key |
//! | 88 | 12 | nonce |
//! | 100 | n | ciphertext of: length (4), plaintext, zeros up to a multiple of 64 |
//! | end | 16 | tag |
//!
//! Each value has a key of its own, derived from the tenant's data key and a fresh salt, so random
//! nonces never run out; the commitment makes a value open under one key only.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::Place;
use super::keys::expand;
use crate::entropy::Entropy;

/// A value that could not be sealed or opened; deliberately says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not seal or open")]
pub struct SealError;

const HEAD: [u8; 8] = [b'P', b'M', b'V', 1, 0, 1, 0, 0];
const KEY_ID: std::ops::Range<usize> = 8..24;
const SALT: std::ops::Range<usize> = 24..56;
const COMMITMENT: std::ops::Range<usize> = 56..88;
const NONCE: std::ops::Range<usize> = 88..100;
const BODY: usize = 100;
const BLOCK: usize = 64;

/// Appends `bytes` after its length, so that a list of parts reads in one way only.
pub(super) fn push_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    // A length beyond 4 GiB cannot occur: bodies and values are capped far below.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The root key that a blob names.
pub(super) fn key_id(blob: &[u8]) -> Result<[u8; 16], SealError> {
    if blob.get(..HEAD.len()) != Some(&HEAD) {
        return Err(SealError);
    }
    blob.get(KEY_ID).and_then(|id| id.try_into().ok()).ok_or(SealError)
}

pub(super) fn seal(
    key_id: [u8; 16],
    key: &[u8; 32],
    place: &Place<'_>,
    plaintext: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut random = [0_u8; 44];
    entropy.fill(&mut random).map_err(|_| SealError)?;
    let (salt, nonce) = random.split_at(32);
    let record = RecordKey::derive(key, &key_id, salt)?;

    let mut blob = Vec::with_capacity(BODY + plaintext.len() + BLOCK + 20);
    blob.extend_from_slice(&HEAD);
    blob.extend_from_slice(&key_id);
    blob.extend_from_slice(salt);
    blob.extend_from_slice(&record.commitment);
    let associated = associated_data(&blob, place);
    blob.extend_from_slice(nonce);

    let mut body = padded(plaintext)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
    let tag = record.cipher()?.seal_in_place_separate_tag(nonce, Aad::from(associated), &mut body);
    blob.extend_from_slice(&body);
    blob.extend_from_slice(tag.map_err(|_| SealError)?.as_ref());
    Ok(blob)
}

pub(super) fn open(key: &[u8; 32], place: &Place<'_>, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let id = key_id(blob)?;
    let salt = blob.get(SALT).ok_or(SealError)?;
    let commitment = blob.get(COMMITMENT).ok_or(SealError)?;
    let nonce = blob.get(NONCE).ok_or(SealError)?;
    let record = RecordKey::derive(key, &id, salt)?;
    if !crate::secret::constant_time_eq(&record.commitment, commitment) {
        return Err(SealError);
    }
    let associated = associated_data(blob.get(..COMMITMENT.end).ok_or(SealError)?, place);
    let mut body = Zeroizing::new(blob.get(BODY..).ok_or(SealError)?.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
    let opened =
        record.cipher()?.open_in_place(nonce, Aad::from(associated), &mut body).map_err(|_| SealError)?;
    unpadded(opened)
}

struct RecordKey {
    key: Zeroizing<[u8; 32]>,
    commitment: [u8; 32],
}

impl RecordKey {
    fn derive(data_key: &[u8; 32], key_id: &[u8], salt: &[u8]) -> Result<Self, SealError> {
        let suite = &HEAD[4..6];
        let mut key = Zeroizing::new([0_u8; 32]);
        expand(data_key, salt, &[b"pmv1/key", suite, key_id], key.as_mut())?;
        let mut commitment = [0_u8; 32];
        expand(data_key, salt, &[b"pmv1/commit", suite, key_id], &mut commitment)?;
        Ok(Self { key, commitment })
    }

    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        UnboundKey::new(&AES_256_GCM, self.key.as_ref()).map(LessSafeKey::new).map_err(|_| SealError)
    }
}

fn associated_data(head: &[u8], place: &Place<'_>) -> Vec<u8> {
    let mut out = b"pmv1/aad".to_vec();
    out.extend_from_slice(head);
    for part in [place.tenant.as_str(), place.kind, place.record, place.owner] {
        push_prefixed(&mut out, part.as_bytes());
    }
    out
}

/// Ciphertexts reveal lengths, so values are padded to the next 64 bytes.
fn padded(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let length = u32::try_from(plaintext.len()).map_err(|_| SealError)?;
    let total = (plaintext.len() + 4).next_multiple_of(BLOCK);
    let mut body = Zeroizing::new(Vec::with_capacity(total));
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(plaintext);
    body.resize(total, 0);
    Ok(body)
}

fn unpadded(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (length, rest) = body.split_first_chunk::<4>().ok_or(SealError)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError)?;
    let plaintext = rest.get(..length).ok_or(SealError)?;
    let padding = rest.get(length..).ok_or(SealError)?;
    if padding.len() >= BLOCK || padding.iter().any(|byte| *byte != 0) {
        return Err(SealError);
    }
    Ok(Zeroizing::new(plaintext.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::name::TenantId;

    const KEY: [u8; 32] = [7; 32];

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn sealed(place: &Place<'_>, plaintext: &[u8]) -> Vec<u8> {
        seal([1; 16], &KEY, place, plaintext, &SystemEntropy).unwrap()
    }

    #[test]
    fn opens_in_its_place_and_in_no_other() {
        let (ours, other) = (tenant("ours"), tenant("other"));
        let place = Place { tenant: &ours, kind: "token", record: "r1", owner: "o1" };
        let blob = sealed(&place, b"secret");
        assert_eq!(open(&KEY, &place, &blob).unwrap().as_slice(), b"secret");
        for wrong in [
            Place { tenant: &other, ..place },
            Place { kind: "tokens", ..place },
            Place { record: "r2", ..place },
            Place { owner: "o2", ..place },
            Place { kind: "tokenr", record: "1", ..place },
        ] {
            assert_eq!(open(&KEY, &wrong, &blob), Err(SealError), "{wrong:?}");
        }
        assert_eq!(open(&[8; 32], &place, &blob), Err(SealError));
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_refused() {
        let ours = tenant("ours");
        let place = Place { tenant: &ours, kind: "token", record: "r1", owner: "o1" };
        let blob = sealed(&place, &[42; 70]);
        for bit in 0..blob.len() * 8 {
            let mut flipped = blob.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&KEY, &place, &flipped), Err(SealError), "bit {bit}");
        }
        for length in 0..blob.len() {
            assert_eq!(open(&KEY, &place, &blob[..length]), Err(SealError), "length {length}");
        }
        let mut longer = blob;
        longer.push(0);
        assert_eq!(open(&KEY, &place, &longer), Err(SealError));
    }

    #[test]
    fn lengths_are_hidden_up_to_64_bytes() {
        let ours = tenant("ours");
        let place = Place { tenant: &ours, kind: "token", record: "r1", owner: "o1" };
        assert_eq!(sealed(&place, b"").len(), sealed(&place, &[1; 60]).len());
        assert_ne!(sealed(&place, &[1; 60]).len(), sealed(&place, &[1; 61]).len());
    }

    proptest::proptest! {
        #[test]
        fn any_value_round_trips(value in proptest::collection::vec(0_u8.., 0..300)) {
            let ours = tenant("ours");
            let place = Place { tenant: &ours, kind: "k", record: "r", owner: "o" };
            let blob = sealed(&place, &value);
            let opened = open(&KEY, &place, &blob).unwrap();
            proptest::prop_assert_eq!(opened.as_slice(), value.as_slice());
        }

        #[test]
        fn garbage_never_opens(blob in proptest::collection::vec(0_u8.., 0..300)) {
            let ours = tenant("ours");
            let place = Place { tenant: &ours, kind: "k", record: "r", owner: "o" };
            proptest::prop_assert!(open(&KEY, &place, &blob).is_err());
        }
    }
}
