//! The way of webhooks: they are lost, doubled, late, out of order, forged, and sent again until they are
//! acknowledged.

use std::time::Duration;

use billfold_core::clock::Timestamp;
use billfold_core::provider::WebhookDelivery;
use billfold_core::{Error, ErrorKind};

use super::scene::Scene;
use crate::reference::SECRET_HEADER;

/// How often a gateway sends a webhook that is not acknowledged.
const ATTEMPTS: u32 = 7;

/// Whether a webhook is what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the gateway.
    Gateway,
    /// From somebody who does not know the secret.
    Forger,
}

/// A webhook on its way.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub(super) account: usize,
    pub(super) body: String,
    pub(super) origin: Origin,
    /// The reference of the session that it is about.
    pub(super) about: Option<String>,
    /// When it is sent; `None` when it is not sent any more.
    due: Option<Timestamp>,
    attempts: u32,
    /// Somebody is receiving it.
    under_way: bool,
    /// It was answered with 2xx.
    pub(super) acknowledged: bool,
}

/// Every webhook that was ever sent.
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) webhooks: Vec<Webhook>,
}

impl Channel {
    /// Sends what a gateway has to tell, as well as this channel does.
    pub(super) fn send(&mut self, scene: &Scene, account: usize, about: Option<String>, body: String) {
        let rates = &scene.weather.rates;
        let mut copies = 1;
        if scene.dice.chance(rates.webhook_dropped) {
            scene.tell(format!("    webhook lost: {body}"));
            copies = 0;
        }
        while copies > 0 && copies < 4 && scene.dice.chance(rates.webhook_doubled) {
            copies += 1;
        }
        for _ in 0..copies {
            let delay = if scene.dice.chance(600) { 0 } else { scene.dice.between(1, 600) };
            let due = scene.now().plus(Duration::from_secs(delay));
            self.put(account, about.clone(), body.clone(), Origin::Gateway, due);
        }
    }

    /// Puts a webhook on its way for sure.
    pub(super) fn put(
        &mut self,
        account: usize,
        about: Option<String>,
        body: String,
        origin: Origin,
        due: Timestamp,
    ) {
        let (due, acknowledged) = (Some(due), false);
        self.webhooks.push(Webhook {
            account,
            body,
            origin,
            about,
            due,
            attempts: 0,
            under_way: false,
            acknowledged,
        });
    }

    /// Those that can be delivered now.
    pub(super) fn due(&self, now: Timestamp) -> Vec<usize> {
        let due = |webhook: &Webhook| !webhook.under_way && webhook.due.is_some_and(|due| due <= now);
        (0..self.webhooks.len()).filter(|number| due(&self.webhooks[*number])).collect()
    }

    /// What is sent, with the secret that its sender knows.
    pub(super) fn take(&mut self, number: usize, secret: &str, now: Timestamp) -> WebhookDelivery {
        let webhook = &mut self.webhooks[number];
        webhook.under_way = true;
        webhook.attempts += 1;
        let secret = if webhook.origin == Origin::Forger { "guessed" } else { secret };
        let mut headers = http::HeaderMap::new();
        headers.append(SECRET_HEADER, secret.parse().unwrap());
        WebhookDelivery::new(webhook.body.clone().into(), headers, "", now)
    }

    /// What becomes of a webhook that was answered; `None` when whoever received it died.
    pub(super) fn answered(&mut self, scene: &Scene, number: usize, answer: Option<&Result<(), Error>>) {
        let webhook = &mut self.webhooks[number];
        webhook.under_way = false;
        webhook.due = None;
        match answer {
            Some(Ok(())) => {
                webhook.acknowledged = true;
                // Some gateways send again what was acknowledged.
                let again = scene.dice.chance(scene.weather.rates.webhook_doubled / 3);
                if again && !scene.weather.is_over() {
                    webhook.due = Some(scene.now().plus(Duration::from_secs(scene.dice.between(0, 7200))));
                }
            }
            // Refused for good: its sender gives up, as the gateway does with what cannot be read.
            Some(Err(error))
                if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::InvalidRequest) => {}
            Some(Err(_)) | None if webhook.attempts < ATTEMPTS => {
                let pause = 60_u64 << (2 * webhook.attempts).min(10);
                webhook.due = Some(scene.now().plus(Duration::from_secs(pause)));
            }
            Some(Err(_)) | None => scene.tell(format!("    webhook given up: {}", webhook.body)),
        }
    }
}
