//! Charges while servers die: what the gateway took is compared with what was asked for, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::books::at_rest;
use crate::installation::{Installation, Options, text};
use crate::load::{People, open_sessions};
use crate::rows::rows;
use crate::trial::{Backend, Plan, Verdict};

/// Merchants who charge at the same time.
const LANES: u32 = 8;
/// How long the last charge may take to be settled.
const REST: Duration = Duration::from_secs(150);

/// What a merchant asked for, and the charge that it was told.
type Wanted = BTreeMap<String, (i64, String)>;

/// Methods are charged, each charge with a key of its own, and the server is killed again and again. In the end the
/// gateway's books hold each charge once at most, and as much as was asked for.
pub(super) async fn kills(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let mut here = Installation::start(&backend, Options::default()).await?;
    let people = People::of(&here);
    for (intent, session) in open_sessions(&people, LANES, plan.seed).await? {
        people.save(intent, &session).await?;
    }
    at_rest(&here, &people.intents()).await?;
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
        let mut answered = Ok(Wanted::new());
        while let Some(lane) = lanes.join_next().await {
            let lane = lane.context("a merchant panicked").and_then(|lane| lane);
            answered = answered.and_then(|mut all: Wanted| {
                all.extend(lane?);
                anyhow::Ok(all)
            });
        }
        watched.store(true, Ordering::Relaxed);
        answered
    });
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let mut kills = 0;
    while !over.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(dice.random_range(20..700))).await;
        here.kill(0)?;
        here.up(0).await?;
        kills += 1;
    }
    let wanted = all.join_next().await.context("nobody charged")???;
    ensure!(wanted.len() == count as usize, "{} of {count} charges were answered", wanted.len());

    let began = Instant::now();
    let told = loop {
        match compare(&here, &wanted).await? {
            Ok(told) => break told,
            Err(problem) if began.elapsed() > REST => bail!("{problem}"),
            Err(_) => sleep(Duration::from_millis(300)).await,
        }
    };
    at_rest(&here, &people.intents()).await?;
    Ok(Verdict::Held(format!("{kills} kills, {count} charges, {told}")))
}

async fn charge_all(
    people: People,
    next: Arc<AtomicU32>,
    count: u32,
    method: String,
    seed: u64,
) -> anyhow::Result<Wanted> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut wanted = Wanted::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(wanted);
        }
        let (key, amount) = (format!("order-{number}"), 100 * i64::from(1000 + number));
        let charge = people.charge(&method, &key, amount, &mut dice).await?;
        wanted.insert(key, (amount, text(&charge, "id")?));
    }
}

/// What came of the charges, or what is not right yet.
async fn compare(here: &Installation, wanted: &Wanted) -> anyhow::Result<Result<String, String>> {
    let mut taken: BTreeMap<String, i64> = BTreeMap::new();
    for charge in here.control().charges() {
        let reference = text(&charge, "reference")?;
        // `1000.00`: two decimals, whatever the amount.
        let amount = text(&charge, "taken")?.replace('.', "").parse()?;
        ensure!(taken.insert(reference.clone(), amount).is_none(), "I17: {reference} was charged twice");
    }
    let rows = rows(&here.database, "charges").await?;
    let ours: BTreeMap<&str, &Value> =
        rows.iter().filter_map(|row| Some((row["id"].as_str()?, row))).collect();
    let named: BTreeSet<&str> = wanted.values().map(|(_, id)| id.as_str()).collect();
    ensure!(
        ours.len() == named.len(),
        "I17: {} charges are stored where {} were wanted",
        ours.len(),
        named.len()
    );
    if let Some(foreign) = taken.keys().find(|reference| !ours.contains_key(reference.as_str())) {
        bail!("I13: the gateway charged {foreign}, which was never stored");
    }
    let (mut paid, mut never) = (0, 0);
    for (key, (amount, id)) in wanted {
        let row = ours.get(id.as_str()).with_context(|| format!("I8: the charge of {key} is not there"))?;
        ensure!(row["amount"].as_i64() == Some(*amount), "I17: {key} is of another amount");
        let status = row["status"].as_str().unwrap_or_default();
        match (taken.get(id), status) {
            (Some(took), "succeeded") => {
                ensure!(took == amount, "I17: {took} were taken for {key} instead of {amount}");
                paid += 1;
            }
            (Some(_), status) => return Ok(Err(format!("I5: {key} was paid and is {status}"))),
            // Stored when the server died, and never sent. This gateway cannot be asked about what it never told of.
            (None, "processing" | "unknown") => never += 1,
            (None, status) => bail!("I17: {key} is {status}, and the gateway never heard of it"),
        }
    }
    Ok(Ok(format!("{paid} paid once and as asked, {never} stored and never sent, 0 twice")))
}
