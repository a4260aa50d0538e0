//! The provider as programs use it: built from its settings, over prepared answers and over the sandbox.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod calls;
mod charges;
mod charging;
mod contract;
mod golden;
mod sandbox;
mod script;
mod support;
mod told;
