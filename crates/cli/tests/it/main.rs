//! The whole program over real HTTP, on SQLite and on PostgreSQL, against the sandbox gateway.

#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod browser;
mod cli;
mod crashes;
mod flows;
mod idempotency;
mod page_request;
mod receiver;
mod routing;
mod support;
mod vault;
mod vault_erasure;
mod vault_keys;
mod webhook_endpoints;
