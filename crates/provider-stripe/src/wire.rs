//! The gateway's own types. Of its answers only what Billfold uses is read, and everything is optional. Nothing
//! here prints itself, because links, client secrets and ids of payment methods are secrets.

pub(crate) mod charges;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What an answer is read as.
pub(crate) trait Answer: DeserializeOwned {}

impl Answer for Session {}
impl Answer for SetupIntent {}
impl Answer for PaymentMethod {}
impl Answer for Customer {}

/// A Checkout Session in setup mode.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Session {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) url: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) client_reference_id: Option<String>,
    #[serde(deserialize_with = "id")]
    pub(crate) customer: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "seconds")]
    pub(crate) expires_at: Option<i64>,
    #[serde(deserialize_with = "object")]
    pub(crate) setup_intent: SetupIntent,
}

/// A SetupIntent. Where the gateway gives only its id, everything else is absent.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct SetupIntent {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) client_secret: Option<String>,
    #[serde(deserialize_with = "id")]
    pub(crate) customer: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(deserialize_with = "object")]
    pub(crate) payment_method: PaymentMethod,
}

/// A saved payment method. Names and addresses are not read at all.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct PaymentMethod {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    /// To whom it is attached; nobody once it was detached.
    #[serde(deserialize_with = "id")]
    pub(crate) customer: Option<String>,
    /// The details stand under the name of the type.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl PaymentMethod {
    pub(crate) fn details(&self) -> Details {
        let details = self.kind.as_deref().and_then(|kind| self.rest.get(kind)).cloned();
        details.and_then(from_object).unwrap_or_default()
    }
}

/// A card or a bank account.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Details {
    #[serde(deserialize_with = "text")]
    pub(crate) brand: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) last4: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) exp_month: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) exp_year: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) fingerprint: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) funding: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) country: Option<String>,
}

/// A customer.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Customer {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
}

/// A webhook.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Event {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "object")]
    pub(crate) data: EventData,
}

/// What it is about.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct EventData {
    pub(crate) object: Value,
}

/// Text, or a number as text; anything else, and the empty text, counts as absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// The id of an object that comes as its id, or in full.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let id = value.get("id").unwrap_or(&value);
    Ok(id.as_str().filter(|id| !id.is_empty()).map(str::to_owned))
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_i64())
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let pairs = value.as_object().into_iter().flatten();
    Ok(pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
}

/// An object; anything else counts as one without fields.
fn object<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + DeserializeOwned,
    D: Deserializer<'de>,
{
    Ok(from_object(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Reads an object and nothing else: serde would also fill a struct from an array.
pub(crate) fn from_object<T: DeserializeOwned>(value: Value) -> Option<T> {
    if !value.is_object() {
        return None;
    }
    serde_json::from_value(value).ok()
}
