//! The contract of `TokenizationProvider`: trials that every provider passes, over the real use cases. An
//! author brings a [`Driver`] of a gateway (a local one, never the real one) and calls [`run`].
//!
//! ```ignore
//! #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
//! async fn acme_keeps_the_contract() {
//!     provider::run(|| async { Arc::new(AcmeDriver::start().await) as Arc<dyn Driver> }).await;
//! }
//! ```
//!
//! What goes wrong between provider and gateway (time-outs, errors, pages of a proxy) is played by the suite
//! itself, at the transport. So a provider has to send all that it sends through `CallContext::send`.

mod ability;
mod charge_driver;
mod charges;
mod column;
mod driver;
mod endings;
mod faults;
mod hostile;
mod methods;
mod saving;
mod secrets;
mod webhooks;
mod wire;
mod world;

use std::sync::Arc;

use futures::future::BoxFuture;

pub use charge_driver::{Booked, ChargeDriver, ChargePlay};
pub use driver::{Ability, Card, Driver, Rotation, SentWebhook, Signer};

use column::Column;
use world::World;

/// One trial.
#[derive(Clone, Copy)]
pub struct Trial {
    name: &'static str,
    lacking: fn(&World) -> Option<&'static str>,
    act: fn(World) -> BoxFuture<'static, ()>,
}

/// How a trial ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider keeps this part of the contract.
    Passed,
    /// The gateway has no such thing, for this reason.
    Ignored(&'static str),
}

impl Trial {
    const fn new(name: &'static str, act: fn(World) -> BoxFuture<'static, ()>) -> Self {
        Self { name, lacking: |_| None, act }
    }

    /// The same, for gateways of which `lacking` says nothing.
    const fn unless(mut self, lacking: fn(&World) -> Option<&'static str>) -> Self {
        self.lacking = lacking;
        self
    }

    /// What it shows, in a few words.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it against a gateway that nothing happened at yet. Panics when the contract is broken.
    pub async fn run(&self, driver: Arc<dyn Driver>) -> Outcome {
        let world = World::new(driver);
        if let Some(reason) = (self.lacking)(&world) {
            return Outcome::Ignored(reason);
        }
        (self.act)(world).await;
        Outcome::Passed
    }
}

/// Every trial.
pub fn trials() -> Vec<Trial> {
    let parts = [
        ability::trials(),
        saving::trials(),
        endings::trials(),
        webhooks::trials(),
        faults::trials(),
        hostile::trials(),
        methods::trials(),
        charges::trials(),
        secrets::trials(),
    ];
    parts.concat()
}

/// Runs every trial, each with a driver that `fresh` gives, and lists them on standard error. For a provider of this
/// repository, what it passes is what `docs/providers` says of it.
pub async fn run<F>(fresh: impl Fn() -> F)
where
    F: Future<Output = Arc<dyn Driver>>,
{
    let mut column = Column::of(&*fresh().await);
    for trial in trials() {
        // Said before it runs, so that a panic is seen below its name.
        eprintln!("provider trial: {}", trial.name);
        let outcome = trial.run(fresh().await).await;
        if let Outcome::Ignored(reason) = outcome {
            eprintln!("    ignored: {reason}");
        }
        column.add(&trial, outcome);
    }
    column.keep();
}
