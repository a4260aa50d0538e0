//! `provider_options`: what only this gateway knows about a session.

use billfold_core::error::FieldError;
use billfold_core::settings::without_values;
use serde::Deserialize;
use serde_json::Value;

/// Where the customer enters the payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Flow {
    /// On the gateway's page.
    #[default]
    Hosted,
    /// On the merchant's own page, by the gateway's script and the session's data.
    Embedded,
}

impl Flow {
    /// The gateway's word for it.
    pub(crate) const fn mode(self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::Embedded => "embedded",
        }
    }
}

/// The documented extras.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    pub(crate) flow: Flow,
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
