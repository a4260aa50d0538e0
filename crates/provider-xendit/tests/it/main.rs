//! The provider as programs use it: built from its settings through the registration, and speaking over
//! core's transport to the sandbox, or to a server that answers whatever a test wants.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod calls;
mod cancel;
mod charge_driver;
mod charges;
mod contract;
mod customers;
mod delete;
mod errors;
mod golden;
mod headers;
mod requests;
mod scripted;
mod sessions;
mod support;
mod tokens;
mod validate;
mod webhooks;
