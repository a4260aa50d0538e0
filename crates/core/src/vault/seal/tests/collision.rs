//! One AES-GCM ciphertext that opens under two keys, to two different values ("invisible salamander"): GCM's tag
//! is a polynomial in a key-dependent point, so whoever knows both keys can solve for a block that makes the
//! tags equal. Only the commitment stands against it.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::aead::AeadInOut;

use super::independent::{self, Flaw, Recipe, associated};
use super::support::data_key;
use crate::vault::Suite;

const KEYS: [[u8; 32]; 2] = [[0x11; 32], [0x22; 32]];
const BODY: usize = 128;
/// Without padding; the other value may be shorter.
const LONGEST: usize = BODY - 4;
/// The block that is solved for; part of both values, since both are longer than this.
const SOLVED: std::ops::Range<usize> = 16..32;
const CONTEXT: &[u8] = b"here";

/// Under this nonce the first four bytes of both key streams differ such that one ciphertext says a right length
/// under either key. One in 2^26 does; `look_for_a_nonce` found it.
const NONCES: [(Suite, [u8; 12]); 2] = [
    (Suite::Aes256Gcm, [0, 0, 0, 0, 0, 0, 0, 0, 0x04, 0x3a, 0x89, 0x14]),
    (Suite::Aes256GcmSha256, [0, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0xc7, 0xdb, 0x6c]),
];

fn recipe<'a>(suite: Suite, key: &'a [u8; 32], nonce: &'a [u8; 12]) -> Recipe<'a> {
    Recipe { suite, key_id: [0x44; 16], key, salt: &[0x33; 32], nonce, context: CONTEXT }
}

/// A blob that carries the commitment to one of the keys, and whose ciphertext and tag fit both.
fn crafted(suite: Suite, nonce: &[u8; 12], committed: usize) -> Vec<u8> {
    let derived = KEYS.map(|key| recipe(suite, &key, nonce).derive(None));
    let head = recipe(suite, &KEYS[0], nonce).head(&derived[committed].1);
    let associated = associated(&head, CONTEXT, None);
    let points = derived.map(|(key, _)| Point::new(key));

    let [first, second] = points.each_ref().map(|point| point.key_stream(nonce));
    let shorter = shorter_length(&first, &second).unwrap();
    let text =
        b"This is what the first key reads, and all of it, for its value takes the whole of the body, \
                 and has no padding whatsoever.  ";
    let mut ciphertext = first.clone();
    for (byte, plain) in ciphertext.iter_mut().zip(prefix(LONGEST).iter().chain(&text[..LONGEST])) {
        *byte ^= plain;
    }
    // The second value's padding.
    ciphertext[4 + shorter..].copy_from_slice(&second[4 + shorter..]);

    // Tag = sum of block · H^position + E(nonce block), for either key. One block makes both sums equal.
    ciphertext[SOLVED].fill(0);
    let blocks = blocks(&associated, &ciphertext);
    let at = associated.len().div_ceil(16) + SOLVED.start / 16;
    let power = blocks.len() - at;
    let [one, two] = points.each_ref().map(|point| point.tag(nonce, &blocks));
    let difference = points[0].power(power) ^ points[1].power(power);
    let block = multiply(one ^ two, inverse(difference));
    ciphertext[SOLVED].copy_from_slice(&block.to_be_bytes());
    let tag = points[0].tag(nonce, &self::blocks(&associated, &ciphertext));
    [head.as_slice(), nonce, &ciphertext, &tag.to_be_bytes()].concat()
}

#[test]
fn a_ciphertext_that_fits_two_keys_opens_under_the_committed_one_only() {
    for ((suite, nonce), committed) in NONCES.into_iter().flat_map(|each| [(each, 0), (each, 1)]) {
        let blob = crafted(suite, &nonce, committed);
        let read = |flaw, key: [u8; 32]| independent::open(flaw, &data_key(key), CONTEXT, &blob).ok();

        // AES-GCM itself takes it under both keys.
        let (head, rest) = blob.split_at(88);
        let plain = KEYS.map(|key| {
            let (record_key, _) = recipe(suite, &key, &nonce).derive(None);
            let mut body = rest[12..12 + BODY].to_vec();
            aes_gcm::Aes256Gcm::new(&record_key.into())
                .decrypt_inout_detached(
                    (&nonce).into(),
                    &associated(head, CONTEXT, None),
                    body.as_mut_slice().into(),
                    rest[12 + BODY..].try_into().unwrap(),
                )
                .unwrap();
            body
        });
        assert_ne!(plain[0], plain[1]);

        // So would the format without its commitment: two well-formed values.
        let values = KEYS.map(|key| read(Some(Flaw::CommitmentUnchecked), key).unwrap());
        assert!(values[0].starts_with(b"This is what"));
        assert_ne!(values[0], values[1]);

        // With it, the value is what one key says.
        for (index, key) in KEYS.into_iter().enumerate() {
            let opened = super::super::open(&data_key(key), CONTEXT, &blob).ok();
            let expected = (index == committed).then(|| values[index].clone());
            assert_eq!(opened, expected, "key {index} of a value committed to {committed}");
            assert_eq!(read(None, key), expected);
        }
    }
}

#[test]
#[ignore = "takes minutes without optimisation; found NONCES"]
fn look_for_a_nonce() {
    for (suite, known) in NONCES {
        let points = KEYS.map(|key| Point::new(recipe(suite, &key, &known).derive(None).0));
        let found = (0..=u32::MAX).find_map(|candidate| {
            let mut nonce = [0; 12];
            nonce[8..].copy_from_slice(&candidate.to_be_bytes());
            let [first, second] = points.each_ref().map(|point| point.encrypt(&nonce, 2).to_be_bytes());
            shorter_length(&first, &second).map(|_| nonce)
        });
        assert_eq!(found, Some(known), "{}", suite.as_str());
    }
}

/// The length that the second key reads where the first reads [`LONGEST`], if it is one that fits.
fn shorter_length(first: &[u8], second: &[u8]) -> Option<usize> {
    let read: Vec<u8> = prefix(LONGEST).iter().zip(first).zip(second).map(|((a, b), c)| a ^ b ^ c).collect();
    let length = usize::try_from(u32::from_be_bytes(read.try_into().unwrap())).unwrap();
    (LONGEST - 63..=LONGEST).contains(&length).then_some(length)
}

fn prefix(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap().to_be_bytes()
}

/// What GHASH runs over.
fn blocks(associated: &[u8], ciphertext: &[u8]) -> Vec<u128> {
    let bits = |bytes: &[u8]| u128::try_from(bytes.len() * 8).unwrap();
    let mut out: Vec<u128> = [associated, ciphertext]
        .into_iter()
        .flat_map(|part| part.chunks(16))
        .map(|chunk| {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            u128::from_be_bytes(block)
        })
        .collect();
    out.push(bits(associated) << 64 | bits(ciphertext));
    out
}

/// A key's AES, and its point H of GHASH.
struct Point {
    aes: Aes256,
    h: u128,
}

impl Point {
    fn new(key: [u8; 32]) -> Self {
        let mut point = Self { aes: Aes256::new(&key.into()), h: 0 };
        point.h = point.encrypt(&[0; 12], 0);
        point
    }

    fn encrypt(&self, nonce: &[u8; 12], counter: u32) -> u128 {
        let mut block = [0; 16];
        block[..12].copy_from_slice(nonce);
        block[12..].copy_from_slice(&counter.to_be_bytes());
        let mut block = block.into();
        self.aes.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    }

    fn key_stream(&self, nonce: &[u8; 12]) -> Vec<u8> {
        (2..).take(BODY / 16).flat_map(|counter| self.encrypt(nonce, counter).to_be_bytes()).collect()
    }

    fn power(&self, exponent: usize) -> u128 {
        (1..exponent).fold(self.h, |power, _| multiply(power, self.h))
    }

    fn tag(&self, nonce: &[u8; 12], blocks: &[u128]) -> u128 {
        blocks.iter().fold(0, |sum, block| multiply(sum ^ block, self.h)) ^ self.encrypt(nonce, 1)
    }
}

/// In GF(2^128), with GCM's order of bits.
fn multiply(a: u128, b: u128) -> u128 {
    let (mut product, mut shifted) = (0, b);
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            product ^= shifted;
        }
        let carry = shifted & 1;
        shifted >>= 1;
        if carry == 1 {
            shifted ^= 0xe1 << 120;
        }
    }
    product
}

/// The power 2^128 − 2.
fn inverse(a: u128) -> u128 {
    let (mut result, mut square) = (1 << 127, a);
    for _ in 1..128 {
        square = multiply(square, square);
        result = multiply(result, square);
    }
    assert_eq!(multiply(result, a), 1 << 127);
    result
}
