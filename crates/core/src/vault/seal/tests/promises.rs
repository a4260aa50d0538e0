//! The checks, on what has to pass them and on what has to fail.

use super::checks::{CHECKS, Format, REAL, check};
use super::counts::{FEW, QUICK};
use super::independent::{self, Flaw};
use crate::vault::Suite;

fn assert_holds(format: &Format<'_>, names: &[&str]) {
    for suite in Suite::ALL {
        for name in names {
            check(name)(format, suite, &QUICK).assert_clean(&format!("{} {name}", suite.as_str()));
        }
    }
}

#[test]
fn values_round_trip_up_to_their_limit() {
    assert_holds(&REAL, &["round_trips", "limits"]);
}

#[test]
fn no_changed_blob_opens() {
    assert_holds(&REAL, &["tampering"]);
}

#[test]
fn no_random_blob_opens() {
    assert_holds(&REAL, &["random_blobs"]);
}

#[test]
fn no_other_key_and_no_other_place_opens() {
    assert_holds(&REAL, &["wrong_keys", "other_contexts"]);
}

#[test]
fn no_other_header_opens() {
    assert_holds(&REAL, &["header_edits", "suites_apart"]);
}

#[test]
fn the_holder_of_the_key_cannot_make_another_form() {
    assert_holds(&REAL, &["forged_commitments", "odd_bodies"]);
}

#[test]
fn no_salt_or_nonce_comes_twice() {
    assert_holds(&REAL, &["repeats"]);
}

#[test]
fn another_implementation_agrees() {
    assert_holds(&REAL, &["agreement"]);
}

/// The checks can fail: each finds what it is there for.
fn assert_flaws_are_found(suite: Suite) {
    // `limits` takes seconds in libraries that are not optimised; `Unlimited` below is enough of it.
    for (name, check) in CHECKS.into_iter().filter(|(name, _)| *name != "limits") {
        let report = flawed(None, |format| check(format, suite, &FEW));
        report.assert_clean(&format!("flawless {name}"));
    }
    for (flaw, name) in [
        (Flaw::ContextIgnored, "other_contexts"),
        (Flaw::FlagsIgnored, "header_edits"),
        (Flaw::VersionIgnored, "header_edits"),
        (Flaw::CommitmentUnchecked, "forged_commitments"),
        (Flaw::HalfKey, "wrong_keys"),
        (Flaw::PaddingUnchecked, "odd_bodies"),
        (Flaw::TrailingBytesIgnored, "tampering"),
        (Flaw::ShortTag, "tampering"),
        (Flaw::SuiteNotInLabels, "suites_apart"),
        (Flaw::SuiteNotInLabels, "agreement"),
        (Flaw::OtherHash, "agreement"),
        (Flaw::Unlimited, "limits"),
        (Flaw::FixedSalt, "repeats"),
        (Flaw::FixedNonce, "repeats"),
    ] {
        let report = flawed(Some(flaw), |format| check(name)(format, suite, &FEW));
        assert!(report.wrong > 0, "{name} does not find {flaw:?}");
    }
}

#[test]
fn every_flaw_is_found_in_aes_256_gcm() {
    assert_flaws_are_found(Suite::Aes256Gcm);
}

#[test]
fn every_flaw_is_found_in_xchacha20_poly1305() {
    assert_flaws_are_found(Suite::XChaCha20Poly1305);
}

#[test]
fn every_flaw_is_found_in_aes_256_gcm_sha256() {
    assert_flaws_are_found(Suite::Aes256GcmSha256);
}

fn flawed<T>(flaw: Option<Flaw>, run: impl FnOnce(&Format<'_>) -> T) -> T {
    run(&Format {
        seal: &|suite, id, key, context, plaintext, entropy| {
            independent::seal(flaw, suite, id, key, context, plaintext, entropy)
        },
        open: &|key, context, blob| independent::open(flaw, key, context, blob),
    })
}
