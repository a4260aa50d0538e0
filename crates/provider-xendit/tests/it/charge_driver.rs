//! The sandbox's part that charges, as the contract's trials want it.

use async_trait::async_trait;
use billfold_core::charge::DeclineClass;
use billfold_core::money::{Currency, Money};
use billfold_sandbox::{ChargePlay as Play, SandboxControl};
use billfold_testkit::provider::{Booked, Card, ChargeDriver, ChargePlay};
use serde_json::Value;

pub(crate) struct XenditCharges(pub(crate) SandboxControl);

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
        for token in self.0.tokens() {
            assert!(self.0.play_charges(token["payment_token_id"].as_str().unwrap(), play.clone()));
        }
    }

    async fn pass_step_up(&self, charge: &str, passes: bool) -> bool {
        self.0.act_on_charge(charge, passes).is_some()
    }

    async fn finish(&self, charge: &str, well: bool) -> bool {
        self.0.finish_charge(charge, well)
    }

    async fn finish_refunds(&self) {
        self.0.finish_refunds();
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
        self.0.charges().iter().map(booked).collect()
    }

    fn amounts(&self) -> Vec<&'static str> {
        vec!["/request_amount"]
    }
}
