//! What a demo needs to know of a local gateway: its names, and what its customers save.

use serde_json::{Value, json};

/// A local gateway on a demo's stage.
#[derive(Debug)]
pub struct Stage {
    /// The kind of the provider that speaks to it.
    pub provider: &'static str,
    /// The API key that it has unless it is given another.
    pub secret_key: &'static str,
    /// What proves its webhooks unless it is given another secret.
    pub webhook_secret: &'static str,
    /// What a webhook secret of it begins with.
    pub secret_prefix: &'static str,
    /// Of the demo's shop.
    pub country: &'static str,
    /// Of the demo's shop.
    pub currency: &'static str,
    /// Where sessions are created, the path of the request.
    pub creation: &'static str,
    /// Whether its page shows a description.
    pub describes: bool,
    /// What the demo saves.
    pub offers: &'static [Offer],
    /// What the demo's customers and its shop pay with what they saved; none where the local gateway does not charge.
    pub purchases: &'static [Purchase],
}

/// A payment of the demo.
#[derive(Debug)]
pub struct Purchase {
    /// Its id in the demo's addresses: `pay`, `alone` (without the customer) or `refused`.
    pub id: &'static str,
    /// What its button says.
    pub label: &'static str,
    /// Minor units of the shop's currency; what the local gateway decides by.
    pub amount: i64,
    /// Whether the shop charges without the customer.
    pub by_merchant: bool,
    /// Whether the amount means something to the banks of cards alone.
    pub cards_only: bool,
}

impl Purchase {
    /// The customer pays so much, in minor units.
    pub(crate) const fn pay(amount: i64) -> Self {
        Self { id: "pay", label: "Pay", amount, by_merchant: false, cards_only: false }
    }

    /// The shop charges so much without the customer, in minor units.
    pub(crate) const fn alone(amount: i64) -> Self {
        Self { id: "alone", label: "Let the shop charge", amount, by_merchant: true, cards_only: false }
    }

    /// An amount, in minor units, that the bank refuses in test mode.
    pub(crate) const fn refused(amount: i64) -> Self {
        Self { id: "refused", label: "Pay too much", amount, by_merchant: false, cards_only: true }
    }
}

/// What the demo saves.
#[derive(Debug)]
pub struct Offer {
    /// Its id in the demo's addresses.
    pub id: &'static str,
    /// What its button says.
    pub label: &'static str,
    /// The channels that are offered.
    pub channels: &'static [&'static str],
    /// What the customer enters on the gateway's page.
    pub form: &'static [(&'static str, &'static str)],
}

impl Stage {
    /// The body of the demo shop's request to Billfold.
    pub fn request(&self, gateway: &str, customer: &Value, offer: &Offer, return_url: &str) -> Value {
        // The customer agrees that the shop may charge them, once a day at most.
        let mut body = json!({
            "gateway": gateway, "customer": customer, "usage": "unscheduled_merchant", "currency": self.currency,
            "country": self.country, "channels": offer.channels, "return_url": return_url,
            "recurring": {"frequency_days": 1, "ends_on": "2035-12-31"},
            "consent": {"text_version": "demo-1"},
        });
        if self.describes {
            body["description"] = format!("Save {} with the demo shop", offer.label).into();
        }
        body
    }

    /// The body of the demo shop's request to charge what was saved.
    pub fn payment(&self, purchase: &Purchase, return_url: &str) -> Value {
        let (initiator, reason) =
            if purchase.by_merchant { ("merchant", "unscheduled") } else { ("customer", "one_off") };
        json!({
            "amount": purchase.amount, "currency": self.currency, "initiator": initiator, "reason": reason,
            "description": "Demo shop", "return_url": return_url,
        })
    }
}
