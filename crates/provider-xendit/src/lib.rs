//! Saves payment methods through Xendit Payment Sessions (`session_type` SAVE, hosted page).
//!
//! Linking this crate registers the provider kind `xendit`:
//!
//! ```
//! use billfold_provider_xendit as _;
//! ```
//!
//! The rooms: `config` reads the settings table, `client` speaks HTTP and `failure` turns what goes
//! wrong into errors, `wire` holds the gateway's types, `map` and `validate` are pure and convert
//! between them and core's, `webhook` verifies and reads deliveries, `provider` and `customers` are
//! the calls.

mod capabilities;
mod client;
mod config;
mod customers;
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
