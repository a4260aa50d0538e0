//! Acme Pay's provider, built through its registration, keeps the contract of providers.

use std::sync::Arc;

use billfold_core::registry::Registry;
use billfold_core::settings::Settings;
use billfold_testkit::provider::{self, Driver};
use billfold_testkit::reference_http::{HttpReference, Proof};

/// The reference's gateway plays Acme Pay. It has a setting for how webhooks are proven; Acme Pay has one way only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept() {
    let driver = || {
        HttpReference::with(Proof::Signature, |given| {
            let mut values = given.values.clone();
            values.as_object_mut().map(|table| table.remove("proof"));
            let (gateway, origin) = (given.gateway.clone(), given.origin.clone());
            let settings =
                Settings { gateway, mode: given.mode, origin, development: given.development, values };
            Registry::linked()?.build(acme::KIND, &settings)
        })
    };
    provider::run(|| async { Arc::new(driver()) as Arc<dyn Driver> }).await;
}
