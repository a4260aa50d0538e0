//! The use cases over the in-memory store and the reference gateway.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod audit;
mod budgets;
mod charge_races;
mod charges;
mod customers_and_keys;
mod erasure;
mod flows;
mod histories;
mod idempotency;
mod inbox;
mod intents;
mod key_service;
mod lifecycle;
mod meanwhile;
mod places;
mod races;
mod replaced;
mod restores;
mod returns;
mod rotation;
mod routing;
mod simulation;
mod support;
mod vault;
mod vault_limits;
mod webhook_endpoints;
mod webhooks;
