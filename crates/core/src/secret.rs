//! Secrets: never printed, compared in constant time, opened on purpose only.

use aws_lc_rs::{digest, hmac};
pub use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::entropy::{Entropy, EntropyError};

/// Whether `candidate` is `secret`, without telling by its duration where they differ or how long
/// the secret is: both are reduced to a MAC under a fresh key before they are compared.
///
/// An empty secret equals nothing, not even an empty candidate.
pub fn matches_secret(
    secret: &SecretString,
    candidate: &[u8],
    entropy: &dyn Entropy,
) -> Result<bool, EntropyError> {
    let mut key = [0_u8; 32];
    entropy.fill(&mut key)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let expected = hmac::sign(&key, secret.expose_secret().as_bytes());
    let given = hmac::sign(&key, candidate);
    let equal: bool = expected.as_ref().ct_eq(given.as_ref()).into();
    Ok(equal && !secret.expose_secret().is_empty())
}

/// SHA-256 of a high-entropy secret (an API key, a nonce), as stored instead of it.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0_u8; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Whether two byte strings are equal, in time that depends on their lengths alone.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// 256 random bits as 43 characters that are safe in a URL.
pub fn random_token(entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
    use base64::Engine as _;
    let mut bytes = [0_u8; 32];
    entropy.fill(&mut bytes)?;
    Ok(SecretString::from(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn only_the_same_non_empty_secret_matches() {
        let secret = SecretString::from("s3cret");
        let check = |secret: &SecretString, given: &str| {
            matches_secret(secret, given.as_bytes(), &SystemEntropy).unwrap()
        };
        assert!(check(&secret, "s3cret"));
        for wrong in ["", "S3cret", "s3cre", "s3crets", " s3cret"] {
            assert!(!check(&secret, wrong), "{wrong}");
        }
        assert!(!check(&SecretString::from(""), ""));
    }

    #[test]
    fn random_tokens_differ() {
        let one = random_token(&SystemEntropy).unwrap();
        let two = random_token(&SystemEntropy).unwrap();
        assert_eq!(one.expose_secret().len(), 43);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }
}
