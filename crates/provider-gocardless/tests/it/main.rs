//! The provider as programs use it: built from its settings, and speaking over core's transport to the sandbox.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod calls;
mod charges;
mod charging;
mod contract;
mod errors;
mod golden;
mod lifecycle;
mod sandbox;
mod support;
