//! Local gateways that speak the wire protocol of real ones, for development and tests.
//!
//! [`Sandbox::start`] opens one HTTP server on loopback that behaves like one gateway in test mode ([`Kind`]): the API with its authentication, hosted pages for a browser, webhooks with retries. What a
//! client can observe follows the gateway's documentation; the liberties are these:
//!
//! - return URLs may be plain HTTP when their host is this machine;
//! - retries of webhooks come [`SandboxConfig::retry_scale`] times sooner;
//! - a webhook has 5 seconds to be answered before it counts as timed out and is not repeated, [`SandboxConfig::webhook_timeout`] (30 seconds there);
//! - everything below `/_sandbox/` is the control API: it plays the customer, orders faults,
//!   shapes the webhook channel and shows every request that was received.
//!
//! The hosted page is plain HTML without scripts, so an HTTP client can play the customer: `POST`
//! its forms with the fields `channel`, `branch-code`, `card-number`, `card-expiry-month`, `card-expiry-year`,
//! `card-cvv`, `card-name`, `phone` or `account-number` to `{link}/submit`, and follow the redirects;
//! a challenge is answered with `decision=approve` or `decision=fail`.

mod adyen;
mod charging;
mod clock;
mod control;
mod decimal;
mod delivery;
mod fault;
mod gateway;
mod gocardless;
mod page;
mod record;
mod server;
mod stage;
mod stripe;
mod xendit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use charging::ChargePlay;
pub use control::{CompleteSession, SandboxControl};
pub use delivery::{Attempt, Channel, Delivery, DeliveryState, WireWebhook};
pub use fault::{Fault, FaultOrder};
pub use gateway::Kind;
pub use record::RecordedRequest;
pub use stage::{Offer, Purchase, Stage};

use server::World;

/// How a sandbox behaves.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// What it plays.
    pub gateway: Kind,
    /// Where to listen; loopback only. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The API key that clients must use.
    pub secret_key: SecretString,
    /// What proves webhooks: Xendit's carry it in `x-callback-token`, others' are signed by it.
    pub callback_token: SecretString,
    /// Where webhooks go; nowhere until it is set.
    pub webhook_url: Option<Url>,
    /// The account's business id.
    pub business_id: String,
    /// How many times sooner than the real one webhooks are tried again; the first retry comes
    /// after 15 minutes divided by this.
    pub retry_scale: u32,
    /// How long a webhook may take to be answered.
    pub webhook_timeout: Duration,
    /// Whether `RECURRING` and `MERCHANT_UNSCHEDULED` need a `recurring_configuration`, as the API
    /// reference says. The guide's own example does without; turn this off to replay it.
    pub strict_recurring: bool,
    /// Requests per minute and endpoint before 429.
    pub rate_limit: u32,
}

impl SandboxConfig {
    /// The defaults of a gateway, with a key and a webhook secret of its own form.
    pub fn of(gateway: Kind) -> Self {
        let stage = gateway.stage();
        Self {
            gateway,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            secret_key: SecretString::from(stage.secret_key),
            callback_token: SecretString::from(stage.webhook_secret),
            webhook_url: None,
            business_id: "5f27a14a9bf05c73dd040bc8".to_owned(),
            retry_scale: 600,
            webhook_timeout: Duration::from_secs(5),
            strict_recurring: true,
            rate_limit: 6_000,
        }
    }
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self::of(Kind::Xendit)
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It listens on this machine only.
    #[error("the sandbox listens on loopback addresses only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The address could not be bound.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    /// The HTTP client for webhooks could not be made.
    #[error("the webhook client could not start: {0}")]
    Client(reqwest::Error),
}

/// A running sandbox. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    control: SandboxControl,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Sandbox {
    /// Listens and serves until it is shut down or dropped.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        if !config.listen.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(config.listen));
        }
        let wanted = config.listen;
        let listener =
            tokio::net::TcpListener::bind(wanted).await.map_err(|error| SandboxError::Bind(wanted, error))?;
        let address = listener.local_addr().map_err(|error| SandboxError::Bind(wanted, error))?;
        // The first provider of cryptography in a process stays; any will do for plain HTTP.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.webhook_timeout)
            .no_proxy()
            .build()
            .map_err(SandboxError::Client)?;

        let world = Arc::new(World::new(config, address));
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(server::serve(listener, world.clone(), stop.clone()));
        tasks.spawn(delivery::run(world.clone(), client, stop.clone(), tasks.clone()));
        tasks.close();
        Ok(Self { address, control: SandboxControl::new(world), stop, tasks })
    }

    /// `http://127.0.0.1:PORT/`: the API's base URL.
    pub fn base_url(&self) -> Url {
        server::base_url(self.address)
    }

    /// Plays the customer, orders faults, shows what happened.
    pub fn control(&self) -> SandboxControl {
        self.control.clone()
    }

    /// Stops, and waits until nothing runs any more.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
