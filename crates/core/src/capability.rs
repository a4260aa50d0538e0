//! What a gateway can do, as data: the API, the documentation, request validation and the contract
//! suite all read the same values.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::money::{Country, Currency};

/// The kinds of payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// A credit or debit card.
    Card,
    /// An e-wallet account.
    Wallet,
    /// A bank account that may be debited.
    BankDebit,
}

impl MethodKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Card, Self::Wallet, Self::BankDebit];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Wallet => "wallet",
            Self::BankDebit => "bank_debit",
        }
    }
}

/// A text that names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected card, wallet or bank_debit")]
pub struct InvalidMethodKind;

impl FromStr for MethodKind {
    type Err = InvalidMethodKind;

    fn from_str(text: &str) -> Result<Self, InvalidMethodKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(InvalidMethodKind)
    }
}

/// What the customer agrees that a saved payment method is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// The customer is present and pays again (CIT, card on file).
    OnSession,
    /// The customer starts payments of varying amount and time (CIT).
    UnscheduledCustomer,
    /// The merchant starts payments of varying amount and time (MIT), such as a top-up.
    UnscheduledMerchant,
    /// The merchant charges on a schedule (MIT), such as a subscription.
    Recurring,
}

impl Usage {
    /// Every usage.
    pub const ALL: [Self; 4] =
        [Self::OnSession, Self::UnscheduledCustomer, Self::UnscheduledMerchant, Self::Recurring];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnSession => "on_session",
            Self::UnscheduledCustomer => "unscheduled_customer",
            Self::UnscheduledMerchant => "unscheduled_merchant",
            Self::Recurring => "recurring",
        }
    }

    /// Whether the merchant charges without the customer.
    pub const fn is_merchant_initiated(self) -> bool {
        matches!(self, Self::UnscheduledMerchant | Self::Recurring)
    }
}

/// A text that names no usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected on_session, unscheduled_customer, unscheduled_merchant or recurring")]
pub struct InvalidUsage;

impl FromStr for Usage {
    type Err = InvalidUsage;

    fn from_str(text: &str) -> Result<Self, InvalidUsage> {
        Self::ALL.into_iter().find(|usage| usage.as_str() == text).ok_or(InvalidUsage)
    }
}

/// How much a webhook proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A signature covers the data used.
    Signed,
    /// A shared token or nothing at all: fetch the object from the gateway before acting.
    Hint,
}

/// One way to pay that can be saved in one country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// The gateway's own code; what a session's `channels` lists.
    pub code: String,
    /// A name for people.
    pub name: String,
    /// Card, wallet or bank debit.
    pub kind: MethodKind,
    /// Where it is offered.
    pub country: Country,
    /// In which currencies.
    pub currencies: Vec<Currency>,
    /// Whether the merchant may charge it without the customer.
    pub merchant_initiated: bool,
}

/// How long a session at the gateway may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLifetime {
    /// The shortest that the gateway accepts.
    pub min: Duration,
    /// What the gateway takes when nothing is said.
    pub default: Duration,
    /// The longest that Billfold asks for.
    pub max: Duration,
}

/// Limits on the metadata that travels to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataLimits {
    /// The most keys.
    pub keys: usize,
    /// The longest key, in characters.
    pub key_length: usize,
    /// The longest value, in characters.
    pub value_length: usize,
}

/// Everything a provider declares about its gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The gateway's name for people.
    pub name: String,
    /// What can be saved, where, and how it may be used.
    pub channels: Vec<Channel>,
    /// How much its webhooks prove.
    pub webhook_trust: Trust,
    /// The status with which this gateway wants a webhook refused that does not prove its origin.
    pub webhook_refusal: u16,
    /// How long its sessions live.
    pub session_lifetime: SessionLifetime,
    /// What metadata may hold.
    pub metadata: MetadataLimits,
    /// Whether recurring or unscheduled merchant use needs the customer's agreed terms
    /// (`recurring.frequency_days` and `recurring.ends_on`).
    pub merchant_initiated_needs_terms: bool,
    /// Whether a saved token can be deleted at the gateway.
    pub remote_deletion: bool,
}

impl Capabilities {
    /// The status with which an unproven webhook is refused where a gateway wants no other.
    pub const WEBHOOK_REFUSAL: u16 = 401;

    /// The channels that serve a country, a currency and a usage.
    pub fn channels_for(
        &self,
        country: Country,
        currency: Currency,
        usage: Usage,
    ) -> impl Iterator<Item = &Channel> {
        self.channels.iter().filter(move |channel| {
            channel.country == country
                && channel.currencies.contains(&currency)
                && (channel.merchant_initiated || !usage.is_merchant_initiated())
        })
    }
}
