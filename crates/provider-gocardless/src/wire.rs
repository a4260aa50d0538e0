//! The gateway's own types. Of its answers only what Billfold uses is read, and everything is optional. Nothing
//! here prints itself, because links and ids of mandates are secrets.

pub(crate) mod payment;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What an answer is read as: the object in an envelope.
pub(crate) trait Answer: DeserializeOwned {
    /// The key of the envelope, which is also the name of the collection in paths.
    const ENVELOPE: &'static str;
}

impl Answer for BillingRequest {
    const ENVELOPE: &'static str = "billing_requests";
}

impl Answer for Flow {
    const ENVELOPE: &'static str = "billing_request_flows";
}

impl Answer for Mandate {
    const ENVELOPE: &'static str = "mandates";
}

impl Answer for BankAccount {
    const ENVELOPE: &'static str = "customer_bank_accounts";
}

/// A billing request: what the customer is asked for.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct BillingRequest {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(deserialize_with = "object")]
    pub(crate) mandate_request: MandateRequest,
    #[serde(deserialize_with = "object")]
    pub(crate) links: BillingRequestLinks,
}

/// The mandate that is asked for.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct MandateRequest {
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "object")]
    pub(crate) links: MandateRequestLinks,
}

/// What became of it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct MandateRequestLinks {
    #[serde(deserialize_with = "text")]
    pub(crate) mandate: Option<String>,
}

/// What belongs to a billing request.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct BillingRequestLinks {
    #[serde(deserialize_with = "text")]
    pub(crate) customer: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) mandate_request_mandate: Option<String>,
}

impl BillingRequest {
    /// The mandate that came of it; the gateway names it in two places.
    pub(crate) fn mandate(&self) -> Option<&str> {
        let mandate = self.links.mandate_request_mandate.as_deref();
        mandate.or(self.mandate_request.links.mandate.as_deref())
    }
}

/// The customer's way through the hosted pages.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Flow {
    #[serde(deserialize_with = "text")]
    pub(crate) authorisation_url: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) expires_at: Option<String>,
}

/// A mandate: the token.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Mandate {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) scheme: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(deserialize_with = "object")]
    pub(crate) links: MandateLinks,
}

/// What belongs to a mandate.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct MandateLinks {
    #[serde(deserialize_with = "text")]
    pub(crate) customer: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) customer_bank_account: Option<String>,
    /// The mandate that took this one's place.
    #[serde(deserialize_with = "text")]
    pub(crate) new_mandate: Option<String>,
}

/// A bank account. The holder's name is not read at all.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct BankAccount {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    /// The last two digits, or four of New Zealand's.
    #[serde(deserialize_with = "text")]
    pub(crate) account_number_ending: Option<String>,
    /// `checking` or `savings`, of accounts in dollars.
    #[serde(deserialize_with = "text")]
    pub(crate) account_type: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) bank_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) country_code: Option<String>,
    /// Equal for two records of one account; only some organisations have it.
    #[serde(deserialize_with = "text")]
    pub(crate) bank_account_token: Option<String>,
}

/// An event of a webhook.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Event {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) resource_type: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) action: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) links: BTreeMap<String, String>,
    /// That of the object, as it was given when the object was made.
    #[serde(deserialize_with = "texts")]
    pub(crate) resource_metadata: BTreeMap<String, String>,
}

/// Text; anything else, and the empty text, counts as absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
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
