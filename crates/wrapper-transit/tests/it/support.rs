//! Settings, keys and contexts.

use std::sync::Arc;

use billfold_core::entropy::SystemEntropy;
use billfold_core::vault::{
    DataKey, KeyId, KeyPurpose, KeyWrapper, WrapContext, WrapperRegistry, WrapperSettings,
};
use billfold_testkit::fake_transit::FakeTransit;
// Links the wrapper, as a program would.
use billfold_wrapper_transit as _;
use serde_json::{Value, json};

pub(crate) const KEY: &str = "billfold";

/// An engine with one key.
pub(crate) async fn engine() -> FakeTransit {
    let fake = FakeTransit::start().await;
    fake.add_key(KEY);
    fake
}

/// Settings for the engine, with changes; `null` leaves a key out. Whoever wants a silent engine to be given up soon
/// says so: elsewhere a busy machine must not look like one.
pub(crate) fn settings(fake: &FakeTransit, changes: &Value) -> WrapperSettings {
    let mut values =
        json!({"address": fake.address(), "key": KEY, "token": fake.token(), "timeout_ms": 30_000});
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => values.as_object_mut().unwrap().remove(key),
            value => values.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    let (origin, key) = ("billfold.toml".to_owned(), "vault.settings".to_owned());
    WrapperSettings { origin, key, development: true, values }
}

/// Built as a program builds it: from the linked registrations.
pub(crate) fn build(settings: &WrapperSettings) -> Arc<dyn KeyWrapper> {
    WrapperRegistry::linked().unwrap().build("transit", settings).unwrap()
}

pub(crate) fn wrapper(fake: &FakeTransit) -> Arc<dyn KeyWrapper> {
    build(&settings(fake, &json!({})))
}

pub(crate) fn key() -> DataKey {
    DataKey::generate(&SystemEntropy).unwrap()
}

pub(crate) fn context() -> WrapContext {
    WrapContext {
        key_id: KeyId::generate(&SystemEntropy).unwrap(),
        tenant: "acme".parse().unwrap(),
        subject: "cus_1".to_owned(),
        purpose: KeyPurpose::Data,
    }
}
