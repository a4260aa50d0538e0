//! The provider as programs use it: built from its settings, and speaking over core's transport to the sandbox.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod charge_driver;
mod charges;
mod contract;
mod golden;
mod sandbox;
mod support;
