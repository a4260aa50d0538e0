//! Saves payment methods through Acme Pay, an invented gateway. Linking this crate registers the provider kind `acme`.
//!
//! Acme Pay speaks the protocol of the test kit's HTTP reference, so that the reference's gateway can play it in tests.

mod client;
mod config;
mod map;
mod provider;
mod tokens;
mod webhook;
mod wire;

/// The kind that `[gateways.<name>] provider = "…"` names.
pub const KIND: &str = "acme";
/// The gateway's name for people.
pub(crate) const NAME: &str = "Acme Pay";

billfold_core::register_provider!(
    kind: KIND,
    name: NAME,
    build: provider::build,
    settings_example: include_str!("settings.toml"),
);
