//! Both databases, and the store in memory, against the contract; and what each must do besides.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod contract;
mod sqlite;
mod urls;
