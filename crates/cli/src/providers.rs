//! The providers that this program links. A new gateway is one line here and one feature in
//! `Cargo.toml`.

#[cfg(feature = "xendit")]
use billfold_provider_xendit as _;
