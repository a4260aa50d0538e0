//! The wrapper against a fake KMS: the contract, the wire and what goes wrong.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod chain;
mod contract;
mod faults;
mod service;
mod support;

use std::sync::Arc;

use billfold_core::vault::KeyWrapper;
use billfold_testkit::fake_kms::FakeKms;

/// A wrapper without anything special.
fn wrapper(fake: &FakeKms, key_id: &str) -> Arc<dyn KeyWrapper> {
    support::wrapper_with(fake, key_id, &serde_json::json!({}))
}
