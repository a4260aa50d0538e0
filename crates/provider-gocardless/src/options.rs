//! `provider_options`: what only this gateway knows about a session.

use billfold_core::error::FieldError;
use billfold_core::settings::without_values;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether the customer proves at their bank that the account is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verify {
    /// Only where the scheme demands it.
    Minimum,
    /// Where the gateway recommends it.
    Recommended,
    /// Wherever the customer's bank can do it.
    WhenAvailable,
    /// Always: customers whose bank cannot do it are refused.
    Always,
}

/// The documented extras.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    pub(crate) verify: Option<Verify>,
}

impl Options {
    /// Reads the options of a request.
    pub(crate) fn read(value: Option<&Value>) -> Result<Self, FieldError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let wrong = |message: String| {
            let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let field = unknown.map(|field| format!("/{}", field.replace('~', "~0").replace('/', "~1")));
            FieldError { pointer: format!("/provider_options{}", field.unwrap_or_default()), message }
        };
        if !value.is_object() {
            return Err(wrong("expected an object".to_owned()));
        }
        serde_json::from_value(value.clone()).map_err(|error| wrong(without_values(&error.to_string())))
    }
}
