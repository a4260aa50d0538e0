//! The format once more, from its description and from other libraries, and the mistakes that one could have
//! made in it.

use aes_gcm::Aes256Gcm;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use hkdf::Hkdf;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::vault::{DataKey, KeyId, SealError, Suite};

/// One thing done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// What says where the value belongs is not authenticated.
    ContextIgnored,
    /// Flags are neither looked at nor authenticated.
    FlagsIgnored,
    /// So is the version.
    VersionIgnored,
    /// The commitment is carried, but not compared.
    CommitmentUnchecked,
    /// Only half of the data key goes into the record key.
    HalfKey,
    /// Whatever follows the plaintext is taken for padding.
    PaddingUnchecked,
    /// What follows the tag is left over.
    TrailingBytesIgnored,
    /// A tag of 12 bytes is enough.
    ShortTag,
    /// Nothing but the hash tells the keys of one suite from those of another.
    SuiteNotInLabels,
    /// Keys are derived by the hash of another suite.
    OtherHash,
    /// Values of any size.
    Unlimited,
    /// The salt is not drawn.
    FixedSalt,
    /// The nonce is not drawn.
    FixedNonce,
}

const MAX_PLAINTEXT: usize = 1024 * 1024;

/// Everything that decides what a blob is, but its body.
pub(super) struct Recipe<'a> {
    pub(super) suite: Suite,
    pub(super) key_id: [u8; 16],
    pub(super) key: &'a [u8; 32],
    pub(super) salt: &'a [u8],
    pub(super) nonce: &'a [u8],
    pub(super) context: &'a [u8],
}

impl Recipe<'_> {
    /// Record key and commitment.
    pub(super) fn derive(&self, flaw: Option<Flaw>) -> ([u8; 32], [u8; 32]) {
        let suite = match flaw {
            Some(Flaw::SuiteNotInLabels) => [0, 0],
            _ => number(self.suite),
        };
        let key = match flaw {
            Some(Flaw::HalfKey) => &self.key[..16],
            _ => self.key,
        };
        let sha_256 = (self.suite == Suite::Aes256GcmSha256) != (flaw == Some(Flaw::OtherHash));
        let expand = |label: &[u8]| {
            let info = [prefixed(label), prefixed(&suite), prefixed(&self.key_id)].concat();
            let mut out = [0; 32];
            if sha_256 {
                Hkdf::<Sha256>::new(Some(self.salt), key).expand(&info, &mut out).unwrap();
            } else {
                Hkdf::<Sha512>::new(Some(self.salt), key).expand(&info, &mut out).unwrap();
            }
            out
        };
        (expand(b"pmv1/key"), expand(b"pmv1/commit"))
    }

    /// The first 88 bytes.
    pub(super) fn head(&self, commitment: &[u8]) -> Vec<u8> {
        [b"PMV\x01", number(self.suite).as_slice(), &[0, 0], &self.key_id, self.salt, commitment].concat()
    }

    /// Seals a body as it is, under this commitment or the right one.
    pub(super) fn seal_body(&self, body: &[u8], commitment: Option<&[u8]>, flaw: Option<Flaw>) -> Vec<u8> {
        let (key, right) = self.derive(flaw);
        let head = self.head(commitment.unwrap_or(&right));
        let associated = associated(&head, self.context, flaw);
        let mut body = body.to_vec();
        let tag = encrypt(self.suite, &key, self.nonce, &associated, &mut body);
        [head.as_slice(), self.nonce, &body, &tag].concat()
    }
}

/// The second implementation's `seal`.
pub(super) fn seal(
    flaw: Option<Flaw>,
    suite: Suite,
    key_id: KeyId,
    key: &DataKey,
    context: &[u8],
    plaintext: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    if plaintext.len() > MAX_PLAINTEXT && flaw != Some(Flaw::Unlimited) {
        return Err(SealError);
    }
    let mut salt = [0; 32];
    let mut nonce = vec![0; nonce_len(suite)];
    if flaw != Some(Flaw::FixedSalt) {
        entropy.fill(&mut salt).map_err(|_| SealError)?;
    }
    if flaw != Some(Flaw::FixedNonce) {
        entropy.fill(&mut nonce).map_err(|_| SealError)?;
    }
    let recipe =
        Recipe { suite, key_id: *key_id.as_bytes(), key: key.expose(), salt: &salt, nonce: &nonce, context };
    Ok(recipe.seal_body(&padded(plaintext), None, flaw))
}

/// The second implementation's `open`.
pub(super) fn open(
    flaw: Option<Flaw>,
    key: &DataKey,
    context: &[u8],
    blob: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    try_open(flaw, key, context, blob).map(Zeroizing::new).ok_or(SealError)
}

fn try_open(flaw: Option<Flaw>, key: &DataKey, context: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
    if blob.len() < 88 || &blob[..3] != b"PMV" {
        return None;
    }
    if (blob[3] != 1 && flaw != Some(Flaw::VersionIgnored))
        || (blob[6..8] != [0, 0] && flaw != Some(Flaw::FlagsIgnored))
    {
        return None;
    }
    let suite = Suite::ALL.into_iter().find(|suite| number(*suite) == blob[4..6])?;
    let start = 88 + nonce_len(suite);
    let after_nonce = blob.get(start..)?;
    let whole = |length: usize| length / 64 * 64;
    let body_len = match flaw {
        Some(Flaw::ShortTag) => whole(after_nonce.len()),
        _ => whole(after_nonce.len().checked_sub(16)?),
    };
    let (body, tag) = after_nonce.split_at(body_len);
    let tag = match flaw {
        Some(Flaw::TrailingBytesIgnored) => &tag[..16],
        _ => tag,
    };
    let right_tag = tag.len() == 16 || (flaw == Some(Flaw::ShortTag) && (12..16).contains(&tag.len()));
    if !right_tag || body.is_empty() {
        return None;
    }

    let recipe = Recipe {
        suite,
        key_id: blob[8..24].try_into().unwrap(),
        key: key.expose(),
        salt: &blob[24..56],
        nonce: &blob[88..start],
        context,
    };
    let (record_key, commitment) = recipe.derive(flaw);
    if commitment != blob[56..88] && flaw != Some(Flaw::CommitmentUnchecked) {
        return None;
    }
    let head = recipe.head(&blob[56..88]);
    let associated = associated(&head, context, flaw);
    // Encryption twice gives the plaintext, and then the tag that it must have: shorter tags can be compared.
    let mut plain = body.to_vec();
    encrypt(suite, &record_key, recipe.nonce, &associated, &mut plain);
    let mut again = plain.clone();
    let expected = encrypt(suite, &record_key, recipe.nonce, &associated, &mut again);
    if expected[..tag.len()] != *tag {
        return None;
    }

    let length = usize::try_from(u32::from_be_bytes(plain[..4].try_into().unwrap())).unwrap();
    if length > MAX_PLAINTEXT && flaw != Some(Flaw::Unlimited) {
        return None;
    }
    let padding = plain.get(4 + length..)?;
    if flaw != Some(Flaw::PaddingUnchecked) && (padding.len() > 63 || padding.iter().any(|byte| *byte > 0)) {
        return None;
    }
    Some(plain[4..4 + length].to_vec())
}

pub(super) fn padded(plaintext: &[u8]) -> Vec<u8> {
    let mut body = prefixed(plaintext);
    while !body.len().is_multiple_of(64) {
        body.push(0);
    }
    body
}

pub(super) fn associated(head: &[u8], context: &[u8], flaw: Option<Flaw>) -> Vec<u8> {
    match flaw {
        Some(Flaw::ContextIgnored) => [b"pmv1/aad", head].concat(),
        _ => [b"pmv1/aad", head, &prefixed(context)].concat(),
    }
}

pub(super) fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

pub(super) fn number(suite: Suite) -> [u8; 2] {
    match suite {
        Suite::Aes256Gcm => [0, 1],
        Suite::XChaCha20Poly1305 => [0, 2],
        Suite::Aes256GcmSha256 => [0, 3],
    }
}

pub(super) fn nonce_len(suite: Suite) -> usize {
    match suite {
        Suite::Aes256Gcm | Suite::Aes256GcmSha256 => 12,
        Suite::XChaCha20Poly1305 => 24,
    }
}

fn encrypt(suite: Suite, key: &[u8; 32], nonce: &[u8], associated: &[u8], body: &mut [u8]) -> [u8; 16] {
    let tag = match suite {
        Suite::Aes256Gcm | Suite::Aes256GcmSha256 => Aes256Gcm::new(key.into()).encrypt_inout_detached(
            nonce.try_into().unwrap(),
            associated,
            body.into(),
        ),
        Suite::XChaCha20Poly1305 => XChaCha20Poly1305::new(key.into()).encrypt_inout_detached(
            nonce.try_into().unwrap(),
            associated,
            body.into(),
        ),
    };
    tag.unwrap().into()
}
