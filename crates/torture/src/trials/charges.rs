//! Charges while servers die: what the gateway took is compared with what was asked for, one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::books::at_rest;
use crate::installation::{Installation, Options, text};
use crate::load::{People, open_sessions};
use crate::rows::rows;
use crate::trial::{Backend, Plan, Verdict};

/// Merchants who charge at the same time.
const LANES: u32 = 8;
/// How long the server lives at most, in milliseconds; up to `LONG` where nothing is answered in that time.
const SHORT: u64 = 700;
const LONG: u64 = 10_000;

/// Methods are charged, each charge with a key of its own, and the server is killed again and again. In the end the
/// gateway's books hold each charge once at most, and as much as was asked for.
pub(super) async fn kills(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let mut here = Installation::start(&backend, Options::default()).await?;
    let people = People::of(&here);
    for (intent, session) in open_sessions(&people, LANES, plan.seed).await? {
        people.save(intent, &session).await?;
    }
    at_rest(&here, &people.notes()).await?;
    let methods = rows(&here.database, "payment_methods").await?;
    ensure!(methods.len() == LANES as usize, "{} methods of {LANES} were saved", methods.len());

    let count = plan.count(400, 10_000);
    let (next, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let mut lanes = JoinSet::new();
    for (lane, method) in methods.iter().enumerate() {
        let (people, next, method) = (people.clone(), next.clone(), text(method, "id")?);
        let seed = plan.seed.wrapping_add(lane as u64);
        lanes.spawn(charge_all(people, next, count, method, seed));
    }
    let watched = over.clone();
    let mut all = JoinSet::new();
    all.spawn(async move {
        let mut ended = Ok(());
        while let Some(lane) = lanes.join_next().await {
            ended = ended.and(lane.context("a merchant panicked").and_then(|lane| lane));
        }
        watched.store(true, Ordering::Relaxed);
        ended
    });
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let (mut kills, mut begun, mut most) = (0, 0, SHORT);
    while !over.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(dice.random_range(20..most))).await;
        // A machine that is too busy to answer anybody in that time gets more of it.
        let now = next.load(Ordering::Relaxed);
        most = if now == begun { (most * 2).min(LONG) } else { SHORT };
        begun = now;
        here.kill(0)?;
        here.up(0).await?;
        kills += 1;
    }
    all.join_next().await.context("nobody charged")???;
    let notes = people.notes();
    ensure!(
        notes.charges.len() == count as usize,
        "{} of {count} charges were answered",
        notes.charges.len()
    );
    let found = at_rest(&here, &notes).await?;
    let (paid, unsent) = (found.paid, found.unsent);
    Ok(Verdict::Held(format!(
        "{kills} kills, {count} charges, {paid} paid once and as asked, {unsent} stored and never sent, 0 twice"
    )))
}

async fn charge_all(
    people: People,
    next: Arc<AtomicU32>,
    count: u32,
    method: String,
    seed: u64,
) -> anyhow::Result<()> {
    let mut dice = StdRng::seed_from_u64(seed);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        let (key, amount) = (format!("order-{number}"), 100 * i64::from(1000 + number));
        people.charge(&method, &key, amount, &mut dice).await?;
    }
}
