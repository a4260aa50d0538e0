//! What the bearer of an API key may do.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One area of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sessions, customers, payment methods, events, deliveries, gateways; charges to read.
    Payments,
    /// Taking money with saved methods, and giving it back.
    Charge,
    /// Vault records, without their values.
    Vault,
    /// The values of vault records.
    VaultReveal,
    /// Erasing customers.
    Erase,
    /// Webhook endpoints and their deliveries.
    Webhooks,
    /// API keys and the audit trail.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::Payments,
        Self::Charge,
        Self::Vault,
        Self::VaultReveal,
        Self::Erase,
        Self::Webhooks,
        Self::Admin,
    ];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Charge => "charge",
            Self::Vault => "vault",
            Self::VaultReveal => "vault_reveal",
            Self::Erase => "erase",
            Self::Webhooks => "webhooks",
            Self::Admin => "admin",
        }
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected some of payments, charge, vault, vault_reveal, erase, webhooks, admin")]
pub struct InvalidScope;

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(InvalidScope)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Everything: for whoever has the database and the keys at hand anyway.
    pub fn all() -> Self {
        Self(Scope::ALL.into())
    }

    /// Whether `scope` is among them.
    pub fn allows(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether every one of `others` is among them: nobody hands out more than they have.
    pub fn covers(&self, others: &Self) -> bool {
        self.0.is_superset(&others.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Scopes {
    /// What a merchant's backend needs to save and use payment methods.
    fn default() -> Self {
        Self([Scope::Payments].into())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&names.join(" "))
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    /// Names, parted by blanks or commas.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        text.split([' ', ',']).filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}
