//! The sandbox's payments, as the contract's trials drive them.

use async_trait::async_trait;
use billfold_core::charge::DeclineClass;
use billfold_core::money::Money;
use billfold_sandbox::{ChargePlay as Play, SandboxControl};
use billfold_testkit::provider::{Booked, Card, ChargeDriver, ChargePlay};
use serde_json::Value;
use url::Url;

pub(crate) struct Charges {
    control: SandboxControl,
    back: std::sync::Mutex<Option<(String, Url)>>,
}

impl Charges {
    pub(crate) fn new(control: SandboxControl) -> Self {
        Self { control, back: std::sync::Mutex::default() }
    }
}

/// The code by which the sandbox's banks refuse for a reason of this class.
pub(crate) fn code(class: DeclineClass) -> &'static str {
    match class {
        DeclineClass::InsufficientFunds => "12",
        DeclineClass::Expired => "6",
        DeclineClass::Revoked => "26",
        DeclineClass::Fraud => "20",
        DeclineClass::AuthenticationRequired => "38",
        DeclineClass::Limit => "28",
        DeclineClass::TryAgainLater => "9",
        DeclineClass::DoNotRetry => "5",
    }
}

fn booked(payment: &Value) -> Booked {
    let reference = payment["reference"].as_str().unwrap();
    Booked {
        merchant_reference: reference.strip_suffix("-held").unwrap_or(reference).to_owned(),
        money: Money {
            amount: payment["amount"]["value"].as_i64().unwrap(),
            currency: payment["amount"]["currency"].as_str().unwrap().parse().unwrap(),
        },
        taken: payment["taken"].as_i64().unwrap(),
    }
}

#[async_trait]
impl ChargeDriver for Charges {
    fn lacks(&self, _: ChargePlay) -> Option<&'static str> {
        None
    }

    fn lacks_returns(&self) -> Option<&'static str> {
        None
    }

    fn lacks_return_url(&self) -> Option<&'static str> {
        None
    }

    fn money(&self) -> Money {
        Money { amount: 1050, currency: "EUR".parse().unwrap() }
    }

    async fn play(&self, card: Card, play: ChargePlay) {
        let ending = if card == Card::One { "1111" } else { "4444" };
        let play = match play {
            ChargePlay::Approve => Play::Approve,
            ChargePlay::Decline(class) => Play::Decline(code(class).to_owned()),
            ChargePlay::StepUp => Play::StepUp,
            ChargePlay::Slow => Play::Slow,
        };
        for token in self.control.tokens().iter().filter(|token| token["lastFour"] == ending) {
            self.control.play_charges(token["id"].as_str().unwrap(), play.clone());
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

    async fn finish(&self, charge: &str, well: bool) -> bool {
        self.control.finish_charge(charge, well)
    }

    async fn take_back(&self, charge: &str) -> bool {
        self.control.take_back_charge(charge, None)
    }

    async fn finish_refunds(&self) {
        self.control.finish_refunds();
    }

    async fn return_url(&self, charge: &str) -> Option<Url> {
        let charges = self.control.charges();
        let of_it =
            |payment: &&Value| payment["reference"].as_str().is_some_and(|name| name.starts_with(charge));
        charges.iter().find(of_it)?["returnUrl"].as_str()?.parse().ok()
    }

    async fn books(&self) -> Vec<Booked> {
        self.control.charges().iter().map(booked).collect()
    }

    fn amounts(&self) -> Vec<&'static str> {
        vec!["/amount/value"]
    }

    fn statuses(&self) -> Vec<&'static str> {
        vec!["/resultCode"]
    }
}
