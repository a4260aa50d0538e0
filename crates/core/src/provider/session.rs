//! Arguments and results of the session calls.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::ProviderMethod;
use crate::capability::Usage;
use crate::clock::Timestamp;
use crate::money::{Country, Currency};

/// Who the customer is, as far as the merchant tells. Personal data: sealed at rest, not printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerProfile {
    /// Given names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_names: Option<String>,
    /// Family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Mobile number in E.164 form, `+628123456789`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile_number: Option<String>,
}

impl fmt::Debug for CustomerProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerProfile(..)")
    }
}

/// What the customer agreed to for charges that the merchant starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecurringTerms {
    /// At least this many days between charges.
    pub frequency_days: u32,
    /// The last day on which a charge may happen, `YYYY-MM-DD`.
    pub ends_on: String,
}

/// A session to open at the gateway.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateSession {
    /// Our session id: the reference that the gateway keeps and gives back.
    pub reference: String,
    /// Our customer id, stable for the customer.
    pub customer_reference: String,
    /// Who the customer is.
    pub customer: CustomerProfile,
    /// The gateway's own customer, where [`super::CustomerDirectory`] made one or the gateway itself did, in a
    /// session that this customer completed before.
    pub gateway_customer: Option<String>,
    /// What the method will be used for.
    pub usage: Usage,
    /// Terms of merchant-initiated use.
    pub recurring: Option<RecurringTerms>,
    /// Currency of later charges.
    pub currency: Currency,
    /// Country of the merchant's activation at the gateway.
    pub country: Country,
    /// Channel codes to offer; empty means all.
    pub channels: Vec<String>,
    /// Language of the hosted page, ISO 639-1.
    pub locale: Option<String>,
    /// Shown on the hosted page.
    pub description: Option<String>,
    /// The merchant's own key-value pairs, passed on.
    pub metadata: BTreeMap<String, String>,
    /// Where the customer returns to after success.
    pub success_url: Url,
    /// Where the customer returns to after giving up.
    pub cancel_url: Url,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// What only this gateway knows; the provider validates it.
    pub provider_options: Option<serde_json::Value>,
}

impl CreateSession {
    /// A request with what is required; everything else starts empty.
    #[expect(clippy::too_many_arguments, reason = "each of them is required and has its own type")]
    pub fn new(
        reference: impl Into<String>,
        customer_reference: impl Into<String>,
        usage: Usage,
        currency: Currency,
        country: Country,
        success_url: Url,
        cancel_url: Url,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            reference: reference.into(),
            customer_reference: customer_reference.into(),
            customer: CustomerProfile::default(),
            gateway_customer: None,
            usage,
            recurring: None,
            currency,
            country,
            channels: Vec::new(),
            locale: None,
            description: None,
            metadata: BTreeMap::new(),
            success_url,
            cancel_url,
            expires_at,
            provider_options: None,
        }
    }
}

/// A customer to find or make at the gateway.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EnsureCustomer {
    /// Our customer id: the gateway's reference for this customer.
    pub reference: String,
    /// Who the customer is.
    pub profile: CustomerProfile,
}

impl EnsureCustomer {
    /// The customer known to us as `reference`.
    pub fn new(reference: impl Into<String>, profile: CustomerProfile) -> Self {
        Self { reference: reference.into(), profile }
    }
}

/// Names a session at the gateway.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionRef {
    /// The gateway's id.
    pub reference: String,
    /// What the customer's browser brought back for the gateway to judge; used to ask, never to
    /// believe.
    pub evidence: Option<String>,
}

impl SessionRef {
    /// The session that the gateway calls `reference`.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), evidence: None }
    }
}

/// Where a session stands at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProviderSessionStatus {
    /// Waiting for the customer.
    Active,
    /// The customer is done; the gateway is not.
    Processing,
    /// A method was saved.
    Completed,
    /// Ended without a method.
    Failed,
    /// Ended by time.
    Expired,
    /// Ended by us or the customer.
    Canceled,
    /// A status that this version does not know: not final, and never "saved".
    Unknown,
}

/// What the customer has to do next.
#[derive(Debug, Clone)]
pub enum NextAction {
    /// Send the browser there. The URL lets its bearer act as the customer: a secret.
    Redirect(SecretString),
    /// Give this to the gateway's script in the page.
    ClientSecret(SecretString),
}

/// What the gateway says that an object belongs to; core compares it with what was asked. `None`
/// where the gateway does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Echo {
    /// Our reference, without anything that the gateway appended to it.
    pub reference: Option<String>,
    /// The gateway's customer.
    pub customer: Option<String>,
    /// The currency.
    pub currency: Option<String>,
    /// The country.
    pub country: Option<String>,
}

/// A session as the gateway sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderSession {
    /// The gateway's id of the session.
    pub reference: String,
    /// Where it stands.
    pub status: ProviderSessionStatus,
    /// What the customer has to do.
    pub next: Option<NextAction>,
    /// When the gateway ends it.
    pub expires_at: Option<Timestamp>,
    /// What it says that it belongs to.
    pub echo: Echo,
    /// The methods that it saved: none, one or several.
    pub methods: Vec<ProviderMethod>,
}

impl ProviderSession {
    /// A session of which only the id and the status are known.
    pub fn new(reference: impl Into<String>, status: ProviderSessionStatus) -> Self {
        Self {
            reference: reference.into(),
            status,
            next: None,
            expires_at: None,
            echo: Echo::default(),
            methods: Vec::new(),
        }
    }
}

/// The customer's browser, back from the hosted page.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReturnRequest {
    /// The query of the return URL, raw. Attacker-controlled.
    pub query: String,
}

impl ReturnRequest {
    /// A return with this raw query.
    pub fn new(query: impl Into<String>) -> Self {
        Self { query: query.into() }
    }
}

/// What a return suggests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReturnHint {
    /// Opaque evidence for the next [`SessionRef`].
    pub evidence: Option<String>,
}
