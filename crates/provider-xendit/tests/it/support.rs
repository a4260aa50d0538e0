//! The provider, the sandbox, and the requests that tests begin with.

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use billfold_core::capability::Usage;
use billfold_core::clock::{Clock as _, SystemClock, Timestamp};
use billfold_core::provider::{
    CallContext, CreateSession, CustomerProfile, EnsureCustomer, ProviderSession, RecurringTerms, SessionRef,
    TokenizationProvider,
};
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_core::{Error, Result};
use billfold_provider_xendit::KIND;
use billfold_sandbox::{CompleteSession, Sandbox, SandboxConfig, SandboxControl};
use serde_json::{Value, json};

pub(crate) const SECRET_KEY: &str = "xnd_development_CANARY-key";
pub(crate) const CALLBACK_TOKEN: &str = "CANARY-callback-token";
/// Our id of a session, as long as they are.
pub(crate) const REFERENCE: &str = "ses_018f0000000070008000000000000001";
pub(crate) const CUSTOMER: &str = "cus_018f0000000070008000000000000002";
pub(crate) const RETURN_URL: &str = "https://pay.shop.example/return/1";

/// The provider at `base_url`, in test mode, with `changes` to its settings.
pub(crate) fn provider(base_url: &str, changes: &Value) -> Arc<dyn TokenizationProvider> {
    build(Mode::Test, true, base_url, changes).unwrap()
}

pub(crate) fn build(
    mode: Mode,
    development: bool,
    base_url: &str,
    changes: &Value,
) -> Result<Arc<dyn TokenizationProvider>> {
    let mut values =
        json!({"base_url": base_url, "secret_key": SECRET_KEY, "callback_token": CALLBACK_TOKEN});
    merge(&mut values, changes);
    let origin = "billfold.toml".to_owned();
    let settings = Settings { gateway: "main".to_owned(), mode, origin, development, values };
    Registry::linked().unwrap().build(KIND, &settings)
}

/// The transport that programs use. One for all tests, as it reads the system's trusted roots.
static TRANSPORT: LazyLock<Arc<ReqwestTransport>> =
    LazyLock::new(|| Arc::new(ReqwestTransport::for_development().unwrap()));

pub(crate) fn transport() -> Arc<ReqwestTransport> {
    TRANSPORT.clone()
}

/// A call's surroundings.
pub(crate) fn context(idempotency_key: &str) -> CallContext {
    CallContext::new(transport(), Arc::new(SystemClock), "main", idempotency_key)
}

/// Puts `changes` over `value`, objects member by member; null takes away.
pub(crate) fn merge(value: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else {
        *value = changes.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (key, change) in changes {
        if change.is_null() {
            value.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut value[key], change);
        }
    }
}

pub(crate) fn changed(mut value: Value, changes: &Value) -> Value {
    merge(&mut value, changes);
    value
}

/// A request with nothing but what is required; merchant's use comes with its terms.
pub(crate) fn request(reference: &str, usage: Usage) -> CreateSession {
    let (currency, country) = ("IDR".parse().unwrap(), "ID".parse().unwrap());
    let url: url::Url = RETURN_URL.parse().unwrap();
    let expires_at = in_minutes(30);
    let mut request =
        CreateSession::new(reference, CUSTOMER, usage, currency, country, url.clone(), url, expires_at);
    request.customer = profile();
    if usage.is_merchant_initiated() {
        request.recurring = Some(RecurringTerms { frequency_days: 30, ends_on: "2030-12-31".to_owned() });
    }
    request
}

pub(crate) fn in_minutes(minutes: u64) -> Timestamp {
    SystemClock.now().plus(Duration::from_mins(minutes))
}

pub(crate) fn profile() -> CustomerProfile {
    CustomerProfile { given_names: Some("Lorem".to_owned()), ..CustomerProfile::default() }
}

pub(crate) fn ensure() -> EnsureCustomer {
    EnsureCustomer::new(CUSTOMER, profile())
}

/// What never leaves: the key, as it is and as HTTP Basic has it, the callback token, and everything that
/// tests put into the gateway's answers and mark with this word.
pub(crate) fn assert_quiet(text: &str, what: &dyn Debug) {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{SECRET_KEY}:"));
    assert!(!text.contains("CANARY") && !text.contains(&basic), "{what:?} tells a secret: {text}");
}

/// Looks at every way in which an error can be printed.
pub(crate) fn assert_error_is_quiet(error: &Error, what: &dyn Debug) {
    assert_quiet(&format!("{error} {error:?} {error:#?} {} {}", error.log_line(), error.message()), what);
    assert_quiet(&format!("{:?} {:?} {:?}", error.context(), error.fault(), error.fields()), what);
}

/// The sandbox and a provider that uses it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) provider: Arc<dyn TokenizationProvider>,
    pub(crate) cx: CallContext,
}

impl World {
    pub(crate) async fn start(changes: Value) -> Self {
        let sandbox = Sandbox::start(SandboxConfig {
            secret_key: SECRET_KEY.into(),
            callback_token: CALLBACK_TOKEN.into(),
            ..SandboxConfig::default()
        });
        let sandbox = sandbox.await.unwrap();
        let provider = provider(sandbox.base_url().as_str(), &changes);
        Self { sandbox, provider, cx: context(CUSTOMER) }
    }

    pub(crate) fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    /// Makes the customer where there is a directory, and opens the session.
    pub(crate) async fn create(&self, mut request: CreateSession) -> Result<ProviderSession> {
        if let Some(directory) = self.provider.customers() {
            request.gateway_customer = Some(directory.ensure(&self.cx, ensure()).await?);
        }
        self.provider.create_session(&self.cx, request).await
    }

    /// A session that was completed like this, and its token's id.
    pub(crate) async fn completed(&self, complete: &CompleteSession) -> (String, String) {
        let session = self.create(request(REFERENCE, Usage::OnSession)).await.unwrap();
        let token = self.control().complete(&session.reference, complete).unwrap();
        (session.reference, token)
    }

    pub(crate) async fn fetch(&self, session: &str) -> Result<ProviderSession> {
        self.provider.fetch_session(&self.cx, SessionRef::new(session)).await
    }
}
