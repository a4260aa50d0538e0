//! The contract suites for providers, stores and key wrappers, reference gateways, and throw-away databases for
//! tests.
//!
//! - [`provider`]: every implementation of `TokenizationProvider` runs these trials, with a driver of its gateway.
//! - [`store`]: every implementation of `Store` runs these trials.
//! - [`key_wrapper`]: every implementation of `KeyWrapper` runs these.
//! - `fake_transit`, `fake_kms` (features `fake-transit`, `fake-kms`): key services on a loopback port.
//! - [`mod@reference`]: a gateway in memory and its provider, to drive use cases with.
//! - [`reference_http`]: a gateway that speaks HTTP in memory, its provider and its driver, for the suite.
//! - [`vault`]: a vault under a random root key, and a root key whose service comes and goes.
//! - [`between`]: a store whose answers a test changes.
//! - [`failpoints`]: one story in which every step fails, crashes or happens twice.
//! - [`simulation`]: whole worlds, replayed from a seed, with everything that goes wrong in them.
//! - [`filled`]: a database with something of everything, and what must be found there later.
//! - [`postgres`], [`browser`]: what tests need from the machine, started and ended with them.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test kit fails loudly")]

pub mod between;
pub mod browser;
pub mod failpoints;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(feature = "fake-kms")]
pub mod fake_kms;
#[cfg(feature = "fake-transit")]
pub mod fake_transit;
pub mod filled;
pub mod key_wrapper;
pub mod postgres;
pub mod process;
pub mod provider;
pub mod reference;
pub mod reference_http;
pub mod simulation;
pub mod store;
pub mod vault;
