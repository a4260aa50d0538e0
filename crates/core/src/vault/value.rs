//! The values of records, in clear: what they may be, and what may be shown of them.

use std::fmt;

use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::json_bytes;
use crate::error::{Error, FieldError, Result};

const MAX_OWNER: usize = 255;
/// Names of values that must never be stored after authorisation (PCI DSS 3.3.1).
const FORBIDDEN_FIELDS: [&str; 10] =
    ["cvv", "cvv2", "cvc", "cvc2", "cvn", "cid", "pin", "pin_block", "track1", "track2"];

/// A value in clear. Never printed; overwritten when dropped.
pub enum SecretValue {
    /// JSON text.
    Json(Zeroizing<Vec<u8>>),
    /// Anything.
    Bytes(Zeroizing<Vec<u8>>),
}

impl SecretValue {
    /// Any value, as JSON. Objects are written in the order of their keys, so that the same value is the same
    /// however it was put together.
    pub fn json<T: Serialize>(value: &T) -> Result<Self> {
        let unwritable = |_| Error::internal("a value to seal could not be written as JSON");
        let mut value = serde_json::to_value(value).map_err(unwritable)?;
        value.sort_all_objects();
        json_bytes(&value).map(Self::Json)
    }

    /// The value read as `T`; bytes are not JSON.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        match self {
            Self::Json(text) => {
                serde_json::from_slice(text).map_err(|_| Error::invalid("/value", "it has another shape"))
            }
            Self::Bytes(_) => Err(Error::invalid("/value", "it is bytes, not JSON")),
        }
    }

    /// How it is sealed: a letter that tells what it is, then the value.
    pub(super) fn to_plaintext(&self) -> Zeroizing<Vec<u8>> {
        let (tag, bytes) = match self {
            Self::Json(bytes) => (b'J', bytes),
            Self::Bytes(bytes) => (b'B', bytes),
        };
        let mut out = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
        out.push(tag);
        out.extend_from_slice(bytes);
        out
    }

    pub(super) fn from_plaintext(plaintext: &[u8]) -> Result<Self> {
        let value = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        match plaintext.split_first() {
            Some((b'J', bytes)) => Ok(Self::Json(value(bytes))),
            Some((b'B', bytes)) => Ok(Self::Bytes(value(bytes))),
            _ => Err(Error::internal("a stored value is neither JSON nor bytes")),
        }
    }

    /// The last four characters, where enough others stay hidden.
    fn last4(&self) -> Option<String> {
        let Self::Json(text) = self else { return None };
        let text: Zeroizing<String> = Zeroizing::new(serde_json::from_slice(text).ok()?);
        let tail: String = text.chars().skip(text.chars().count().saturating_sub(4)).collect();
        let shows = text.chars().count() >= 12 && !tail.chars().any(char::is_control);
        shows.then(|| format!("••••{tail}"))
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// What may be shown of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// Nothing.
    #[default]
    None,
    /// The last four characters of a text of at least twelve.
    Last4,
}

pub(super) fn masked(mask: Mask, value: &SecretValue) -> Option<String> {
    match mask {
        Mask::None => None,
        Mask::Last4 => value.last4(),
    }
}

pub(super) fn problem(pointer: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError { pointer: pointer.into(), message: message.into() }
}

/// Owners are whatever a merchant calls them, but for the empty one, who has the keys of the whole tenant.
pub(crate) fn owner_problem(owner: &str) -> Option<FieldError> {
    let fits =
        !owner.is_empty() && owner.chars().count() <= MAX_OWNER && !owner.chars().any(char::is_control);
    (!fits).then(|| problem("/owner", format!("expected 1 to {MAX_OWNER} printable characters")))
}

/// Card verification values and PINs must not be stored, under whatever name they hide at the top or
/// deeper.
pub(super) fn value_problems(value: &SecretValue) -> Vec<FieldError> {
    let SecretValue::Json(text) = value else { return Vec::new() };
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(text) else {
        return vec![problem("/value", "it is not JSON")];
    };
    let mut fields = Vec::new();
    forbidden("/value", &json, &mut fields);
    fields.sort_by(|one, other| one.pointer.cmp(&other.pointer));
    fields
}

fn forbidden(pointer: &str, json: &serde_json::Value, fields: &mut Vec<FieldError>) {
    let below = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    match json {
        serde_json::Value::Object(pairs) => {
            for (key, value) in pairs {
                if FORBIDDEN_FIELDS.contains(&key.to_lowercase().replace('-', "_").as_str()) {
                    let message = "card verification values, PINs and track data must not be stored";
                    fields.push(problem(below(key), message));
                } else {
                    forbidden(&below(key), value, fields);
                }
            }
        }
        serde_json::Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                forbidden(&below(&index.to_string()), value, fields);
            }
        }
        _ => {}
    }
}

/// Reads base64, for clients that store bytes.
pub fn bytes_from_base64(text: &SecretString) -> Result<SecretValue> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.expose_secret());
    let decoded = decoded.map_err(|_| Error::invalid("/value_base64", "expected base64"))?;
    Ok(SecretValue::Bytes(Zeroizing::new(decoded)))
}
