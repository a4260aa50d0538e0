//! Webhooks that come too often, in any order, too early, or never.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use billfold_sandbox::{Channel, Delivery, WireWebhook};
use futures::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::sleep;

use crate::books::at_rest;
use crate::installation::{Installation, Options, text};
use crate::load::{People, open_sessions};
use crate::trial::{Backend, Plan, Verdict};

const AT_ONCE: usize = 64;
/// The sweep asks long after a trial's end: what arrives is what settles.
const NO_SWEEP: &[u64] = &[3600];
/// How long a session may take to be settled once somebody told of it.
const SETTLES: Duration = Duration::from_mins(1);

/// How often a webhook is sent again that the server asks to have sent again.
const AGAIN: usize = 20;

/// Sends a webhook as the gateway would, again when it could not be stored; the last answer's status.
async fn send(here: &Installation, webhook: &WireWebhook) -> anyhow::Result<u16> {
    let mut status = 503;
    for _ in 0..AGAIN {
        let mut request = here.http.post(here.url(0, "/webhooks/main"));
        for (name, value) in &webhook.headers {
            request = request.header(*name, value);
        }
        status = request.body(webhook.body.clone()).send().await?.status().as_u16();
        if status != 503 {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(status)
}

/// Every webhook is held back, and sent by us 64 times at the same moment.
pub(super) async fn duplicates(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let options = Options { ask_after_seconds: NO_SWEEP, ..Options::default() };
    let here = Installation::start(&backend, options).await?;
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
    // Sessions that were settled before their webhooks came would make the trial prove nothing.
    let told = found.settled.get("webhook").copied().unwrap_or(0);
    ensure!(told == count as usize, "webhooks settled {told} of {count}: {}", found.told());
    let sent = sent.into_inner();
    Ok(Verdict::Held(format!("{} events, {sent} deliveries, {}", held.len(), found.told())))
}

/// What can happen to a session that was completed, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    SessionWebhook,
    TokenWebhook,
    Return,
    Question,
    SessionWebhookAgain,
    TokenWebhookAgain,
}

const HAPPENINGS: [Happening; 6] = [
    Happening::SessionWebhook,
    Happening::TokenWebhook,
    Happening::Return,
    Happening::Question,
    Happening::SessionWebhookAgain,
    Happening::TokenWebhookAgain,
];

impl Happening {
    /// By which way it settles a session that nothing settled before; a question shows what is stored and no more.
    const fn way(self) -> Option<&'static str> {
        match self {
            Self::SessionWebhook
            | Self::TokenWebhook
            | Self::SessionWebhookAgain
            | Self::TokenWebhookAgain => Some("webhook"),
            Self::Return => Some("return"),
            Self::Question => None,
        }
    }
}

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
    of_session: WireWebhook,
    of_token: WireWebhook,
    back: String,
    question: String,
}

/// One thing after the other. Webhooks are worked on after they are acknowledged, so whatever settles the session is
/// waited for: what comes later finds it settled.
async fn play(here: &Installation, people: &People, story: Story) -> anyhow::Result<()> {
    let Story { intent, order, of_session, of_token, back, question } = story;
    let mut settled = false;
    for happening in &order {
        let webhook = match happening {
            Happening::SessionWebhook | Happening::SessionWebhookAgain => Some(&of_session),
            Happening::TokenWebhook | Happening::TokenWebhookAgain => Some(&of_token),
            Happening::Return => {
                people.come_back(intent, &back).await;
                None
            }
            Happening::Question => {
                let status = text(&here.get(&question).await?, "status")?;
                let completed = status == "completed";
                ensure!(completed == settled, "{order:?}: a question was answered with {status}");
                None
            }
        };
        if let Some(webhook) = webhook {
            ensure!(send(here, webhook).await? == 200, "a webhook was not acknowledged");
        }
        if !settled && let Some(way) = happening.way() {
            let by = settled_by(here, &question).await.with_context(|| format!("{order:?}"))?;
            ensure!(by == way, "{order:?}: settled by {by}, and not by {way}");
            settled = true;
        }
    }
    Ok(())
}

/// Waits until a session is completed; by which way it was.
async fn settled_by(here: &Installation, question: &str) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        let shown = here.get(question).await?;
        if shown["status"] == "completed" {
            return text(&shown, "settled_via");
        }
        ensure!(began.elapsed() < SETTLES, "still {} after {SETTLES:?}", shown["status"]);
        sleep(Duration::from_millis(10)).await;
    }
}

/// One session for each order; what comes of it is the same, by the way that comes first.
pub(super) async fn orders_of_all(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let options = Options { ask_after_seconds: NO_SWEEP, ..Options::default() };
    let here = Installation::start(&backend, options).await?;
    let people = People::of(&here);
    // The quick tier leaves out the last two of the six: that webhooks come again.
    let all = if plan.quick { orders(4) } else { orders(6) };
    ensure!(all.iter().collect::<BTreeSet<_>>().len() == all.len(), "an order is missing");
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for way in all.iter().filter_map(|order| order.iter().copied().find_map(Happening::way)) {
        *expected.entry(way.to_owned()).or_default() += 1;
    }
    here.control().set_channel(Channel { hold: true, ..Channel::default() });
    let count = u32::try_from(all.len())?;
    let mut ready = Vec::new();
    for (intent, session) in open_sessions(&people, count, plan.seed).await? {
        let back = people.save(intent, &session).await?.context("a method could not be saved")?;
        ready.push((intent, session, back));
    }
    let deliveries = here.control().deliveries();
    let of = |session: &Value, event: &str| {
        let id = session["id"].as_str().unwrap_or_default();
        let found = deliveries.iter().find(|delivery| {
            let reference = delivery.data["reference_id"].as_str().unwrap_or_default();
            delivery.event.starts_with(event) && reference.starts_with(id)
        });
        let found = found.with_context(|| format!("the gateway sent no {event} for {id}"))?;
        anyhow::Ok(here.control().wire(found, None))
    };
    let mut plays = Vec::new();
    for (order, (intent, session, back)) in all.into_iter().zip(ready) {
        let (of_session, of_token) = (of(&session, "payment_session")?, of(&session, "payment_token")?);
        let question = format!("/v1/sessions/{}", text(&session, "id")?);
        plays.push(play(&here, &people, Story { intent, order, of_session, of_token, back, question }));
    }
    let mut plays = stream::iter(plays).buffer_unordered(4);
    while let Some(played) = plays.next().await {
        played?;
    }
    drop(plays);
    // What the gateway itself still holds comes as well, as one more.
    here.control().set_channel(Channel::default());
    here.control().release();
    let found = at_rest(&here, &people.notes()).await?;
    ensure!(found.saved == count as usize, "{} methods of {count}", found.saved);
    // Nothing that came later, and no sweep, settled anything again.
    ensure!(found.settled == expected, "settled by {:?}, and not by {expected:?}", found.settled);
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
