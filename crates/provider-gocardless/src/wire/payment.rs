//! The types of payments, refunds, and events about payments.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Answer, object, text, texts};

impl Answer for Payment {
    const ENVELOPE: &'static str = "payments";
}

impl Answer for Refund {
    const ENVELOPE: &'static str = "refunds";
}

impl Answer for PaymentEvent {
    const ENVELOPE: &'static str = "events";
}

/// A payment by a mandate.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Payment {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "whole")]
    pub(crate) amount: Option<i64>,
    #[serde(deserialize_with = "whole")]
    pub(crate) amount_refunded: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Money given back of a payment.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Refund {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "whole")]
    pub(crate) amount: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What happened to a payment.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct PaymentEvent {
    #[serde(deserialize_with = "text")]
    pub(crate) action: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) created_at: Option<String>,
    #[serde(deserialize_with = "object")]
    pub(crate) details: EventDetails,
}

/// Why it happened.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct EventDetails {
    #[serde(deserialize_with = "text")]
    pub(crate) cause: Option<String>,
}

/// A whole number; anything else counts as absent.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_i64())
}
