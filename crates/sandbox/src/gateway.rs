//! What a gateway is to the sandbox: everything that differs from one to another.
//!
//! A gateway is one module that implements [`Gateway`] and one line in [`gateways!`]'s list below.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use crate::CompleteSession;
use crate::charging::Charging;
use crate::delivery::{Delivery, WireWebhook};
use crate::server::{SandboxState, World};
use crate::stage::Stage;

/// One gateway in test mode. It keeps its records in the [`Books`] of the state, which lives as long as the sandbox.
pub(crate) trait Gateway: fmt::Debug + Sync {
    /// Its name, the demo's shop, and the secrets that it has unless it is given others.
    fn stage(&self) -> &'static Stage;

    /// The settings table of a provider that speaks to it.
    fn settings(&self, base_url: &Url, secret_key: &str, webhook_secret: &str) -> Map<String, Value>;

    /// The API. Requests are recorded, and faults happen to them.
    fn api(&self, world: &Arc<World>) -> Router<Arc<World>>;

    /// The pages for a browser.
    fn pages(&self) -> Router<Arc<World>>;

    /// Whether a request of the API proves itself.
    fn is_authorized(&self, world: &World, headers: &HeaderMap) -> bool;

    /// The body of an error that was ordered, in the gateway's own form.
    fn error(&self, code: &str, message: &str) -> Value;

    /// A webhook as it is sent at `now` (milliseconds), proven by `secret`.
    fn webhook(&self, delivery: &Delivery, secret: &SecretString, now: i64) -> WireWebhook;

    /// Whether an answer to a webhook ends the attempts at it.
    fn is_accepted(&self, _delivery: &Delivery, status: u16, _body: &str) -> bool {
        (200..300).contains(&status)
    }

    /// Sends a webhook about an object.
    fn push(&self, world: &World, event: &str, object: &Value);

    /// Sends what the dashboard's test button sends: an event about a session that nobody knows. A gateway with
    /// two forms of it sends the other one when `other_form` is set.
    fn push_test(&self, world: &World, other_form: bool);

    /// The customer saves a payment method; says the token's id, `None` when the session is not open or does not
    /// offer it.
    fn complete(&self, world: &World, session: &str, complete: &CompleteSession) -> Option<String>;

    /// One attempt fails; the session stays open. `false` when it is not open.
    fn decline(&self, world: &World, session: &str, code: &str) -> bool;

    /// Lets a session's time be up at `now`. `false` when there is no such session.
    fn expire_at(&self, state: &mut SandboxState, session: &str, now: i64) -> bool;

    /// Does what the clock makes due: ends the sessions whose time has come, and tells of it.
    fn pass_time(&self, world: &World);

    /// Whether sessions are completed while they are created.
    fn complete_on_create(&self, state: &mut SandboxState, on: bool);

    /// Every session as the API shows it, oldest first.
    fn sessions(&self, state: &SandboxState) -> Vec<Value>;

    /// Every token as the API shows it, oldest first.
    fn tokens(&self, state: &SandboxState) -> Vec<Value>;

    /// Puts a token into a status of the gateway's own, and tells of it where the gateway has an event for that.
    /// `false` when there is no such token or status.
    fn set_token_status(&self, world: &World, token: &str, status: &str, failure: Option<&str>) -> bool;

    /// Whether a token, as the API shows it, is not usable any more.
    fn is_gone(&self, token: &Value) -> bool;

    /// Its charges, where it makes them.
    fn charging(&self) -> Option<&'static dyn Charging> {
        None
    }
}

macro_rules! gateways {
    ($($(#[$doc:meta])* $kind:ident = $module:ident,)+) => {
        /// Which gateway a sandbox plays.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            pub(crate) fn gateway(self) -> &'static dyn Gateway {
                match self {
                    $(Self::$kind => &crate::$module::$kind,)+
                }
            }
        }

        /// What the gateways keep; a sandbox uses those of the one that it plays.
        #[derive(Debug, Default)]
        pub(crate) struct Books {
            $(pub(crate) $module: crate::$module::Books,)+
        }
    };
}

gateways! {
    /// Xendit in test mode.
    Xendit = xendit,
    /// Stripe in test mode.
    Stripe = stripe,
    /// Adyen in test mode.
    Adyen = adyen,
    /// GoCardless's sandbox.
    GoCardless = gocardless,
}

impl Kind {
    /// What a demo needs to know of it.
    pub fn stage(self) -> &'static Stage {
        self.gateway().stage()
    }

    /// The settings table of a provider that speaks to a sandbox of this kind at `base_url`.
    pub fn settings(self, base_url: &Url, secret_key: &str, webhook_secret: &str) -> Map<String, Value> {
        self.gateway().settings(base_url, secret_key, webhook_secret)
    }

    /// A new webhook secret of the gateway's own form.
    pub fn new_webhook_secret(self) -> SecretString {
        let random: [u8; 32] = rand::random();
        SecretString::from(format!("{}{}", self.stage().secret_prefix, hex::encode(random)))
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|kind| kind.stage().provider == name);
        found.copied().ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.stage().provider).collect();
            format!("there is no local gateway of that name; there are {}", known.join(", "))
        })
    }
}
