//! The contract suite for stores, a reference gateway, and throw-away databases for tests.
//!
//! - [`store`]: every implementation of `Store` runs these trials.
//! - [`mod@reference`]: a gateway in memory and its provider, to drive use cases with.
//! - [`postgres`], [`browser`]: what tests need from the machine, started and ended with them.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test kit fails loudly")]

pub mod browser;
pub mod postgres;
pub mod process;
pub mod reference;
pub mod store;
