//! Saves payment methods through Stripe: Checkout Sessions in setup mode (hosted page), or SetupIntents whose
//! client secret the merchant's own page uses. Charges what was saved by PaymentIntents.
//!
//! Linking this crate registers the provider kind `stripe`:
//!
//! ```
//! use billfold_provider_stripe as _;
//! ```
//!
//! The rooms: `config` reads the settings table, `client` speaks HTTP with form bodies and `failure` turns what
//! goes wrong into errors, `wire` holds the gateway's types, `map` and `validate` are pure and convert between
//! them and core's, `webhook` verifies and reads deliveries, `provider`, `customers` and `charging` are the
//! calls, `amount` knows the gateway's units and `decline` tells why a charge was refused.

mod amount;
mod capabilities;
mod charging;
mod client;
mod config;
mod customers;
mod decline;
mod failure;
mod map;
mod options;
mod provider;
mod validate;
mod webhook;
mod wire;

pub use provider::Stripe;

/// The kind that `[gateways.<name>] provider = "…"` names.
pub const KIND: &str = "stripe";

/// A commented example of the settings table, in TOML.
pub const SETTINGS_EXAMPLE: &str = include_str!("settings.toml");

billfold_core::register_provider!(
    kind: KIND,
    name: "Stripe",
    build: provider::build,
    settings_example: SETTINGS_EXAMPLE,
);
