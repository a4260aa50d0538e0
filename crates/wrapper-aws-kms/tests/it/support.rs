//! Settings, keys and contexts.

use std::sync::Arc;

use billfold_core::entropy::SystemEntropy;
use billfold_core::vault::{
    DataKey, KeyId, KeyPurpose, KeyWrapper, WrapContext, WrapperRegistry, WrapperSettings,
};
use billfold_testkit::fake_kms::{FakeKms, REGION};
// Links the wrapper, as a program would.
use billfold_wrapper_aws_kms as _;
use serde_json::{Value, json};

pub(crate) const ALIAS: &str = "billfold";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYCANARYKEY0";
pub(crate) const SESSION: &str = "IQoJb3JpZ2luX2VjCANARYSESSIONTOKEN0123456789";

/// A service with one key, and the key's ARN.
pub(crate) async fn service() -> (FakeKms, String) {
    let fake = FakeKms::start().await;
    let arn = fake.add_key(ALIAS);
    (fake, arn)
}

/// Settings for a key of the service, with changes. Whoever wants a silent service to be given up soon says so:
/// elsewhere a busy machine must not look like one.
fn settings(fake: &FakeKms, key_id: &str, changes: &Value) -> WrapperSettings {
    let mut values = json!({
        "key_id": key_id,
        "region": REGION,
        "endpoint_url": fake.endpoint(),
        "access_key_id": fake.access_key_id(),
        "secret_access_key": SECRET,
        "timeout_ms": 30_000,
    });
    for (key, value) in changes.as_object().unwrap() {
        values[key] = value.clone();
    }
    let (origin, key) = ("billfold.toml".to_owned(), "vault.settings".to_owned());
    WrapperSettings { origin, key, development: true, values }
}

/// Built as a program builds it: from the linked registrations.
pub(crate) fn wrapper_with(fake: &FakeKms, key_id: &str, changes: &Value) -> Arc<dyn KeyWrapper> {
    let settings = settings(fake, key_id, changes);
    WrapperRegistry::linked().unwrap().build("aws-kms", &settings).unwrap()
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
