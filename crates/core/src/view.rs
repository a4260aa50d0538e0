//! What the outside sees of an object: the same JSON in API answers and in events. No token, no
//! sealed value; the link to the hosted page only where it was asked for.

mod charge;

use std::collections::BTreeMap;

pub use charge::{ChargeView, DeclineView, RefundView};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use url::Url;

use crate::capability::{MethodKind, Usage};
use crate::clock::Timestamp;
use crate::customer::Customer;
use crate::id::{CustomerId, PaymentMethodId, SessionId};
use crate::money::{Country, Currency};
use crate::name::GatewayName;
use crate::payment_method::{Display, PaymentMethod, PaymentMethodStatus};
use crate::provider::{CustomerProfile, RecurringTerms};
use crate::routing::GatewayChoice;
use crate::session::{Consent, Session, SessionStatus, Via};
use crate::settings::Mode;

/// What the customer has to do next.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Next {
    /// Send the customer's browser to `url`. Treat it as a secret: its bearer acts as the customer.
    Redirect {
        /// The hosted page.
        #[serde(serialize_with = "exposed")]
        url: SecretString,
    },
    /// Give `secret` to the gateway's script in the page.
    ClientSecret {
        /// The gateway's client secret.
        #[serde(serialize_with = "exposed")]
        secret: SecretString,
    },
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// What a customer agreed to when they saved a method. The fingerprint of their address is not shown.
#[derive(Debug, Clone, Serialize)]
pub struct ConsentView {
    /// Which version of the merchant's text they saw.
    pub text_version: String,
    /// When they agreed.
    pub agreed_at: Timestamp,
    /// Whether the address that they agreed from is kept, as a keyed fingerprint.
    pub address_kept: bool,
}

impl From<&Consent> for ConsentView {
    fn from(consent: &Consent) -> Self {
        let Consent { text_version, agreed_at, address } = consent.clone();
        Self { text_version, agreed_at, address_kept: address.is_some() }
    }
}

/// A session.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// `ses_…`.
    pub id: SessionId,
    /// Always `session`.
    pub object: &'static str,
    /// Where it stands.
    pub status: SessionStatus,
    /// At which gateway.
    pub gateway: GatewayName,
    /// Why there; absent when the request named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_choice: Option<GatewayChoice>,
    /// The kind of provider behind it.
    pub provider: String,
    /// Test or live.
    pub mode: Mode,
    /// For which customer.
    pub customer_id: CustomerId,
    /// What the method will be used for.
    pub usage: Usage,
    /// Terms of merchant-initiated use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurring: Option<RecurringTerms>,
    /// Currency of later charges.
    pub currency: Currency,
    /// Country of the merchant's activation.
    pub country: Country,
    /// Channel codes offered; empty means all.
    pub channels: Vec<String>,
    /// Language of the hosted page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Shown on the hosted page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The merchant's own pairs.
    pub metadata: BTreeMap<String, String>,
    /// Where the customer goes in the end.
    pub return_url: Url,
    /// Whether the saved method becomes the default.
    pub make_default: bool,
    /// What the customer agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentView>,
    /// What the customer has to do; absent once the session is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// The methods that it saved.
    pub payment_methods: Vec<PaymentMethodId>,
    /// By which way its end was learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_via: Option<Via>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl SessionView {
    pub(crate) fn new(session: &Session, next: Option<Next>) -> Self {
        let details = session.details.clone();
        Self {
            id: session.id,
            object: "session",
            status: session.status,
            gateway: session.gateway.clone(),
            gateway_choice: details.gateway_choice,
            provider: session.provider.clone(),
            mode: session.mode,
            customer_id: session.customer_id,
            usage: details.usage,
            recurring: details.recurring,
            currency: details.currency,
            country: details.country,
            channels: details.channels,
            locale: details.locale,
            description: details.description,
            metadata: details.metadata,
            return_url: details.return_url,
            make_default: details.make_default,
            consent: details.consent.as_ref().map(ConsentView::from),
            next,
            payment_methods: details.payment_methods,
            settled_via: details.settled_via,
            failure: details.failure,
            expires_at: session.expires_at,
            created_at: session.created_at,
            updated_at: session.updated_at,
        }
    }
}

/// A saved payment method.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentMethodView {
    /// `pm_…`.
    pub id: PaymentMethodId,
    /// Always `payment_method`.
    pub object: &'static str,
    /// Whose.
    pub customer_id: CustomerId,
    /// Where it is valid.
    pub gateway: GatewayName,
    /// The kind of provider behind it.
    pub provider: String,
    /// Test or live.
    pub mode: Mode,
    /// Card, wallet or bank debit.
    pub kind: MethodKind,
    /// The gateway's channel code.
    pub channel: String,
    /// Whether it can be used.
    pub status: PaymentMethodStatus,
    /// What the customer agreed to.
    pub usage: Usage,
    /// Whether it is the customer's default.
    pub is_default: bool,
    /// What the customer recognises it by.
    pub display: Display,
    /// Since when its card is known to end soon; `null` for one that does not.
    pub expiring_since: Option<Timestamp>,
    /// The session that saved it last.
    pub session_id: SessionId,
    /// When it was saved.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl From<&PaymentMethod> for PaymentMethodView {
    fn from(method: &PaymentMethod) -> Self {
        Self {
            id: method.id,
            object: "payment_method",
            customer_id: method.customer_id,
            gateway: method.gateway.clone(),
            provider: method.provider.clone(),
            mode: method.mode,
            kind: method.kind,
            channel: method.channel.clone(),
            status: method.status,
            usage: method.usage,
            is_default: method.is_default,
            display: method.display.clone(),
            expiring_since: method.expiring_since,
            session_id: method.session_id,
            created_at: method.created_at,
            updated_at: method.updated_at,
        }
    }
}

/// A customer, with the personal data that the merchant gave.
#[derive(Debug, Clone, Serialize)]
pub struct CustomerView {
    /// `cus_…`.
    pub id: CustomerId,
    /// Always `customer`.
    pub object: &'static str,
    /// The merchant's own id.
    pub reference: String,
    /// Who the customer is.
    pub profile: CustomerProfile,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl CustomerView {
    pub(crate) fn new(customer: &Customer, profile: CustomerProfile) -> Self {
        Self {
            id: customer.id,
            object: "customer",
            reference: customer.reference.clone(),
            profile,
            created_at: customer.created_at,
            updated_at: customer.updated_at,
        }
    }
}
