//! The settings table of one gateway, read by the provider that owns it; and how any such table is read.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// Whether a gateway moves real money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The gateway's test mode.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// The name in configuration and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// A text that names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected test or live")]
pub struct InvalidMode;

impl FromStr for Mode {
    type Err = InvalidMode;

    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        [Self::Test, Self::Live].into_iter().find(|mode| mode.as_str() == text).ok_or(InvalidMode)
    }
}

/// `[gateways.<name>.settings]`: everything in it belongs to the provider, which reads it with
/// `deny_unknown_fields` so that a misspelt key is named.
pub struct Settings {
    /// The gateway's name.
    pub gateway: String,
    /// Test or live, as configured; a provider refuses keys of the other mode.
    pub mode: Mode,
    /// Where the table was written, for error messages: `billfold.toml`.
    pub origin: String,
    /// Whether development liberties are taken: plain HTTP to loopback addresses.
    pub development: bool,
    /// The table.
    pub values: serde_json::Value,
}

impl Settings {
    /// Reads the table as `T`. The error names file, key and what was expected, and never a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        parse(&self.values, |key, problem| self.wrong(key, problem))
    }

    /// An error about one key of the table, such as `.secret_key`.
    pub fn wrong(&self, key: &str, problem: &str) -> Error {
        wrong(&self.origin, &format!("gateways.{}.settings", self.gateway), key, problem)
    }
}

/// serde's "invalid type: string \"…\"" and "unknown variant `…`" quote the value, which may be a secret.
pub fn without_values(message: &str) -> String {
    if let Some((_, expected)) =
        message.strip_prefix("unknown variant ").and_then(|rest| rest.split_once("`, "))
    {
        return format!("unknown value, {expected}");
    }
    let Some((head, tail)) = message.split_once(": ") else { return message.to_owned() };
    if !head.starts_with("invalid") {
        // A type's own parser may end its message with the text: `relative URL without a base: "…"`.
        return message.split(": \"").next().unwrap_or_default().to_owned();
    }
    let expected = tail.rsplit_once(", expected ").map_or("another type", |(_, expected)| expected);
    format!("{head}, expected {expected}")
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("gateway", &self.gateway)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Reads a table as `T`; `wrong` makes the error of one key and its problem.
pub(crate) fn parse<T: DeserializeOwned>(
    values: &serde_json::Value,
    wrong: impl FnOnce(&str, &str) -> Error,
) -> Result<T> {
    serde_path_to_error::deserialize(values).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { format!(".{path}") };
        wrong(&path, &without_values(&error.inner().to_string()))
    })
}

/// The error of one key of the table that stands at `table` in the file `origin`.
pub(crate) fn wrong(origin: &str, table: &str, key: &str, problem: &str) -> Error {
    Error::new(ErrorKind::Configuration, format!("{origin}: {table}{key}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        #[expect(dead_code, reason = "only parsed")]
        secret_key: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only parsed")]
        attempts: u32,
        #[serde(default)]
        #[expect(dead_code, reason = "only parsed")]
        mode: Option<Mode>,
        #[serde(default)]
        #[expect(dead_code, reason = "only parsed")]
        base_url: Option<url::Url>,
    }

    fn check(values: serde_json::Value, expected: &str) {
        let settings = Settings {
            gateway: "main".into(),
            mode: Mode::Test,
            origin: "billfold.toml".into(),
            development: false,
            values,
        };
        assert_eq!(settings.parse::<Table>().unwrap_err().to_string(), expected);
    }

    #[test]
    fn errors_name_file_and_key_but_no_value() {
        check(
            serde_json::json!({"secret_key": "k", "secretkey": "CANARY"}),
            "billfold.toml: gateways.main.settings.secretkey: unknown field `secretkey`, expected one of `secret_key`, `attempts`, `mode`, `base_url`",
        );
        check(
            serde_json::json!({"secret_key": "k", "mode": "CANARY"}),
            "billfold.toml: gateways.main.settings.mode: unknown value, expected `test` or `live`",
        );
        check(
            serde_json::json!({"secret_key": "k", "base_url": "CANARY"}),
            "billfold.toml: gateways.main.settings.base_url: relative URL without a base",
        );
        check(
            serde_json::json!({"secret_key": "k", "attempts": "CANARY"}),
            "billfold.toml: gateways.main.settings.attempts: invalid type, expected u32",
        );
        check(serde_json::json!({}), "billfold.toml: gateways.main.settings: missing field `secret_key`");
    }
}
