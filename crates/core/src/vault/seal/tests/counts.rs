//! How much is tried: little in every run of the tests, everything in `figures`.

/// Counts for one suite.
pub(super) struct Counts {
    /// Blobs of which every bit and every length is changed.
    pub(super) tampered: usize,
    /// Every how many-th suite and flags are tried.
    pub(super) header_step: usize,
    /// Blobs made up from nothing, or from half of a real one.
    pub(super) random: usize,
    /// Keys that are not the right one.
    pub(super) wrong_keys: usize,
    /// Values sealed to look for a repeated salt or nonce.
    pub(super) seals: usize,
    /// Values sealed by two implementations.
    pub(super) compared: usize,
}

/// In every run.
pub(super) const QUICK: Counts =
    Counts { tampered: 4, header_step: 1, random: 10_000, wrong_keys: 1_000, seals: 5_000, compared: 500 };

/// Enough for a flaw to be found.
pub(super) const FEW: Counts =
    Counts { tampered: 1, header_step: 1_001, random: 100, wrong_keys: 10, seals: 100, compared: 10 };

/// For the figures.
pub(super) const FULL: Counts = Counts {
    tampered: 100,
    header_step: 1,
    random: 1_000_000,
    wrong_keys: 100_000,
    seals: 10_000_000,
    compared: 500_000,
};
