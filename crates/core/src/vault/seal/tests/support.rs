//! Randomness that can be repeated.

use std::sync::Mutex;

use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};
use crate::vault::{DataKey, KeyId};

/// Pseudo-random numbers from a seed (SplitMix64), so that what failed fails again.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const SEED: u64 = 0x0062_696c_6c66_6f6c;

    pub(super) fn new() -> Self {
        Self(Self::SEED)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(length);
        out
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap()
    }

    pub(super) fn key(&mut self) -> DataKey {
        data_key(self.array())
    }

    pub(super) fn key_id(&mut self) -> KeyId {
        KeyId::from_bytes(self.array())
    }
}

pub(super) fn data_key(bytes: [u8; 32]) -> DataKey {
    DataKey::from_bytes(Zeroizing::new(bytes))
}

/// Gives the bytes that it was given, in their order, and then fails.
#[derive(Debug)]
pub(super) struct Scripted(Mutex<Vec<u8>>);

impl Scripted {
    pub(super) fn new(parts: &[&[u8]]) -> Self {
        Self(Mutex::new(parts.concat()))
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl Entropy for Scripted {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let mut left = self.0.lock().unwrap();
        if left.len() < buffer.len() {
            return Err(EntropyError);
        }
        buffer.copy_from_slice(&left.drain(..buffer.len()).collect::<Vec<_>>());
        Ok(())
    }
}
