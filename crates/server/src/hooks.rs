//! Sending events to webhook endpoints: a task for each endpoint that has something to send, so that a slow one holds
//! up none of the others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use billfold_core::id::WebhookEndpointId;
use billfold_core::name::TenantId;
use billfold_core::outgoing::{AddressPolicy, ReqwestSender};
use billfold_core::{Billfold, Result};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

/// Endpoints that get their deliveries in one round.
const FAN_OUT: u32 = 100;
/// Requests to one endpoint at the same time.
const SIDE_BY_SIDE: u32 = 8;
const AFTER_ERROR: Duration = Duration::from_secs(2);

/// The sender of a configuration.
pub(crate) fn sender(config: &Config) -> Result<ReqwestSender> {
    ReqwestSender::new(AddressPolicy {
        private_networks: config.webhooks.allow_private_networks,
        plain_http_to_loopback: config.server.development,
    })
}

/// The loop, and what it shares with its tasks.
#[derive(Clone)]
struct Hooks {
    billfold: Billfold,
    /// Endpoints that have a task.
    busy: Arc<Mutex<BTreeSet<WebhookEndpointId>>>,
    slots: Arc<Semaphore>,
    /// A task ended: its endpoint may have more to send.
    ended: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Starts the loop. It ends, and each task after what it is sending, when `stop` is canceled.
pub(crate) fn start(
    billfold: &Billfold,
    at_once: usize,
    interval: Duration,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    let hooks = Hooks {
        billfold: billfold.clone(),
        busy: Arc::default(),
        slots: Arc::new(Semaphore::new(at_once.max(1))),
        ended: Arc::new(Notify::new()),
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    tasks.spawn(hooks.run(interval));
}

impl Hooks {
    async fn run(self, interval: Duration) {
        while !self.stop.is_cancelled() {
            let pause = match self.round().await {
                Ok(0) => interval,
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(error = %error.log_line(), "webhooks could not be prepared");
                    AFTER_ERROR
                }
            };
            let woken = async {
                tokio::select! {
                    () = self.billfold.events_arrived() => {}
                    () = self.ended.notified() => {}
                }
            };
            let wait = async { tokio::time::timeout(pause, woken).await };
            let _ = self.stop.run_until_cancelled(wait).await;
        }
    }

    /// Makes deliveries and starts tasks for endpoints that have none; says how much was done.
    async fn round(&self) -> Result<usize> {
        let seen = self.billfold.fan_out_events(FAN_OUT).await?;
        // Those that are busy may be among the first, so as many more are looked at.
        let limit = u32::try_from(self.busy().len()).unwrap_or(u32::MAX).saturating_add(FAN_OUT);
        let mut started = 0;
        for (tenant, endpoint) in self.billfold.webhook_endpoints_due(limit).await? {
            if self.busy().contains(&endpoint) {
                continue;
            }
            let Ok(slot) = self.slots.clone().try_acquire_owned() else { break };
            self.busy().insert(endpoint);
            started += 1;
            let task = self.clone();
            self.tasks.spawn(async move {
                task.serve(&tenant, endpoint).await;
                drop(slot);
                task.busy().remove(&endpoint);
                task.ended.notify_one();
            });
        }
        Ok(seen + started)
    }

    /// Sends until the endpoint has nothing more that is due.
    async fn serve(&self, tenant: &TenantId, endpoint: WebhookEndpointId) {
        while !self.stop.is_cancelled() {
            match self.billfold.send_webhooks(tenant, endpoint, SIDE_BY_SIDE).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(endpoint = %endpoint, error = %error.log_line(), "webhooks could not be sent");
                    // Whatever it is, it lasts longer than a moment.
                    let _ = self.stop.run_until_cancelled(tokio::time::sleep(AFTER_ERROR)).await;
                    return;
                }
            }
        }
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, BTreeSet<WebhookEndpointId>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
