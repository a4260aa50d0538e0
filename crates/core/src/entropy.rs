//! The one source of randomness, replaceable so that whole flows can be replayed from a seed.

use std::fmt;

/// The operating system could not give random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct EntropyError;

/// A source of cryptographically secure random bytes.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// Fills `buffer` completely, or fails.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// The generator of the cryptography library, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        aws_lc_rs::rand::fill(buffer).map_err(|_| EntropyError)
    }
}
