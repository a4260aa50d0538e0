//! The API as its clients, gateways and customers' browsers meet it: the whole router in this process,
//! over the in-memory store and the reference gateway.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod answers;
mod authorisation;
mod bodies;
mod budgets;
mod bursts;
mod charges;
mod faults;
mod hostile;
mod idempotency;
mod isolation;
mod keys;
mod paging;
mod public_url;
mod queries;
mod resources;
mod returns;
mod routing;
mod session_fields;
mod support;
mod webhook_endpoints;
mod webhooks;
