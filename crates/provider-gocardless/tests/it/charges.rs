//! The sandbox's payments, as the contract's trials drive them.

use async_trait::async_trait;
use billfold_core::charge::DeclineClass;
use billfold_core::money::Money;
use billfold_sandbox::{ChargePlay as Play, SandboxControl};
use billfold_testkit::provider::{Booked, Card, ChargeDriver, ChargePlay};
use serde_json::Value;

pub(crate) struct Charges {
    pub(crate) control: SandboxControl,
}

/// A cause of this class; `None` for one that fails no payment.
fn cause(class: DeclineClass) -> Option<&'static str> {
    match class {
        DeclineClass::InsufficientFunds => Some("insufficient_funds"),
        DeclineClass::Expired => None,
        DeclineClass::Revoked => Some("mandate_cancelled"),
        DeclineClass::Fraud => Some("authorisation_disputed"),
        DeclineClass::AuthenticationRequired => Some("insufficient_payment_permissions"),
        DeclineClass::Limit => Some("daily_payment_limit_reached"),
        DeclineClass::TryAgainLater => Some("bank_account_transferred"),
        DeclineClass::DoNotRetry => Some("direct_debit_not_enabled"),
    }
}

fn booked(payment: &Value) -> Booked {
    Booked {
        merchant_reference: payment["metadata"]["billfold_charge"].as_str().unwrap().to_owned(),
        money: Money {
            amount: payment["amount"].as_i64().unwrap(),
            currency: payment["currency"].as_str().unwrap().parse().unwrap(),
        },
        taken: payment["taken"].as_i64().unwrap(),
    }
}

#[async_trait]
impl ChargeDriver for Charges {
    fn lacks(&self, play: ChargePlay) -> Option<&'static str> {
        match play {
            ChargePlay::StepUp => Some("nobody is asked about a payment by a mandate"),
            ChargePlay::Decline(class) if cause(class).is_none() => {
                Some("a payment by a mandate that ended is cancelled, not refused")
            }
            _ => None,
        }
    }

    fn lacks_returns(&self) -> Option<&'static str> {
        None
    }

    fn lacks_return_url(&self) -> Option<&'static str> {
        Some("nobody is asked about a payment by a mandate, and nobody comes back")
    }

    fn money(&self) -> Money {
        Money { amount: 1050, currency: "GBP".parse().unwrap() }
    }

    /// The mandates of the driver's two accounts are of one customer each; a trial saves one.
    async fn play(&self, _: Card, play: ChargePlay) {
        let play = match play {
            ChargePlay::Decline(class) => Play::Decline(cause(class).unwrap().to_owned()),
            ChargePlay::Approve | ChargePlay::StepUp => Play::Approve,
            ChargePlay::Slow => Play::Slow,
        };
        for mandate in self.control.tokens() {
            self.control.play_charges(mandate["id"].as_str().unwrap(), play.clone());
        }
    }

    async fn pass_step_up(&self, _: &str, _: bool) -> bool {
        false
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

    async fn books(&self) -> Vec<Booked> {
        self.control.charges().iter().map(booked).collect()
    }

    fn amounts(&self) -> Vec<&'static str> {
        vec!["/payments/amount"]
    }

    fn statuses(&self) -> Vec<&'static str> {
        vec!["/payments/status", "/payments/0/status"]
    }
}
