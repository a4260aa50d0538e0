//! The providers that this program links. A new gateway is one line here and one in `Cargo.toml`.

/// Links a provider when its feature is on: the registry knows the crates that a program names.
macro_rules! link {
    ($feature:tt, $package:ident) => {
        #[cfg(feature = $feature)]
        use $package as _;
    };
}

link!("adyen", adyen);
link!("gocardless", gocardless);
link!("stripe", stripe);
link!("xendit", xendit);
