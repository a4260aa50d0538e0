//! The sandbox's part that charges, as the contract's trials want it.

use std::sync::Mutex;

use async_trait::async_trait;
use billfold_core::charge::DeclineClass;
use billfold_core::money::Money;
use billfold_sandbox::{ChargePlay as Play, SandboxControl};
use billfold_testkit::provider::{Booked, Card, ChargeDriver, ChargePlay};
use serde_json::Value;
use url::Url;

pub(crate) struct StripeCharges {
    control: SandboxControl,
    /// Where a customer's browser was sent last, and of which charge.
    back: Mutex<Option<(String, Url)>>,
}

impl StripeCharges {
    pub(crate) fn new(control: SandboxControl) -> Self {
        Self { control, back: Mutex::default() }
    }
}

/// A code of the gateway's for each class.
fn code(class: DeclineClass) -> &'static str {
    match class {
        DeclineClass::InsufficientFunds => "insufficient_funds",
        DeclineClass::Expired => "expired_card",
        DeclineClass::Revoked => "revocation_of_authorization",
        DeclineClass::Fraud => "stolen_card",
        DeclineClass::AuthenticationRequired => "authentication_required",
        DeclineClass::Limit => "card_velocity_exceeded",
        DeclineClass::TryAgainLater => "issuer_not_available",
        DeclineClass::DoNotRetry => "do_not_honor",
    }
}

/// Euros have the same minor units on both sides.
fn booked(entry: &Value) -> Booked {
    let amount = |field: &str| entry[field].as_i64().unwrap();
    let currency = entry["currency"].as_str().unwrap().to_uppercase().parse().unwrap();
    Booked {
        merchant_reference: entry["metadata"]["billfold_charge"].as_str().unwrap().to_owned(),
        money: Money { amount: amount("amount"), currency },
        taken: amount("taken"),
    }
}

#[async_trait]
impl ChargeDriver for StripeCharges {
    fn lacks(&self, _: ChargePlay) -> Option<&'static str> {
        None
    }

    fn lacks_return_url(&self) -> Option<&'static str> {
        None
    }

    fn lacks_returns(&self) -> Option<&'static str> {
        Some("what a bank takes back is a dispute of its own, and the charge stays as it was")
    }

    fn money(&self) -> Money {
        Money { amount: 1_099, currency: "EUR".parse().unwrap() }
    }

    async fn play(&self, _: Card, play: ChargePlay) {
        let play = match play {
            ChargePlay::Approve => Play::Approve,
            ChargePlay::Decline(class) => Play::Decline(code(class).to_owned()),
            ChargePlay::StepUp => Play::StepUp,
            ChargePlay::Slow => Play::Slow,
        };
        for method in self.control.tokens() {
            assert!(self.control.play_charges(method["id"].as_str().unwrap(), play.clone()));
        }
    }

    async fn pass_step_up(&self, charge: &str, passes: bool) -> bool {
        let Some(address) = self.control.act_on_charge(charge, passes) else { return false };
        *self.back.lock().unwrap() = Some((charge.to_owned(), address.parse().unwrap()));
        true
    }

    async fn way_back(&self, charge: &str) -> Option<Url> {
        let back = self.back.lock().unwrap().clone();
        back.filter(|(of, _)| of == charge).map(|(_, address)| address)
    }

    async fn return_url(&self, charge: &str) -> Option<Url> {
        let booked = self
            .control
            .charges()
            .into_iter()
            .find(|entry| entry["metadata"]["billfold_charge"] == charge)?;
        booked["return_url"].as_str()?.parse().ok()
    }

    async fn finish(&self, charge: &str, well: bool) -> bool {
        self.control.finish_charge(charge, well)
    }

    async fn finish_refunds(&self) {
        self.control.finish_refunds();
    }

    async fn books(&self) -> Vec<Booked> {
        self.control.charges().iter().map(booked).collect()
    }

    fn amounts(&self) -> Vec<&'static str> {
        vec!["/amount", "/data/0/amount"]
    }
}
