//! Saves payment methods through Xendit Payment Sessions (`session_type` SAVE, hosted page), and charges them through
//! its Payment Requests.
//!
//! Linking this crate registers the provider kind `xendit`:
//!
//! ```
//! use billfold_provider_xendit as _;
//! ```
//!
//! The rooms: `config` reads the settings table, `client` speaks HTTP and `failure` turns what goes
//! wrong into errors, `wire` holds the gateway's types, `map` and `validate` are pure and convert
//! between them and core's, `webhook` verifies and reads deliveries, `provider`, `customers` and `charging`
//! are the calls, and `decline` tells why a charge was refused.

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

pub use provider::Xendit;

/// The kind that `[gateways.<name>] provider = "…"` names.
pub const KIND: &str = "xendit";

/// A commented example of the settings table, in TOML.
pub const SETTINGS_EXAMPLE: &str = include_str!("settings.toml");

billfold_core::register_provider!(
    kind: KIND,
    name: "Xendit",
    build: provider::build,
    settings_example: SETTINGS_EXAMPLE,
);
