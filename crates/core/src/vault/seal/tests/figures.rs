//! The checks with their full counts, and how fast the suites are. Not a part of every run:
//! `cargo vault-figures` runs it, optimised, in a few minutes.
//!
//! A test that is ignored rather than a program of its own, since sealing is private to the vault and no figure
//! is worth a public door to salts and nonces.

use std::time::Instant;

use super::super::{open, seal};
use super::checks::{REAL, check};
use super::counts::FULL;
use super::support::{Dice, data_key};
use crate::entropy::SystemEntropy;
use crate::vault::{KeyId, Suite};

#[test]
#[ignore = "takes minutes: cargo vault-figures"]
fn vault_figures() {
    println!("seed {:#x}", Dice::SEED);
    for (figure, name, wrong, what) in [
        (6, "tampering", "opens", "every bit, length, byte and block of 100 blobs"),
        (6, "header_edits", "opens", "every other version, suite and flags"),
        (6, "random_blobs", "opens", "random blobs, half of them half right"),
        (6, "wrong_keys", "opens", "wrong keys, near and random"),
        (7, "agreement", "mismatches", "sealed and opened by two implementations"),
        (8, "repeats", "repeats", "seals, salts and nonces sorted"),
    ] {
        for suite in Suite::ALL {
            let began = Instant::now();
            let report = check(name)(&REAL, suite, &FULL);
            let took = began.elapsed().as_millis();
            let (suite, tried, found) = (suite.as_str(), report.tried, report.wrong);
            println!("figure {figure}: N={tried}, {wrong}={found} ({suite}: {what}; {took} ms)");
            report.assert_clean(name);
        }
    }
    for suite in Suite::ALL {
        let (seals, opens) = speed(suite, 256);
        println!("speed: {} 256 bytes: {seals} seals/s, {opens} opens/s on one core", suite.as_str());
    }
}

fn speed(suite: Suite, length: usize) -> (u128, u128) {
    const TIMES: usize = 200_000;
    let (key, plaintext) = (data_key([7; 32]), vec![7; length]);
    let seal = || seal(suite, KeyId::from_bytes([1; 16]), &key, b"here", &plaintext, &SystemEntropy).unwrap();
    let blob = seal();
    let per_second = |each: &dyn Fn() -> usize| {
        let began = Instant::now();
        assert!((0..TIMES).map(|_| each()).sum::<usize>() > 0);
        u128::try_from(TIMES).unwrap() * 1_000_000 / began.elapsed().as_micros()
    };
    (per_second(&|| seal().len()), per_second(&|| open(&key, b"here", &blob).unwrap().len()))
}
