//! Webhooks that come too often, in any order, too early, or never.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use billfold_sandbox::{Channel, Delivery, WireWebhook};
use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::books::at_rest;
use crate::installation::{Installation, Options, text};
use crate::load::{People, open_sessions};
use crate::trial::{Backend, Plan, Verdict};

const AT_ONCE: usize = 64;

/// Sends a webhook as the gateway would; the answer's status.
async fn send(here: &Installation, webhook: &WireWebhook) -> anyhow::Result<u16> {
    let mut request = here.http.post(here.url(0, "/webhooks/main"));
    for (name, value) in &webhook.headers {
        request = request.header(*name, value);
    }
    Ok(request.body(webhook.body.clone()).send().await?.status().as_u16())
}

/// Every webhook is held back, and sent by us 64 times at the same moment.
pub(super) async fn duplicates(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let here = Installation::start(&backend, Options::default()).await?;
    let people = People::of(&here);
    let count = plan.count(15, 500);
    here.control().set_channel(Channel { hold: true, ..Channel::default() });
    for (intent, session) in open_sessions(&people, count, plan.seed).await? {
        people.save(intent, &session).await?;
    }
    let held: Vec<Delivery> = here.control().deliveries();
    let sent = AtomicUsize::new(0);
    for delivery in &held {
        let webhook = here.control().wire(delivery, None);
        let mut answers = stream::iter(0..AT_ONCE).map(|_| send(&here, &webhook)).buffer_unordered(AT_ONCE);
        while let Some(status) = answers.next().await {
            ensure!(status? == 200, "a webhook was not acknowledged");
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
    // What the gateway itself still holds comes as well, as one more.
    here.control().set_channel(Channel::default());
    here.control().release();
    let found = at_rest(&here, &people.notes()).await?;
    ensure!(found.saved == count as usize, "{} methods of {count}", found.saved);
    let sent = sent.into_inner();
    Ok(Verdict::Held(format!("{} events, {sent} deliveries, {}", held.len(), found.told())))
}

/// What can happen to a session that was completed, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    SessionWebhook,
    SessionWebhookAgain,
    TokenWebhook,
    TokenWebhookAgain,
    Return,
    Question,
}

const HAPPENINGS: [Happening; 6] = [
    Happening::SessionWebhook,
    Happening::SessionWebhookAgain,
    Happening::TokenWebhook,
    Happening::TokenWebhookAgain,
    Happening::Return,
    Happening::Question,
];

/// All orders of so many of them.
fn orders(count: usize) -> Vec<Vec<Happening>> {
    let mut orders = vec![Vec::new()];
    for happening in &HAPPENINGS[..count] {
        orders = orders
            .into_iter()
            .flat_map(|order| {
                (0..=order.len()).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, *happening);
                    order
                })
            })
            .collect();
    }
    orders
}

/// A session that was completed, and what happens to it.
struct Story {
    intent: usize,
    order: Vec<Happening>,
    of_session: Option<WireWebhook>,
    of_token: Option<WireWebhook>,
    back: String,
    question: String,
}

async fn play(here: &Installation, people: &People, story: Story) -> anyhow::Result<()> {
    for happening in story.order {
        let webhook = match happening {
            Happening::SessionWebhook | Happening::SessionWebhookAgain => &story.of_session,
            Happening::TokenWebhook | Happening::TokenWebhookAgain => &story.of_token,
            Happening::Return => {
                people.come_back(story.intent, &story.back).await;
                continue;
            }
            Happening::Question => {
                here.get(&story.question).await?;
                continue;
            }
        };
        let webhook = webhook.as_ref().context("the gateway sent no such webhook")?;
        ensure!(send(here, webhook).await? == 200, "a webhook was not acknowledged");
    }
    Ok(())
}

/// One session for each order; what comes of it is the same.
pub(super) async fn orders_of_all(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let here = Installation::start(&backend, Options::default()).await?;
    let people = People::of(&here);
    // The quick tier leaves out two of the six.
    let all = if plan.quick { orders(4) } else { orders(6) };
    ensure!(all.iter().collect::<BTreeSet<_>>().len() == all.len(), "an order is missing");
    here.control().set_channel(Channel { hold: true, ..Channel::default() });
    let count = u32::try_from(all.len())?;
    let mut ready = Vec::new();
    for (intent, session) in open_sessions(&people, count, plan.seed).await? {
        let back = people.save(intent, &session).await?.unwrap_or_default();
        ready.push((intent, session, back));
    }
    let deliveries = here.control().deliveries();
    let of = |session: &Value, event: &str| {
        let id = session["id"].as_str().unwrap_or_default().to_owned();
        let found = deliveries.iter().find(move |delivery| {
            let reference = delivery.data["reference_id"].as_str().unwrap_or_default();
            delivery.event.starts_with(event) && reference.starts_with(&id)
        });
        found.map(|delivery| here.control().wire(delivery, None))
    };
    let mut plays = Vec::new();
    for (order, (intent, session, back)) in all.into_iter().zip(ready) {
        let (of_session, of_token) = (of(&session, "payment_session"), of(&session, "payment_token"));
        let question = format!("/v1/sessions/{}", text(&session, "id")?);
        plays.push(play(&here, &people, Story { intent, order, of_session, of_token, back, question }));
    }
    let mut plays = stream::iter(plays).buffer_unordered(4);
    while let Some(played) = plays.next().await {
        played?;
    }
    drop(plays);
    // They were all sent by us: the gateway's own are lost.
    here.control().set_channel(Channel::default());
    here.control().release();
    let found = at_rest(&here, &people.notes()).await?;
    ensure!(found.saved == count as usize, "{} methods of {count}", found.saved);
    Ok(Verdict::Held(format!("{count} orders, {}", found.told())))
}

/// The gateway completes each session and tells of it before it answers the call that creates it.
pub(super) async fn early(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let here = Installation::start(&backend, Options::default()).await?;
    let people = People::of(&here);
    here.control().complete_on_create(true);
    let count = plan.count(100, 1000);
    open_sessions(&people, count, plan.seed).await?;
    let found = at_rest(&here, &people.notes()).await?;
    ensure!(found.saved == count as usize, "{} methods of {count}", found.saved);
    Ok(Verdict::Held(found.told()))
}

/// No webhook comes and no browser comes back: the sweep alone finds what was saved.
pub(super) async fn lost(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let here = Installation::start(&backend, Options::default()).await?;
    let people = People::of(&here);
    here.control().set_channel(Channel { drop: u32::MAX, ..Channel::default() });
    let count = plan.count(100, 1000);
    for (intent, session) in open_sessions(&people, count, plan.seed).await? {
        people.save(intent, &session).await?;
    }
    let found = at_rest(&here, &people.notes()).await?;
    ensure!(found.saved == count as usize, "{} methods of {count}", found.saved);
    let swept = found.settled.get("sweep").copied().unwrap_or(0);
    ensure!(swept == count as usize, "the sweep found {swept} of {count}");
    Ok(Verdict::Held(found.told()))
}
