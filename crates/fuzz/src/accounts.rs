//! One account at each gateway, with secrets that are easily found where they must not be.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::capability::{MethodKind, Usage};
use billfold_core::clock::Timestamp;
use billfold_core::money::{Country, Currency};
use billfold_core::provider::{CreateSession, CustomerProfile, TokenizationProvider};
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_provider_adyen as _;
use billfold_provider_gocardless as _;
use billfold_provider_stripe as _;
use billfold_provider_xendit as _;
use memchr::memmem;
use serde_json::Value;

/// What time it is in every target.
pub const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
/// Our id of a session.
pub const SESSION: &str = "ses_018f0000000070008000000000000001";
/// Our id of a charge.
pub const CHARGE: &str = "chg_018f0000000070008000000000000003";
/// Our id of a refund.
pub const REFUND: &str = "rfd_018f0000000070008000000000000004";
/// What stands in every secret.
pub const CANARY: &str = "CANARY";

/// An account at a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// Which provider.
    pub kind: &'static str,
    /// What signs its webhooks, or is their token.
    pub webhook_secret: &'static str,
    /// Where its requests go.
    pub host: &'static str,
    /// Where and in which currency a method is saved there.
    country: &'static str,
    currency: &'static str,
    /// A saved method that is charged.
    pub(crate) method: MethodKind,
    pub(crate) channel: &'static str,
    pub(crate) token: &'static str,
    settings: &'static str,
}

/// Xendit.
pub const XENDIT: &Account = &Account {
    kind: "xendit",
    webhook_secret: "CANARY-callback-token",
    host: "api.xendit.co",
    country: "ID",
    currency: "IDR",
    method: MethodKind::Card,
    channel: "CARDS",
    token: "pt-00000000-0000-4000-8000-000000000001",
    settings: r#"{"secret_key": "xnd_development_CANARY-key", "callback_token": "CANARY-callback-token"}"#,
};
/// Stripe.
pub const STRIPE: &Account = &Account {
    kind: "stripe",
    webhook_secret: "whsec_CANARYsecret",
    host: "api.stripe.com",
    country: "DE",
    currency: "EUR",
    method: MethodKind::Card,
    channel: "card",
    token: "pm_1",
    settings: r#"{"secret_key": "sk_test_CANARYkey", "webhook_secret": "whsec_CANARYsecret"}"#,
};
/// Adyen. One key for both kinds of webhooks; its keys are hexadecimal.
pub const ADYEN: &Account = &Account {
    kind: "adyen",
    webhook_secret: "CA4A4100000000000000000000000000000000000000000000000000000000C1",
    host: "checkout-test.adyen.com",
    country: "DE",
    currency: "EUR",
    method: MethodKind::Card,
    channel: "scheme",
    token: "7219687191761347",
    settings: r#"{"api_key": "AQECANARYkey", "merchant_account": "ShopECOM",
        "token_webhook_hmac_key": "CA4A4100000000000000000000000000000000000000000000000000000000C1",
        "standard_webhook_hmac_key": "CA4A4100000000000000000000000000000000000000000000000000000000C1"}"#,
};
/// GoCardless.
pub const GOCARDLESS: &Account = &Account {
    kind: "gocardless",
    webhook_secret: "CANARY-webhook-secret",
    host: "api-sandbox.gocardless.com",
    country: "GB",
    currency: "GBP",
    method: MethodKind::BankDebit,
    channel: "bacs",
    token: "MD0001",
    settings: r#"{"access_token": "sandbox_CANARYtoken", "webhook_secret": "CANARY-webhook-secret"}"#,
};
/// Every account.
pub const ALL: [&Account; 4] = [XENDIT, STRIPE, ADYEN, GOCARDLESS];

impl Account {
    /// The provider, built by its registration.
    pub fn build(&self) -> Arc<dyn TokenizationProvider> {
        let values: Value = serde_json::from_str(self.settings).expect("JSON");
        let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
        let settings = Settings { gateway, mode: Mode::Test, origin, development: false, values };
        Registry::linked().expect("providers").build(self.kind, &settings).expect("a provider")
    }

    pub(crate) fn country(&self) -> Country {
        self.country.parse().expect("a country")
    }

    pub(crate) fn currency(&self) -> Currency {
        self.currency.parse().expect("a currency")
    }

    /// A session to open, with nothing more than is required.
    pub fn request(&self) -> CreateSession {
        let back: url::Url = "https://pay.shop.example/return".parse().expect("a URL");
        let ends = NOW.plus(std::time::Duration::from_mins(45));
        let mut request = CreateSession::new(
            SESSION,
            "cus_1",
            Usage::OnSession,
            self.currency(),
            self.country(),
            back.clone(),
            back,
            ends,
        );
        request.gateway_customer = Some("cus_1".to_owned());
        request.customer =
            CustomerProfile { given_names: Some("Lorem".to_owned()), ..CustomerProfile::default() };
        request
    }

    /// The forms in which secrets are sent or printed.
    fn marks(&self) -> impl Iterator<Item = String> {
        let settings: Value = serde_json::from_str(self.settings).expect("JSON");
        let values: Vec<String> = settings
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, value)| value.as_str().map(str::to_owned))
            .filter(|value| value != "ShopECOM")
            .collect();
        values
            .into_iter()
            .flat_map(|secret| [STANDARD.encode(format!("{secret}:")), secret])
            .chain([CANARY.to_owned()])
    }

    /// Whether an input has what marks a leak, which must come from us alone. Not by plain comparisons: a fuzzer traces
    /// each, and learns what it shall not send.
    pub fn is_marked(&self, data: &[u8]) -> bool {
        self.marks().any(|mark| memmem::find(data, mark.as_bytes()).is_some())
    }

    /// Panics where a text tells a secret of ours, in a form in which it is sent.
    pub fn assert_quiet(&self, text: &str, what: &str) {
        for mark in self.marks() {
            assert!(!text.contains(&mark), "{what} tells a secret: {text}");
        }
    }
}
