//! The key wrappers that this program links, beside core's own. A new one is one line here and one feature in
//! `Cargo.toml`.

#[cfg(feature = "aws-kms")]
use billfold_wrapper_aws_kms as _;
#[cfg(feature = "transit")]
use billfold_wrapper_transit as _;
