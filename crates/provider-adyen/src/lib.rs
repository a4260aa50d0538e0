//! Saves payment methods through Adyen sessions of no amount: on Adyen's page (Hosted Checkout), or on the
//! merchant's own with Adyen's Drop-in; and charges what was saved.
//!
//! Linking this crate registers the provider kind `adyen`:
//!
//! ```
//! use billfold_provider_adyen as _;
//! ```
//!
//! The rooms: `config` reads the settings table, `client` speaks HTTP and `failure` turns what goes wrong into
//! errors, `wire` holds the gateway's types, `map` and `validate` are pure and convert between them and core's,
//! `evidence` is what a browser brings back, `webhook` verifies and reads deliveries in both of the gateway's
//! schemes, `provider` makes the calls. For charges: `charging` makes the calls, `payment` converts, `amount`, `decline`
//! and `reference` know the gateway's units, refusals and names.

mod amount;
mod capabilities;
mod charging;
mod client;
mod config;
mod decline;
mod evidence;
mod failure;
mod map;
mod options;
mod payment;
mod provider;
mod reference;
mod validate;
mod webhook;
mod wire;

pub use provider::Adyen;

/// The kind that `[gateways.<name>] provider = "…"` names.
pub const KIND: &str = "adyen";

/// A commented example of the settings table, in TOML.
pub const SETTINGS_EXAMPLE: &str = include_str!("settings.toml");

billfold_core::register_provider!(
    kind: KIND,
    name: "Adyen",
    build: provider::build,
    settings_example: SETTINGS_EXAMPLE,
);
