//! The use cases over the in-memory store and the reference gateway.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod customers_and_keys;
mod flows;
mod lifecycle;
mod races;
mod returns;
mod support;
mod webhooks;
