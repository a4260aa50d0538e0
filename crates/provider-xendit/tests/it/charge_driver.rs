//! The sandbox's part that charges, as the contract's trials want it.

use std::sync::Mutex;

use async_trait::async_trait;
use billfold_core::charge::DeclineClass;
use billfold_core::money::{Currency, Money};
use billfold_sandbox::{ChargePlay as Play, SandboxControl};
use billfold_testkit::provider::{Booked, Card, ChargeDriver, ChargePlay};
use serde_json::Value;
use url::Url;

pub(crate) struct XenditCharges {
    control: SandboxControl,
    /// Where a customer's browser was sent last, and of which charge.
    back: Mutex<Option<(String, Url)>>,
}

impl XenditCharges {
    pub(crate) fn new(control: SandboxControl) -> Self {
        Self { control, back: Mutex::default() }
    }
}

fn minor(amount: &Value, currency: Currency) -> i64 {
    Money::from_decimal(amount.as_str().unwrap(), currency).unwrap().amount
}

/// A code of the gateway's for each class.
fn code(class: DeclineClass) -> &'static str {
    match class {
        DeclineClass::InsufficientFunds => "INSUFFICIENT_BALANCE",
        DeclineClass::Expired => "EXPIRED_CARD",
        DeclineClass::Revoked => "INVALID_TOKEN",
        DeclineClass::Fraud => "STOLEN_CARD",
        DeclineClass::AuthenticationRequired => "SKIP_3DS_FORBIDDEN",
        DeclineClass::Limit => "PAYMENT_AMOUNT_LIMITS_EXCEEDED",
        DeclineClass::TryAgainLater => "ISSUER_UNAVAILABLE",
        DeclineClass::DoNotRetry => "CARD_DECLINED",
    }
}

#[async_trait]
impl ChargeDriver for XenditCharges {
    fn lacks(&self, _: ChargePlay) -> Option<&'static str> {
        None
    }

    fn lacks_return_url(&self) -> Option<&'static str> {
        None
    }

    fn lacks_returns(&self) -> Option<&'static str> {
        Some("it documents nothing that takes back a payment which succeeded")
    }

    fn money(&self) -> Money {
        Money { amount: 15_000_000, currency: "IDR".parse().unwrap() }
    }

    async fn play(&self, _: Card, play: ChargePlay) {
        let play = match play {
            ChargePlay::Approve => Play::Approve,
            ChargePlay::Decline(class) => Play::Decline(code(class).to_owned()),
            ChargePlay::StepUp => Play::StepUp,
            ChargePlay::Slow => Play::Slow,
        };
        for token in self.control.tokens() {
            assert!(self.control.play_charges(token["payment_token_id"].as_str().unwrap(), play.clone()));
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
        let booked = self.control.charges().into_iter().find(|entry| entry["reference"] == charge)?;
        booked["return_url"].as_str()?.parse().ok()
    }

    async fn finish(&self, charge: &str, well: bool) -> bool {
        self.control.finish_charge(charge, well)
    }

    async fn finish_refunds(&self) {
        self.control.finish_refunds();
    }

    async fn books(&self) -> Vec<Booked> {
        let booked = |entry: &Value| {
            let currency: Currency = entry["currency"].as_str().unwrap().parse().unwrap();
            Booked {
                merchant_reference: entry["reference"].as_str().unwrap().to_owned(),
                money: Money { amount: minor(&entry["amount"], currency), currency },
                taken: minor(&entry["taken"], currency),
            }
        };
        self.control.charges().iter().map(booked).collect()
    }

    fn amounts(&self) -> Vec<&'static str> {
        vec!["/request_amount"]
    }
}
