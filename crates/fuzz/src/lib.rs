//! What is fuzzed, and what must hold of every input. A target is a function that panics when something does not.
//!
//! The same functions run in two ways: under libFuzzer (`libfuzzer`, by `cargo xtask fuzz`), for as long as one likes,
//! and in the tests of this crate, over the committed corpus and a few thousand mutations of it.
//!
//! `corpus` has a folder for each target, with inputs made by us. How a target reads its input stands at its module.

#![expect(clippy::expect_used, clippy::panic, reason = "a target fails loudly")]

pub mod accounts;
pub mod answers;
mod charges;
pub mod config;
pub mod returns;
pub mod sealed;
mod transport;
pub mod webhooks;

use std::sync::{Arc, LazyLock};

use accounts::{ADYEN, Account, GOCARDLESS, STRIPE, XENDIT};
use billfold_core::provider::TokenizationProvider;

/// Something that is fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus`.
    pub name: &'static str,
    /// Panics when something does not hold of the input.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "webhook_xendit", run: |data| webhooks::check(XENDIT, provider_of(XENDIT), data) },
    Target { name: "webhook_stripe", run: |data| webhooks::check(STRIPE, provider_of(STRIPE), data) },
    Target { name: "webhook_adyen", run: |data| webhooks::check(ADYEN, provider_of(ADYEN), data) },
    Target {
        name: "webhook_gocardless",
        run: |data| webhooks::check(GOCARDLESS, provider_of(GOCARDLESS), data),
    },
    Target { name: "answers_xendit", run: |data| answers::check(XENDIT, provider_of(XENDIT), data) },
    Target { name: "answers_stripe", run: |data| answers::check(STRIPE, provider_of(STRIPE), data) },
    Target { name: "answers_adyen", run: |data| answers::check(ADYEN, provider_of(ADYEN), data) },
    Target {
        name: "answers_gocardless",
        run: |data| answers::check(GOCARDLESS, provider_of(GOCARDLESS), data),
    },
    Target { name: "sealed", run: sealed::check },
    Target { name: "returns", run: returns::check },
    Target { name: "config", run: config::check },
];

/// Runs the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).run)(data);
}

static PROVIDERS: LazyLock<Vec<(&str, Arc<dyn TokenizationProvider>)>> =
    LazyLock::new(|| accounts::ALL.iter().map(|account| (account.kind, account.build())).collect());

/// The provider of an account.
fn provider_of(account: &Account) -> &'static dyn TokenizationProvider {
    let found = PROVIDERS.iter().find(|(kind, _)| *kind == account.kind);
    found.unwrap_or_else(|| panic!("there is no provider {}", account.kind)).1.as_ref()
}
