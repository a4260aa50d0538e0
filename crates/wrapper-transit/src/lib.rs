//! Keeps the root key in a transit secrets engine: HashiCorp Vault, or OpenBao, which speaks alike. The root
//! key never leaves the engine; each data key is sent there to be encrypted and decrypted.
//!
//! Linking this crate registers the key wrapper kind `transit`:
//!
//! ```
//! use billfold_wrapper_transit as _;
//! ```
//!
//! The rooms: `config` reads the settings table, `client` makes the two calls, `failure` turns what goes wrong
//! into errors, `ciphertext` knows what a wrapped key looks like, `wrapper` joins them.

mod ciphertext;
mod client;
mod config;
mod failure;
mod wrapper;

pub use wrapper::TransitWrapper;

/// The kind, as in the configuration and in ids.
pub const KIND: &str = "transit";

/// A commented example of the settings table, in TOML.
pub const SETTINGS_EXAMPLE: &str = include_str!("settings.toml");

billfold_core::register_key_wrapper!(
    kind: KIND,
    name: "HashiCorp Vault or OpenBao, transit engine",
    build: wrapper::build,
    settings_example: SETTINGS_EXAMPLE,
);
