//! What any pair of functions that seal and open has to hold. A check does not panic: it tells what it tried and
//! what it found, so that it can be shown to find something.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::counts::Counts;
use super::independent::{self, Flaw, Recipe, nonce_len, number, padded, prefixed};
use super::support::{Dice, Scripted, data_key};
use crate::entropy::{Entropy, SystemEntropy};
use crate::vault::{DataKey, KeyId, SealError, Suite};

pub(super) type Opened = Result<Zeroizing<Vec<u8>>, SealError>;
type Seal<'a> =
    dyn Fn(Suite, KeyId, &DataKey, &[u8], &[u8], &dyn Entropy) -> Result<Vec<u8>, SealError> + Sync + 'a;
type Open<'a> = dyn Fn(&DataKey, &[u8], &[u8]) -> Opened + Sync + 'a;

/// An implementation of the format.
#[derive(Clone, Copy)]
pub(super) struct Format<'a> {
    pub(super) seal: &'a Seal<'a>,
    pub(super) open: &'a Open<'a>,
}

/// Ours.
pub(super) const REAL: Format<'static> = Format { seal: &super::super::seal, open: &super::super::open };

/// What a check tried and found.
pub(super) struct Report {
    pub(super) tried: usize,
    pub(super) wrong: usize,
    first: String,
}

impl Report {
    fn new() -> Self {
        Self { tried: 0, wrong: 0, first: String::new() }
    }

    /// One more trial.
    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.tried += 1;
        if !holds {
            self.wrong += 1;
            if self.wrong <= 3 {
                let _ = write!(self.first, "{}; ", what());
            }
        }
    }

    pub(super) fn assert_clean(&self, name: &str) {
        assert!(self.tried > 0, "{name} tried nothing");
        assert_eq!(self.wrong, 0, "{name}: {}", self.first);
    }
}

pub(super) type Check = fn(&Format<'_>, Suite, &Counts) -> Report;

/// Every check.
pub(super) const CHECKS: [(&str, Check); 12] = [
    ("round_trips", round_trips),
    ("tampering", tampering),
    ("random_blobs", random_blobs),
    ("wrong_keys", wrong_keys),
    ("other_contexts", other_contexts),
    ("header_edits", header_edits),
    ("forged_commitments", forged_commitments),
    ("odd_bodies", odd_bodies),
    ("limits", limits),
    ("suites_apart", suites_apart),
    ("repeats", repeats),
    ("agreement", agreement),
];

pub(super) fn check(name: &str) -> Check {
    CHECKS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// A sealed value and what opens it.
struct Sample {
    key: DataKey,
    context: Vec<u8>,
    blob: Vec<u8>,
}

impl Sample {
    fn new(format: &Format<'_>, suite: Suite, dice: &mut Dice) -> Self {
        let (length, context_length) = (dice.below(130), dice.below(60));
        let (key_id, key) = (dice.key_id(), dice.key());
        let (context, plaintext) = (dice.bytes(context_length), dice.bytes(length));
        let blob = (format.seal)(suite, key_id, &key, &context, &plaintext, &SystemEntropy).unwrap();
        Self { key, context, blob }
    }

    fn opens(&self, format: &Format<'_>, blob: &[u8]) -> bool {
        (format.open)(&self.key, &self.context, blob).is_ok()
    }
}

/// A recipe of fixed parts, to make blobs that only the holder of the key could make.
fn forge<T>(suite: Suite, dice: &mut Dice, make: impl FnOnce(&Recipe<'_>, &DataKey) -> T) -> T {
    let (key, key_id, salt) = (dice.array(), dice.array(), dice.array::<32>());
    let nonce = dice.bytes(nonce_len(suite));
    let recipe = Recipe { suite, key_id, key: &key, salt: &salt, nonce: &nonce, context: b"here" };
    make(&recipe, &data_key(key))
}

/// Values of every length come back.
fn round_trips(format: &Format<'_>, suite: Suite, _: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    for length in (0..=200).chain([1_000, 4_096, 65_535]) {
        let (key, plaintext) = (dice.key(), dice.bytes(length));
        let sealed = (format.seal)(suite, dice.key_id(), &key, b"here", &plaintext, &SystemEntropy);
        let opened = sealed.and_then(|blob| {
            let expected = 88 + nonce_len(suite) + (length + 4).next_multiple_of(64) + 16;
            report.expect(blob.len() == expected, || format!("{length} bytes became {}", blob.len()));
            (format.open)(&key, b"here", &blob)
        });
        let same = opened.is_ok_and(|opened| *opened == plaintext);
        report.expect(same, || format!("{length} bytes did not come back"));
    }
    report
}

/// Every bit flipped, every other length, every missing or doubled byte and block.
fn tampering(format: &Format<'_>, suite: Suite, counts: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    for _ in 0..counts.tampered {
        let sample = Sample::new(format, suite, &mut dice);
        let blob = &sample.blob;
        assert!(sample.opens(format, blob));
        let mut refused = |what: &str, at: usize, changed: &[u8]| {
            report.expect(!sample.opens(format, changed), || format!("{what} {at} of {} opens", blob.len()));
        };
        let mut flipped = blob.clone();
        for bit in 0..blob.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            refused("flipped bit", bit, &flipped);
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..blob.len() {
            refused("start up to", length, &blob[..length]);
            refused("end from", length + 1, &blob[length + 1..]);
            refused("without byte", length, &[&blob[..length], &blob[length + 1..]].concat());
        }
        for more in 1..=128 {
            refused("followed by zeros:", more, &[blob.as_slice(), &vec![0; more]].concat());
            refused("followed by noise:", more, &[blob.as_slice(), &dice.bytes(more)].concat());
        }
        let body = 88 + nonce_len(suite);
        for at in (body..=blob.len() - 16).step_by(16) {
            for block in [vec![0; 64], dice.bytes(64)] {
                refused("block put in at", at, &[&blob[..at], &block, &blob[at..]].concat());
            }
        }
        refused("doubled after", blob.len(), &[blob.as_slice(), blob].concat());
    }
    report
}

/// Noise, noise behind a right header, noise behind a right commitment, and a real blob with some bytes changed.
fn random_blobs(format: &Format<'_>, suite: Suite, counts: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    let sample = Sample::new(format, suite, &mut dice);
    let blob = &sample.blob;
    for round in 0..counts.random {
        let rest = nonce_len(suite) + 64 * (1 + dice.below(3)) + 16;
        let made = match round % 4 {
            0 => {
                let length = dice.below(400);
                dice.bytes(length)
            }
            1 => [&blob[..8], &dice.bytes(80 + rest)].concat(),
            2 => [&blob[..88], &dice.bytes(rest)].concat(),
            _ => {
                let mut changed = blob.clone();
                for _ in 0..=dice.below(8) {
                    let at = dice.below(blob.len());
                    changed[at] = dice.array::<1>()[0];
                }
                if changed == *blob {
                    changed[0] ^= 1;
                }
                changed
            }
        };
        report.expect(!sample.opens(format, &made), || format!("{} opens", hex::encode(&made)));
    }
    report
}

/// Keys that are near the right one, and keys that are not.
fn wrong_keys(format: &Format<'_>, suite: Suite, counts: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    let sample = Sample::new(format, suite, &mut dice);
    for bit in 0..256 {
        let mut near = *sample.key.expose();
        near[bit / 8] ^= 1 << (bit % 8);
        let opened = (format.open)(&data_key(near), &sample.context, &sample.blob);
        report.expect(opened.is_err(), || format!("opens with bit {bit} of the key flipped"));
    }
    for _ in 0..counts.wrong_keys {
        let opened = (format.open)(&dice.key(), &sample.context, &sample.blob);
        report.expect(opened.is_err(), || "opens under a random key".to_owned());
    }
    report
}

/// A value opens where it was sealed, and nowhere else.
fn other_contexts(format: &Format<'_>, suite: Suite, _: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    let contexts: [&[u8]; 8] = [b"", b"a", b"b", b"ab", b"ba", b"a\0", b"\0a", b"\0\0\0\x01a"];
    let key = dice.key();
    for here in contexts {
        let blob = (format.seal)(suite, dice.key_id(), &key, here, b"value", &SystemEntropy).unwrap();
        for there in contexts {
            let opened = (format.open)(&key, there, &blob).is_ok();
            report.expect(opened == (here == there), || format!("{here:?} in {there:?}: {opened}"));
        }
    }
    report
}

/// Any other version, suite or flags; one suite called another, with a nonce that fits, under its own commitment
/// and under the one that the other suite has for the same key and salt.
fn header_edits(format: &Format<'_>, suite: Suite, counts: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    let sample = Sample::new(format, suite, &mut dice);
    let mut edit = |at: usize, bytes: &[u8]| {
        let mut edited = sample.blob.clone();
        edited[at..at + bytes.len()].copy_from_slice(bytes);
        if edited != sample.blob {
            report.expect(!sample.opens(format, &edited), || format!("opens with {bytes:?} at {at}"));
        }
    };
    for value in (0..=u16::MAX).step_by(counts.header_step) {
        edit(4, &value.to_be_bytes());
        edit(6, &value.to_be_bytes());
    }
    for value in 0..=u8::MAX {
        for at in 0..4 {
            edit(at, &[value]);
        }
    }
    for other in Suite::ALL.into_iter().filter(|other| *other != suite) {
        let (head, rest) = sample.blob.split_at(88);
        let (nonce, body) = rest.split_at(nonce_len(suite));
        for filling in [0, 0xff] {
            let mut fitted = nonce.to_vec();
            fitted.resize(nonce_len(other), filling);
            let recipe = Recipe {
                suite: other,
                key_id: head[8..24].try_into().unwrap(),
                key: sample.key.expose(),
                salt: &head[24..56],
                nonce: &fitted,
                context: &sample.context,
            };
            let (_, fitting) = recipe.derive(None);
            for commitment in [&head[56..], &fitting] {
                let relabelled =
                    [&head[..4], &number(other), &head[6..56], commitment, &fitted, body].concat();
                report.expect(!sample.opens(format, &relabelled), || format!("opens as {}", other.as_str()));
            }
        }
    }
    report
}

/// A blob that is right in all but its commitment, made by somebody who has the key.
fn forged_commitments(format: &Format<'_>, suite: Suite, _: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    forge(suite, &mut dice, |recipe, key| {
        let body = padded(b"value");
        let (_, right) = recipe.derive(None);
        let mut tried = vec![[0; 32], [0xff; 32]];
        for bit in 0..256 {
            let mut near = right;
            near[bit / 8] ^= 1 << (bit % 8);
            tried.push(near);
        }
        let blob = recipe.seal_body(&body, Some(&right), None);
        report.expect((format.open)(key, b"here", &blob).is_ok(), || "the right one is refused".to_owned());
        for commitment in tried {
            let blob = recipe.seal_body(&body, Some(&commitment), None);
            let opened = (format.open)(key, b"here", &blob);
            report.expect(opened.is_err(), || format!("opens with {}", hex::encode(commitment)));
        }
    });
    report
}

/// Bodies that `seal` does not make, made by somebody who has the key.
fn odd_bodies(format: &Format<'_>, suite: Suite, _: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    let good = padded(&[7; 20]);
    let with = |at: usize, byte: u8| {
        let mut body = good.clone();
        body[at] = byte;
        body
    };
    let mut bodies = vec![
        ("nothing", Vec::new()),
        ("no length", vec![0; 3]),
        ("no padding", prefixed(&[7; 20])),
        ("a block of padding", [good.as_slice(), &[0; 64]].concat()),
        ("a byte of padding too many", [good.as_slice(), &[0]].concat()),
        ("one byte more than there is", [&[0, 0, 0, 61], [7; 60].as_slice()].concat()),
        ("as many bytes as can be said", [&[0xff; 4], [7; 60].as_slice()].concat()),
        ("a length in the other order", [&[20, 0, 0, 0], &good[4..]].concat()),
    ];
    bodies.extend((24..64).map(|at| ("padding that is not zero", with(at, 1))));
    forge(suite, &mut dice, |recipe, key| {
        let blob = recipe.seal_body(&good, None, None);
        report.expect((format.open)(key, b"here", &blob).is_ok(), || "the good body is refused".to_owned());
        for (what, body) in bodies {
            let opened = (format.open)(key, b"here", &recipe.seal_body(&body, None, None));
            report.expect(opened.is_err(), || format!("opens with {what}"));
        }
    });
    report
}

/// The largest value, and what is larger.
fn limits(format: &Format<'_>, suite: Suite, _: &Counts) -> Report {
    const MOST: usize = 1024 * 1024;
    let (mut report, mut dice) = (Report::new(), Dice::new());
    let value = vec![7; MOST + 1];
    let key = dice.key();
    let mut seal =
        |length: usize| (format.seal)(suite, dice.key_id(), &key, b"here", &value[..length], &SystemEntropy);
    let largest = seal(MOST).and_then(|blob| (format.open)(&key, b"here", &blob));
    report.expect(largest.is_ok_and(|opened| opened.len() == MOST), || "1 MiB does not fit".to_owned());
    report.expect(seal(MOST + 1).is_err(), || "more than 1 MiB is sealed".to_owned());
    // It fits in the body of the largest value.
    forge(suite, &mut dice, |recipe, key| {
        let blob = recipe.seal_body(&padded(&value), None, None);
        report.expect((format.open)(key, b"here", &blob).is_err(), || "more than 1 MiB opens".to_owned());
    });
    report
}

/// From one data key and one salt, every suite and key id has its own commitment, and so its own record key.
fn suites_apart(format: &Format<'_>, _: Suite, _: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    let key = dice.key();
    let mut commitments = Vec::new();
    for suite in Suite::ALL {
        for id in [[0; 16], [1; 16]] {
            let script = Scripted::new(&[&[5; 32], &[6; 24]]);
            let blob = (format.seal)(suite, KeyId::from_bytes(id), &key, b"here", b"value", &script).unwrap();
            commitments.push(blob[56..88].to_vec());
        }
    }
    for (index, one) in commitments.iter().enumerate() {
        for other in &commitments[index + 1..] {
            report.expect(one != other, || "two suites or key ids share a commitment".to_owned());
        }
    }
    report
}

/// No salt and no nonce comes twice, from two threads at once.
fn repeats(format: &Format<'_>, suite: Suite, counts: &Counts) -> Report {
    const THREADS: usize = 2;
    let key = Dice::new().key();
    let key_id = KeyId::from_bytes([1; 16]);
    let seal_many = || {
        let mut drawn = Vec::with_capacity(counts.seals / THREADS);
        for _ in 0..counts.seals / THREADS {
            let blob = (format.seal)(suite, key_id, &key, b"here", b"value", &SystemEntropy).unwrap();
            let salt: [u8; 32] = blob[24..56].try_into().unwrap();
            let mut nonce = [0; 24];
            nonce[..nonce_len(suite)].copy_from_slice(&blob[88..88 + nonce_len(suite)]);
            drawn.push((salt, nonce));
        }
        drawn
    };
    let drawn = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(seal_many)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let (mut salts, mut nonces): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
    let mut report = Report::new();
    salts.sort_unstable();
    nonces.sort_unstable();
    let twice = salts.windows(2).filter(|pair| pair[0] == pair[1]).count()
        + nonces.windows(2).filter(|pair| pair[0] == pair[1]).count();
    report.tried = salts.len();
    report.wrong = twice;
    report
}

/// Two implementations make the same bytes of the same draws, and open each other's.
fn agreement(format: &Format<'_>, suite: Suite, counts: &Counts) -> Report {
    let (mut report, mut dice) = (Report::new(), Dice::new());
    for _ in 0..counts.compared {
        let (key_id, key) = (dice.key_id(), dice.key());
        let (length, context_length) = (dice.below(200), dice.below(60));
        let (plaintext, context) = (dice.bytes(length), dice.bytes(context_length));
        let (salt, nonce) = (dice.bytes(32), dice.bytes(nonce_len(suite)));
        let script = || Scripted::new(&[&salt, &nonce]);
        let ours = (format.seal)(suite, key_id, &key, &context, &plaintext, &script());
        let theirs = independent::seal(NONE, suite, key_id, &key, &context, &plaintext, &script()).unwrap();
        let opened = (format.open)(&key, &context, &theirs);
        let opened_there = independent::open(NONE, &key, &context, ours.as_deref().unwrap_or_default());
        let agree = ours.as_ref() == Ok(&theirs)
            && [opened, opened_there].iter().all(|opened| opened.as_deref() == Ok(&plaintext));
        report.expect(agree, || format!("{ours:?} is not {theirs:?}"));
    }
    report
}

const NONE: Option<Flaw> = None;
