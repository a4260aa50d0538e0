//! What differs from one local gateway to another: its settings, and what its customers save.

use billfold_sandbox::{Kind, Sandbox, SandboxConfig};
use serde_json::{Value, json};

use crate::args::LocalGateway;

/// A local gateway, as the demo and `billfold sandbox` use it.
pub(crate) struct Stage {
    kind: Kind,
    /// The provider that speaks to it.
    pub(crate) provider: &'static str,
    /// The key of its settings that holds the webhook secret.
    webhook_secret: &'static str,
    /// What a webhook secret of it begins with.
    pub(crate) secret_prefix: &'static str,
    /// Of the demo's shop.
    pub(crate) country: &'static str,
    /// Of the demo's shop.
    pub(crate) currency: &'static str,
    /// Where sessions are created.
    pub(crate) creation: &'static str,
    /// Whether its page shows a description.
    pub(crate) describes: bool,
    /// What the demo saves.
    pub(crate) offers: &'static [Offer],
}

/// What the demo saves: what a button is called, which channels it offers, and what the customer enters.
pub(crate) struct Offer {
    pub(crate) id: &'static str,
    pub(crate) label: &'static str,
    pub(crate) channels: &'static [&'static str],
    pub(crate) form: &'static [(&'static str, &'static str)],
}

static XENDIT: Stage = Stage {
    kind: Kind::Xendit,
    provider: "xendit",
    webhook_secret: "callback_token",
    secret_prefix: "",
    country: "ID",
    currency: "IDR",
    creation: "/sessions",
    describes: true,
    offers: &[
        Offer {
            id: "card",
            label: "a card",
            channels: &["CARDS"],
            form: &[
                ("channel", "CARDS"),
                ("card-number", "4000 0000 0000 2503"),
                ("card-expiry-month", "12"),
                ("card-expiry-year", "2034"),
                ("card-cvv", "123"),
                ("card-name", "Lorem Ipsum"),
            ],
        },
        Offer {
            id: "wallet",
            label: "a wallet",
            channels: &["OVO", "DANA", "SHOPEEPAY"],
            form: &[("channel", "OVO"), ("phone", "+6281234567890")],
        },
        Offer {
            id: "bank-debit",
            label: "a bank debit",
            channels: &["BRI_DIRECT_DEBIT"],
            form: &[("channel", "BRI_DIRECT_DEBIT"), ("account-number", "1234567890")],
        },
    ],
};

static STRIPE: Stage = Stage {
    kind: Kind::Stripe,
    provider: "stripe",
    webhook_secret: "webhook_secret",
    secret_prefix: "whsec_",
    country: "DE",
    currency: "EUR",
    creation: "/v1/checkout/sessions",
    describes: false,
    offers: &[
        Offer {
            id: "card",
            label: "a card",
            channels: &["card"],
            form: &[("channel", "card"), ("card-number", "4000 0025 0000 3155")],
        },
        Offer {
            id: "bank-debit",
            label: "a bank debit",
            channels: &["sepa_debit"],
            form: &[("channel", "sepa_debit"), ("account-number", "DE89370400440532013000")],
        },
    ],
};

impl Stage {
    /// That of a gateway.
    pub(crate) fn of(gateway: LocalGateway) -> &'static Self {
        match gateway {
            LocalGateway::Xendit => &XENDIT,
            LocalGateway::Stripe => &STRIPE,
        }
    }

    /// The sandbox's defaults for it.
    pub(crate) fn sandbox(&self) -> SandboxConfig {
        SandboxConfig::of(self.kind)
    }

    /// The settings table of a gateway at `sandbox`.
    pub(crate) fn settings(&self, sandbox: &Sandbox, secret_key: &str, webhook_secret: &str) -> toml::Table {
        let mut table = toml::Table::new();
        table.insert("base_url".to_owned(), sandbox.base_url().to_string().into());
        table.insert("secret_key".to_owned(), secret_key.into());
        table.insert(self.webhook_secret.to_owned(), webhook_secret.into());
        table
    }

    /// Whether a token, as the sandbox shows it, is not usable any more.
    pub(crate) fn is_gone(&self, token: &Value) -> bool {
        match self.kind {
            Kind::Xendit => token["status"] == "CANCELED",
            Kind::Stripe => token["customer"].is_null(),
        }
    }

    /// The body of a request of the demo's shop.
    pub(crate) fn request(&self, customer: &Value, offer: &Offer, return_url: &str) -> Value {
        let mut body = json!({
            "customer": customer, "usage": "unscheduled_customer", "currency": self.currency,
            "country": self.country, "channels": offer.channels, "return_url": return_url,
        });
        if self.describes {
            body["description"] = format!("Save {} with the demo shop", offer.label).into();
        }
        body
    }
}
