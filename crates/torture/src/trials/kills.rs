//! Servers that die without warning.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::sleep;

use crate::books::at_rest;
use crate::installation::{Installation, Options};
use crate::load::Load;
use crate::notes::Notes;
use crate::trial::{Backend, Plan, Verdict};

/// One server under load, killed again and again.
pub(super) async fn kill(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let mut here = Installation::start(&backend, Options::default()).await?;
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let load = Load::begin(&here, 8, Duration::from_millis(40), plan.seed);
    let kills = plan.count(20, 200);
    for _ in 0..kills {
        sleep(Duration::from_millis(dice.random_range(20..400))).await;
        here.kill(0)?;
        here.up(0).await?;
    }
    let found = at_rest(&here, &all_wanted(plan, load).await?).await?;
    Ok(Verdict::Held(format!("{kills} kills, {}, {} seen completed", found.told(), found.seen_completed)))
}

/// Two servers share a database; one or the other dies, and the one that stays does all the work. In the end one of
/// them never comes back.
pub(super) async fn two_servers(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let mut here = Installation::start(&backend, Options { servers: 2, ..Options::default() }).await?;
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let load = Load::begin(&here, 8, Duration::from_millis(40), plan.seed);
    let kills = plan.count(6, 40);
    for kill in 0..kills {
        let server = usize::from(dice.random_bool(0.5));
        sleep(Duration::from_millis(dice.random_range(50..500))).await;
        here.kill(server)?;
        here.send_webhooks_to(1 - server)?;
        sleep(Duration::from_millis(dice.random_range(50..500))).await;
        if kill + 1 < kills {
            here.up(server).await?;
        } else if server == 0 {
            // Questions go to the first address.
            here.up(0).await?;
            here.kill(1)?;
            here.send_webhooks_to(0)?;
        }
    }
    let found = at_rest(&here, &all_wanted(plan, load).await?).await?;
    Ok(Verdict::Held(format!("{kills} kills, {}, {} seen completed", found.told(), found.seen_completed)))
}

/// What was wanted; in the full tier everybody gets an answer first, which takes as long as a dead request's lease.
async fn all_wanted(plan: Plan, load: Load) -> anyhow::Result<Notes> {
    if plan.quick { load.end().await } else { load.end_and_ask_again().await }
}
