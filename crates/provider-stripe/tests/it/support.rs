//! The sandbox, and what tests begin with.

use std::sync::{Arc, LazyLock};

use billfold_core::provider::CustomerProfile;
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_sandbox::{Kind, Sandbox, SandboxConfig};

pub(crate) const SECRET_KEY: &str = "sk_test_CANARYkey";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_CANARYsecret";

/// The transport that programs use. One for all tests, as it reads the system's trusted roots.
static TRANSPORT: LazyLock<Arc<ReqwestTransport>> =
    LazyLock::new(|| Arc::new(ReqwestTransport::for_development().unwrap()));

pub(crate) fn transport() -> Arc<ReqwestTransport> {
    TRANSPORT.clone()
}

pub(crate) async fn sandbox() -> Sandbox {
    let config = SandboxConfig {
        secret_key: SECRET_KEY.into(),
        callback_token: WEBHOOK_SECRET.into(),
        ..SandboxConfig::of(Kind::Stripe)
    };
    Sandbox::start(config).await.unwrap()
}

pub(crate) fn profile() -> CustomerProfile {
    CustomerProfile { given_names: Some("Lorem".to_owned()), ..CustomerProfile::default() }
}
