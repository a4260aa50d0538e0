//! Saves bank debit mandates through GoCardless: a Billing Request for a mandate and nothing else, whose flow the
//! customer goes through on GoCardless's pages; and collects payments by saved mandates.
//!
//! Linking this crate registers the provider kind `gocardless`:
//!
//! ```
//! use billfold_provider_gocardless as _;
//! ```
//!
//! The rooms: `config` reads the settings table, `client` speaks HTTP with JSON in envelopes and `failure` turns
//! what goes wrong into errors, `wire` holds the gateway's types, `map` and `validate` are pure and convert between
//! them and core's, `webhook` verifies and reads deliveries, `provider` is the calls and `mandates` those about a
//! saved mandate, which may have been replaced by another. For charges: `charging` makes the calls, `payment` converts,
//! and `decline` knows why payments fail.

mod capabilities;
mod charging;
mod client;
mod config;
mod decline;
mod failure;
mod mandates;
mod map;
mod options;
mod payment;
mod provider;
mod validate;
mod webhook;
mod wire;

pub use provider::GoCardless;

/// The kind that `[gateways.<name>] provider = "…"` names.
pub const KIND: &str = "gocardless";

/// A commented example of the settings table, in TOML.
pub const SETTINGS_EXAMPLE: &str = include_str!("settings.toml");

billfold_core::register_provider!(
    kind: KIND,
    name: "GoCardless",
    build: provider::build,
    settings_example: SETTINGS_EXAMPLE,
);
