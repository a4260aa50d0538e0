//! What a merchant asks for when a session is started.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use url::Url;

use crate::capability::{MethodKind, Usage};
use crate::clock::Timestamp;
use crate::id::CustomerId;
use crate::idempotency::Intent;
use crate::money::{Country, Currency};
use crate::name::GatewayName;
use crate::provider::{CustomerProfile, RecurringTerms};
use crate::settings::Mode;

/// A request to save a payment method.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartSession {
    /// At which gateway; when it is left out, one is chosen ([`crate::routing::choose`]).
    #[serde(default)]
    pub gateway: Option<GatewayName>,
    /// In which mode the gateway must be.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// For whom.
    pub customer: CustomerSelector,
    /// What the method will be used for.
    pub usage: Usage,
    /// Terms of merchant-initiated use.
    #[serde(default)]
    pub recurring: Option<RecurringTerms>,
    /// Currency of later charges.
    pub currency: Currency,
    /// Country of the merchant's activation at the gateway.
    pub country: Country,
    /// Kinds to offer, whatever the gateway calls its channels; not together with `channels`.
    #[serde(default)]
    pub kinds: Vec<MethodKind>,
    /// Channel codes to offer; empty means all that can be saved.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Language of the hosted page, ISO 639-1.
    #[serde(default)]
    pub locale: Option<String>,
    /// Shown on the hosted page.
    #[serde(default)]
    pub description: Option<String>,
    /// The merchant's own pairs; passed on to the gateway.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Where the customer's browser goes in the end, with `session_id` and `status` in its query.
    pub return_url: Url,
    /// When the session ends; the gateway's usual lifetime when left out.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Whether the saved method becomes the customer's default. A first method does anyway.
    #[serde(default)]
    pub make_default: bool,
    /// What the customer agreed to, kept with the session.
    #[serde(default)]
    pub consent: Option<GivenConsent>,
    /// What only this gateway knows.
    #[serde(default)]
    pub provider_options: Option<serde_json::Value>,
    /// The same in every attempt at this request: whoever tries again finds the session of the attempt before.
    #[serde(skip)]
    pub intent: Option<Intent>,
}

/// The customer's agreement to the merchant's text about stored payment methods.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenConsent {
    /// Which version of the text they saw.
    pub text_version: String,
    /// When they agreed; now when nothing is said.
    #[serde(default)]
    pub agreed_at: Option<Timestamp>,
    /// The address that they agreed from; only a keyed fingerprint of it is kept.
    #[serde(default)]
    pub ip_address: Option<IpAddr>,
}

/// An existing customer by id, or one by the merchant's reference, made or updated as needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerSelector {
    /// Our id of an existing customer; then nothing else is given.
    #[serde(default)]
    pub id: Option<CustomerId>,
    /// The merchant's own id.
    #[serde(default)]
    pub reference: Option<String>,
    /// Given names.
    #[serde(default)]
    pub given_names: Option<String>,
    /// Family name.
    #[serde(default)]
    pub surname: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Mobile number in E.164 form.
    #[serde(default)]
    pub mobile_number: Option<String>,
}

impl StartSession {
    /// A request with what is required; nothing else is said.
    pub fn new(
        customer: CustomerSelector,
        usage: Usage,
        currency: Currency,
        country: Country,
        return_url: Url,
    ) -> Self {
        Self {
            gateway: None,
            mode: None,
            customer,
            usage,
            recurring: None,
            currency,
            country,
            kinds: Vec::new(),
            channels: Vec::new(),
            locale: None,
            description: None,
            metadata: BTreeMap::new(),
            return_url,
            expires_at: None,
            make_default: false,
            consent: None,
            provider_options: None,
            intent: None,
        }
    }
}

impl CustomerSelector {
    /// The customer that the merchant calls `reference`.
    pub fn reference(reference: impl Into<String>, profile: CustomerProfile) -> Self {
        let CustomerProfile { given_names, surname, email, mobile_number } = profile;
        Self { id: None, reference: Some(reference.into()), given_names, surname, email, mobile_number }
    }

    pub(in crate::use_cases) fn profile(&self) -> CustomerProfile {
        let Self { given_names, surname, email, mobile_number, .. } = self.clone();
        CustomerProfile { given_names, surname, email, mobile_number }
    }
}
