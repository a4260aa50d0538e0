//! People who are erased while servers die and webhooks about them come late and twice; and a backup from before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use billfold_sandbox::Channel;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::books::{at_rest, told, traces};
use crate::installation::{Installation, Options};
use crate::keep::Kept;
use crate::load::{Load, People};
use crate::notes::{Erased, Intent};
use crate::trial::{Backend, Plan, Verdict};

/// How late webhooks come.
const LATE_MS: i64 = 300;
/// Until the first methods are saved.
const BEGINNING: Duration = Duration::from_secs(30);

/// Under load, with webhooks that come late and twice, servers die, and customers who saved methods are erased. Nothing
/// of them is left then, and nothing of them comes back with a backup from before.
pub(super) async fn erase(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let mut here = Installation::start(&backend, Options::default()).await?;
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let late = Channel { duplicate: u32::MAX, delay_ms: LATE_MS, ..Channel::default() };
    here.control().set_channel(late);
    let load = Load::begin(&here, 8, Duration::from_millis(40), plan.seed);
    let wanted = plan.count(8, 100) as usize;

    // Before anybody is erased: whoever saved a method by now, and some of those who begin.
    let began = Instant::now();
    while candidates(&load.people).len() < wanted {
        ensure!(began.elapsed() < BEGINNING, "hardly anybody saved a method");
        sleep(Duration::from_millis(50)).await;
    }
    here.kill(0)?;
    let backup = Kept::of(&here, &backend)?;
    here.up(0).await?;

    let over = Arc::new(AtomicBool::new(false));
    let mut erasing = JoinSet::new();
    let (people, database, finished) = (load.people.clone(), here.database.clone(), over.clone());
    erasing.spawn(async move {
        let ended = erase_some(&people, &database, wanted, plan.seed).await;
        finished.store(true, Ordering::Relaxed);
        ended
    });
    let mut kills = 0;
    while !over.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(dice.random_range(100..1500))).await;
        here.kill(0)?;
        here.up(0).await?;
        kills += 1;
    }
    erasing.join_next().await.context("nobody erased")???;
    let notes = load.end().await?;
    let found = at_rest(&here, &notes).await?;
    let restored = restore(&mut here, &backup, &notes.erased).await?;
    let (erased, sessions, saved) = (notes.erased.len(), found.sessions, found.saved);
    Ok(Verdict::Held(format!(
        "{kills} kills, {erased} of {} customers erased, 0 traces; {restored} of them in the backup, 0 after the ledger, \
         by hand and by a start; {sessions} sessions, {saved} methods stay",
        notes.intents.len()
    )))
}

/// Those who saved a method, and whom nobody erased yet.
fn candidates(people: &People) -> Vec<Intent> {
    let notes = people.notes();
    let is_erased = |intent: &Intent| notes.erased.iter().any(|erased| erased.reference == intent.reference);
    let saved = |intent: &&Intent| intent.saved && intent.session.is_some() && !is_erased(intent);
    notes.intents.iter().filter(saved).cloned().collect()
}

/// The oldest and the newest in turn: of the former everything is settled, of the latter a webhook is on its way.
async fn erase_some(people: &People, database: &str, count: usize, seed: u64) -> anyhow::Result<()> {
    let mut dice = StdRng::seed_from_u64(seed);
    for number in 0..count {
        let candidates = candidates(people);
        let next = if number % 2 == 0 { candidates.first() } else { candidates.last() };
        people.erase(database, next.context("nobody to erase")?, &mut dice).await?;
        sleep(Duration::from_millis(dice.random_range(20..200))).await;
    }
    Ok(())
}

/// The backup brings people back, and the ledger erases them: by `vault erasures-apply` of what `vault erasures-export`
/// had printed, and by the start of a server that knows where its ledger is. How many came back.
async fn restore(here: &mut Installation, backup: &Kept, erased: &[Erased]) -> anyhow::Result<usize> {
    let exported = here.folder.path().join("exported.jsonl");
    std::fs::write(&exported, here.print(&["vault", "erasures-export"])?)?;
    here.kill(0)?;
    backup.put_back()?;
    let back = came_back(here, erased).await?;
    ensure!(back > 0, "the backup held nobody who was erased: it proves nothing");
    // A command that finds its ledger applies it before it does anything else.
    let away = here.folder.path().join("away.jsonl");
    std::fs::rename(here.ledger(), &away)?;
    let applied = here.cli(&["vault", "erasures-apply", &exported.display().to_string()])?;
    ensure!(applied["erased"] == back, "{back} people came back, and the ledger by hand said {applied}");
    nothing_is_left(here, erased).await.context("after `vault erasures-apply`")?;

    std::fs::rename(&away, here.ledger())?;
    backup.put_back()?;
    ensure!(came_back(here, erased).await? == back, "the backup is not what it was");
    here.up(0).await?;
    for erased in erased {
        let path = format!("/v1/customers/{}", erased.customer);
        let answer = here.http.get(here.url(0, &path)).bearer_auth(&here.api_key).send().await?;
        ensure!(answer.status() == 404, "I16: {path} is answered with {}", answer.status());
    }
    nothing_is_left(here, erased).await.context("after a start with the ledger")?;
    Ok(back)
}

/// How many of them are customers in the database.
async fn came_back(here: &Installation, erased: &[Erased]) -> anyhow::Result<usize> {
    let customers = crate::rows::rows(&here.database, "customers").await?;
    let is_there = |erased: &&Erased| customers.iter().any(|row| row["id"] == erased.customer.as_str());
    let back = erased.iter().filter(is_there).count();
    ensure!(back == 0 || !traces(here, erased).await?.is_empty(), "the reader does not see who came back");
    Ok(back)
}

async fn nothing_is_left(here: &Installation, erased: &[Erased]) -> anyhow::Result<()> {
    let problems = traces(here, erased).await?;
    ensure!(problems.is_empty(), "{}", told(&problems));
    here.cli(&["vault", "verify"]).context("I9")?;
    here.cli(&["audit", "verify"]).context("I10")?;
    Ok(())
}
