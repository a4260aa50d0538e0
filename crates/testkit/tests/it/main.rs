//! The test kit, tested: its suites pass what is right and catch what is wrong.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod charge_mutants;
mod key_wrapper;
mod mutants;
mod provider;
mod provider_mutants;
