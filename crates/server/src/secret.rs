//! Secrets on their way in: not printed, and overwritten when dropped.

use billfold_core::secret::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zeroize::Zeroize as _;

/// A JSON value whose texts are overwritten when it is dropped.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretJson(Value);

impl SecretJson {
    /// The value, on purpose.
    pub(crate) fn expose(&self) -> &Value {
        &self.0
    }
}

impl Drop for SecretJson {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(pairs) => pairs.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Reads a text that may be left out.
pub(crate) fn optional_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(SecretString::from))
}

/// Overwrites bytes that nobody else holds any more.
pub(crate) fn forget(bytes: bytes::Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}
