//! The webhook channel: deliveries with the gateway's retry schedule, and on request drops,
//! duplicates, delays, reordering and holding back.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::iso;
use crate::server::World;

/// The gaps between the seven attempts, in minutes: 15 m, 1 h, 3 h, 6 h, 12 h and 24 h after the first.
const GAPS_MINUTES: [i64; 6] = [15, 45, 120, 180, 360, 720];
const TICK: Duration = Duration::from_millis(20);
/// While reordering, deliveries wait this long and then go out newest first.
const REORDER_WINDOW: i64 = 250;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Will be sent when its time comes.
    Pending,
    /// Waits for the channel to be released.
    Held,
    /// On its way.
    Sending,
    /// Answered with 2xx, or as the gateway wants it.
    Delivered,
    /// Never answered so, in seven attempts.
    Failed,
    /// Not answered in time; the gateway does not try again by itself.
    Timeout,
    /// There was no URL to send it to.
    UrlNotSet,
    /// Lost on order.
    Dropped,
}

/// One attempt at a delivery.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// When, RFC 3339.
    pub at: String,
    /// The answer's status; `None` when there was none.
    pub status: Option<u16>,
}

/// A webhook that the gateway sends.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// `1`, `2`, …
    pub id: u64,
    /// `payment_session.completed`.
    pub event: String,
    /// The object in the webhook.
    pub data: Value,
    /// Where it stands.
    pub state: DeliveryState,
    /// What was tried.
    pub attempts: Vec<Attempt>,
    /// Milliseconds of the sandbox's clock at which it is sent next.
    #[serde(skip)]
    pub(crate) due_at: i64,
    #[serde(skip)]
    pub(crate) business_id: Option<String>,
}

/// How the channel treats what comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channel {
    /// Lose the next so many.
    pub drop: u32,
    /// Send the next so many twice, at the same moment.
    pub duplicate: u32,
    /// Send everything so much later, in milliseconds.
    pub delay_ms: i64,
    /// Send what comes within a quarter of a second newest first.
    pub reorder: bool,
    /// Keep everything until it is released.
    pub hold: bool,
}

/// The deliveries and the channel's state.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) channel: Channel,
    pub(crate) deliveries: Vec<Delivery>,
}

impl Outbox {
    /// Takes a webhook in, as the channel wants it.
    pub(crate) fn push(&mut self, event: &str, data: &Value, business_id: Option<String>, now: i64) {
        let mut state = DeliveryState::Pending;
        if self.channel.drop > 0 {
            self.channel.drop -= 1;
            state = DeliveryState::Dropped;
        } else if self.channel.hold {
            state = DeliveryState::Held;
        }
        let mut copies = 1;
        if self.channel.duplicate > 0 {
            self.channel.duplicate -= 1;
            copies = 2;
        }
        let wait = self.channel.delay_ms + if self.channel.reorder { REORDER_WINDOW } else { 0 };
        for _ in 0..copies {
            let id = u64::try_from(self.deliveries.len()).unwrap_or(u64::MAX) + 1;
            let event = event.to_owned();
            let (data, business_id) = (data.clone(), business_id.clone());
            let attempts = Vec::new();
            self.deliveries.push(Delivery {
                id,
                event,
                data,
                state,
                attempts,
                due_at: now + wait,
                business_id,
            });
        }
    }

    /// Lets everything go that was held back.
    pub(crate) fn release(&mut self) {
        self.channel.hold = false;
        for delivery in &mut self.deliveries {
            if delivery.state == DeliveryState::Held {
                delivery.state = DeliveryState::Pending;
            }
        }
    }

    /// Sends one again, as the dashboard's button does.
    pub(crate) fn resend(&mut self, id: u64, now: i64) -> bool {
        let found = self.deliveries.iter_mut().find(|delivery| delivery.id == id);
        let Some(delivery) = found else { return false };
        delivery.state = DeliveryState::Pending;
        delivery.due_at = now;
        true
    }

    fn take_due(&mut self, now: i64) -> Vec<Delivery> {
        let mut due = Vec::new();
        for delivery in &mut self.deliveries {
            if delivery.state == DeliveryState::Pending && delivery.due_at <= now {
                delivery.state = DeliveryState::Sending;
                due.push(delivery.clone());
            }
        }
        if self.channel.reorder {
            due.reverse();
        }
        due
    }

    fn finish(&mut self, id: u64, at: i64, outcome: Outcome, retry_scale: u32) {
        let Some(delivery) = self.deliveries.iter_mut().find(|delivery| delivery.id == id) else { return };
        let status = match outcome {
            Outcome::Accepted(status) | Outcome::NotAccepted(status) => Some(status),
            Outcome::TimedOut | Outcome::Refused | Outcome::NoUrl => None,
        };
        delivery.attempts.push(Attempt { at: iso(at), status });
        // Ordered again while it was on its way: then that is still to come.
        if delivery.state == DeliveryState::Pending {
            return;
        }
        delivery.state = match outcome {
            Outcome::Accepted(_) => DeliveryState::Delivered,
            Outcome::TimedOut => DeliveryState::Timeout,
            Outcome::NoUrl => DeliveryState::UrlNotSet,
            Outcome::NotAccepted(_) | Outcome::Refused => match GAPS_MINUTES.get(delivery.attempts.len() - 1)
            {
                Some(minutes) => {
                    delivery.due_at = at + minutes * 60_000 / i64::from(retry_scale.max(1));
                    DeliveryState::Pending
                }
                None => DeliveryState::Failed,
            },
        };
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Accepted(u16),
    NotAccepted(u16),
    TimedOut,
    Refused,
    NoUrl,
}

/// Sends what is due, until the sandbox stops.
pub(crate) async fn run(
    world: Arc<World>,
    client: reqwest::Client,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    while stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
        world.pass_time();
        let due = world.with(|state, now| state.outbox.take_due(now));
        let one_by_one = world.with(|state, _| state.outbox.channel.reorder);
        for delivery in due {
            let (world, client) = (world.clone(), client.clone());
            let send = async move { send(&world, &client, delivery).await };
            if one_by_one {
                send.await;
            } else {
                let stop = stop.clone();
                tasks.spawn(async move { stop.run_until_cancelled(send).await });
            }
        }
    }
}

/// A webhook as it travels: headers and body, byte for byte.
#[derive(Debug, Clone)]
pub struct WireWebhook {
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

async fn send(world: &World, client: &reqwest::Client, delivery: Delivery) {
    let outcome = match world.webhook_target() {
        None => Outcome::NoUrl,
        Some((url, token)) => {
            let WireWebhook { headers, body } = world.gateway().webhook(&delivery, &token, world.now());
            let mut request = client.post(url).header("content-type", "application/json").body(body);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let body = answer.text().await.unwrap_or_default();
                    if world.gateway().is_accepted(&delivery, status, &body) {
                        Outcome::Accepted(status)
                    } else {
                        Outcome::NotAccepted(status)
                    }
                }
                Err(error) if error.is_timeout() => Outcome::TimedOut,
                Err(_) => Outcome::Refused,
            }
        }
    };
    let retry_scale = world.config.retry_scale;
    world.with(|state, now| state.outbox.finish(delivery.id, now, outcome, retry_scale));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_sent_again_while_it_is_on_its_way_is_sent_again() {
        for outcome in
            [Outcome::Accepted(200), Outcome::NotAccepted(500), Outcome::TimedOut, Outcome::Refused]
        {
            let mut outbox = Outbox::default();
            outbox.push("event", &Value::Null, None, 0);
            assert_eq!(outbox.take_due(0).len(), 1);
            assert!(outbox.resend(1, 1));
            outbox.finish(1, 2, outcome, 1);
            assert_eq!(outbox.take_due(2).len(), 1);
            outbox.finish(1, 3, Outcome::Accepted(200), 1);
            assert_eq!(outbox.deliveries[0].state, DeliveryState::Delivered);
            assert_eq!(outbox.deliveries[0].attempts.len(), 2);
        }
    }
}
