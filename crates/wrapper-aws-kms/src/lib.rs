//! Keeps the root key in AWS KMS. The root key never leaves the service; each data key is sent there to be
//! encrypted and decrypted.
//!
//! Linking this crate registers the key wrapper kind `aws-kms`:
//!
//! ```
//! use billfold_wrapper_aws_kms as _;
//! ```
//!
//! The rooms: `config` reads the settings table, `credentials` finds who we are, `failure` turns what goes wrong
//! into errors, `wrapper` makes the two calls through the SDK.

mod config;
mod credentials;
mod failure;
mod wrapper;

pub use wrapper::AwsKmsWrapper;

/// The kind, as in the configuration and in ids.
pub const KIND: &str = "aws-kms";

/// A commented example of the settings table, in TOML.
pub const SETTINGS_EXAMPLE: &str = include_str!("settings.toml");

billfold_core::register_key_wrapper!(
    kind: KIND,
    name: "AWS KMS",
    build: wrapper::build,
    settings_example: SETTINGS_EXAMPLE,
);
