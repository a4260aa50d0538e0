//! Both databases, and the store in memory, against the contract; and what each must do besides.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod append_only;
mod contract;
mod golden;
mod migrations;
mod simulation;
mod sqlite;
mod support;
mod urls;
mod vault;
