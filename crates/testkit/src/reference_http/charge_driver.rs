//! The HTTP reference's charges as the contract suite drives them.

use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::money::Money;
use url::Url;

use super::charges::KeptCharge;
use super::driver::number;
use super::gateway::HttpGateway;
use crate::provider::{Booked, Card, ChargeDriver, ChargePlay};

pub(super) struct Charges(pub(super) Arc<HttpGateway>);

#[async_trait]
impl ChargeDriver for Charges {
    fn lacks(&self, _play: ChargePlay) -> Option<&'static str> {
        None
    }

    fn lacks_returns(&self) -> Option<&'static str> {
        None
    }

    fn lacks_return_url(&self) -> Option<&'static str> {
        None
    }

    fn money(&self) -> Money {
        Money { amount: 1_234_567, currency: "IDR".parse().expect("a currency") }
    }

    async fn play(&self, card: Card, play: ChargePlay) {
        self.0.state().books.plays.insert(number(card).to_owned(), play);
    }

    async fn pass_step_up(&self, charge: &str, passes: bool) -> bool {
        self.0.step_up(charge, passes)
    }

    async fn finish(&self, charge: &str, well: bool) -> bool {
        self.0.finish(charge, well)
    }

    async fn take_back(&self, charge: &str) -> bool {
        self.0.take_back(charge)
    }

    async fn finish_refunds(&self) {
        self.0.finish_refunds();
    }

    async fn books(&self) -> Vec<Booked> {
        self.0.state().books.charges.values().map(booked).collect()
    }

    async fn return_url(&self, charge: &str) -> Option<Url> {
        let state = self.0.state();
        let kept = state.books.charges.values().find(|kept| kept.asked.reference == charge)?;
        kept.asked.return_url.parse().ok()
    }

    fn amounts(&self) -> Vec<&'static str> {
        vec!["/amount", "/charges/0/amount"]
    }

    fn statuses(&self) -> Vec<&'static str> {
        vec!["/status", "/charges/0/status"]
    }
}

fn booked(kept: &KeptCharge) -> Booked {
    let currency = kept.asked.currency.parse().expect("a currency");
    Booked {
        merchant_reference: kept.asked.reference.clone(),
        money: Money { amount: kept.asked.amount, currency },
        taken: kept.taken(),
    }
}
