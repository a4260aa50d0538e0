//! The sandbox, and what tests begin with.

use std::sync::{Arc, LazyLock};

use billfold_core::provider::{CustomerProfile, TokenizationProvider};
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_provider_adyen::KIND;
use billfold_sandbox::{Kind, Sandbox, SandboxConfig};
use serde_json::Value;

pub(crate) const API_KEY: &str = "AQECANARYkey";
pub(crate) const TOKEN_KEY: &str = "CA4A4100000000000000000000000000000000000000000000000000000000C1";

/// The transport that programs use. One for all tests, as it reads the system's trusted roots.
static TRANSPORT: LazyLock<Arc<ReqwestTransport>> =
    LazyLock::new(|| Arc::new(ReqwestTransport::for_development().unwrap()));

pub(crate) fn transport() -> Arc<ReqwestTransport> {
    TRANSPORT.clone()
}

pub(crate) async fn sandbox() -> Sandbox {
    let config = SandboxConfig {
        secret_key: API_KEY.into(),
        callback_token: TOKEN_KEY.into(),
        ..SandboxConfig::of(Kind::Adyen)
    };
    Sandbox::start(config).await.unwrap()
}

/// The settings of an account at the sandbox, as it prints them, with both webhooks.
pub(crate) fn settings(sandbox: &Sandbox, token_key: &str) -> Value {
    Kind::Adyen.settings(&sandbox.base_url(), API_KEY, token_key).into()
}

/// The provider of an account with these settings.
pub(crate) fn provider(values: Value) -> Arc<dyn TokenizationProvider> {
    let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
    let settings = Settings { gateway, mode: Mode::Test, origin, development: true, values };
    Registry::linked().unwrap().build(KIND, &settings).unwrap()
}

pub(crate) fn profile() -> CustomerProfile {
    CustomerProfile { given_names: Some("Lorem".to_owned()), ..CustomerProfile::default() }
}
