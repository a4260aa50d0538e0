//! Both databases, and the store in memory, against the contract; and what each must do besides.

#![expect(clippy::panic, reason = "tests fail loudly")]

mod contract;
mod sqlite;
mod urls;
