//! The wrapper against a fake transit engine: the contract, the wire, what goes wrong and TLS.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod contract;
mod engine;
mod faults;
mod support;
mod tls;
