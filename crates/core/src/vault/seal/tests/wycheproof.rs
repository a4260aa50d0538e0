//! Project Wycheproof's vectors against the very calls that the vault makes: its own `encrypt` and `decrypt` for
//! the ciphers, aws-lc-rs for HKDF and HMAC.

use aws_lc_rs::{hkdf, hmac};
use wycheproof::TestResult;
use wycheproof::{aead, hkdf as hkdf_vectors, mac};

use crate::secret::constant_time_eq;
use crate::vault::Suite;

/// Runs the vectors of 256-bit keys; returns how many were to be taken and how many refused.
fn run_aead(name: aead::TestName, suite: Suite) -> (usize, usize) {
    let (mut taken, mut refused) = (0, 0);
    for group in aead::TestSet::load(name).unwrap().test_groups {
        if group.key_size != 256 {
            continue;
        }
        for test in group.tests {
            let key: [u8; 32] = test.key.as_ref().try_into().unwrap();
            // Vectors that must not be sealed have no tag.
            let tag: [u8; 16] = test.tag.as_ref().try_into().unwrap_or_default();
            let opened = suite.decrypt(&key, &test.nonce, &test.aad, &test.ct, &tag);
            let mut body = test.pt.to_vec();
            let sealed = suite.encrypt(&key, &test.nonce, &test.aad, &mut body);
            // AES-GCM knows nonces of other lengths; the vault has none and takes none.
            if test.nonce.len() != suite.nonce_len() {
                assert!(opened.is_err() && sealed.is_err(), "test {}", test.tc_id);
                refused += 1;
            } else if test.result == TestResult::Invalid {
                assert!(opened.is_err() && sealed != Ok(tag), "test {}", test.tc_id);
                refused += 1;
            } else {
                assert_eq!(opened.unwrap().as_slice(), test.pt.as_ref(), "test {}", test.tc_id);
                assert_eq!(sealed, Ok(tag), "test {}", test.tc_id);
                assert_eq!(body, *test.ct, "test {}", test.tc_id);
                taken += 1;
            }
        }
    }
    (taken, refused)
}

#[test]
fn aes_256_gcm() {
    for suite in [Suite::Aes256Gcm, Suite::Aes256GcmSha256] {
        assert_eq!(run_aead(aead::TestName::AesGcm, suite), (39, 66));
    }
}

#[test]
fn xchacha20_poly1305() {
    assert_eq!(run_aead(aead::TestName::XChaCha20Poly1305, Suite::XChaCha20Poly1305), (246, 69));
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Runs the vectors of the HKDF of a suite; returns how many were to be taken and how many refused.
fn run_hkdf(name: hkdf_vectors::TestName, suite: Suite) -> (usize, usize) {
    let (mut taken, mut refused) = (0, 0);
    let set = hkdf_vectors::TestSet::load(name).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let secret = hkdf::Salt::new(suite.hkdf(), &test.salt).extract(&test.ikm);
        let info = [test.info.as_ref()];
        let mut out = vec![0; test.size];
        let filled = secret.expand(&info, Length(test.size)).and_then(|okm| okm.fill(&mut out));
        if test.result == TestResult::Invalid {
            assert!(filled.is_err(), "test {}", test.tc_id);
            refused += 1;
        } else {
            assert!(filled.is_ok(), "test {}", test.tc_id);
            assert_eq!(out, *test.okm, "test {}", test.tc_id);
            taken += 1;
        }
    }
    (taken, refused)
}

#[test]
fn hkdf_sha_512() {
    for suite in [Suite::Aes256Gcm, Suite::XChaCha20Poly1305] {
        assert_eq!(run_hkdf(hkdf_vectors::TestName::HkdfSha512, suite), (80, 3));
    }
}

#[test]
fn hkdf_sha_256() {
    assert_eq!(run_hkdf(hkdf_vectors::TestName::HkdfSha256, Suite::Aes256GcmSha256), (83, 3));
}

#[test]
fn hmac_sha_256() {
    let (mut taken, mut refused) = (0, 0);
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &test.key);
            let made = hmac::sign(&key, &test.msg);
            let same = constant_time_eq(&made.as_ref()[..group.tag_size / 8], &test.tag);
            assert_eq!(same, test.result != TestResult::Invalid, "test {}", test.tc_id);
            *if same { &mut taken } else { &mut refused } += 1;
        }
    }
    assert_eq!((taken, refused), (66, 108));
}
