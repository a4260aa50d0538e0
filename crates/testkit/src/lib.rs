//! Contract suites, fakes and throw-away databases for Billfold providers and stores.

#![expect(clippy::expect_used, clippy::panic, reason = "a test kit fails loudly")]

pub mod reference;
