//! `provider_options`: what only this gateway knows about a session.

use billfold_core::error::FieldError;
use billfold_core::settings::without_values;
use serde::Deserialize;
use serde_json::Value;

/// The documented extras.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Ask the bank for no challenge; needs the gateway's permission.
    pub(crate) skip_three_ds: Option<bool>,
    /// Which of the merchant's acquiring contracts to use.
    pub(crate) mid_label: Option<String>,
    /// Channels shown first; a part of `channels`.
    pub(crate) primary_payment_channels: Vec<String>,
    /// `EMAIL`: the gateway sends the link itself.
    pub(crate) notification_channels: Vec<String>,
}

impl Options {
    /// Reads the options of a request.
    pub(crate) fn read(value: Option<&Value>) -> Result<Self, FieldError> {
        let Some(value) = value else { return Ok(Self::default()) };
        serde_json::from_value(value.clone()).map_err(|error| {
            let message = without_values(&error.to_string());
            let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let pointer = unknown
                .map_or_else(|| "/provider_options".to_owned(), |field| format!("/provider_options/{field}"));
            FieldError { pointer, message }
        })
    }
}
