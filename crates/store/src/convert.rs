//! Columns to core types and back. A column that cannot be read is an error that names it.

use std::str::FromStr;

use billfold_core::clock::Timestamp;
use billfold_core::store::StoreError;
use serde::de::DeserializeOwned;

/// A column that holds something unexpected.
pub(crate) fn unreadable(column: &'static str) -> StoreError {
    StoreError {
        message: format!("the column {column} holds something that this version cannot read"),
        transient: false,
    }
}

/// A typed id or name.
pub(crate) fn parsed<T: FromStr>(text: &str, column: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| unreadable(column))
}

/// An enum that is written as in JSON.
pub(crate) fn named<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| unreadable(column))
}

/// A value stored as JSON text.
pub(crate) fn json<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| unreadable(column))
}

/// A value as JSON text.
pub(crate) fn to_json<T: serde::Serialize>(value: &T, column: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| unreadable(column))
}

pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn millis(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_millis)
}
