//! A whole world, replayed from a seed: merchants, payers, gateways with books of their own, a channel that
//! loses and doubles webhooks, and two processes of Billfold that share a real database. Everything happens
//! on one thread, one call to the outside at a time, in an order that the seed decides, and so does what goes
//! wrong: processes that die between any two calls, databases and gateways that fail before or after they
//! acted, key services that go away, clocks that jump, keys that are rotated and customers who are erased
//! meanwhile. At the end everything comes to rest, and a reader of the rows who knows nothing of the use cases
//! compares them with the gateways' books.
//!
//! The same seed is the same history, call by call. [`Flaw`] is Billfold with something wrong on purpose.

mod arrivals;
mod channel;
mod charges;
mod check;
mod flaw;
mod gateway;
mod keys;
mod observer;
mod rest;
mod rows;
mod scene;
mod task;
mod told;
mod weather;
mod world;

use std::fmt::Write as _;
use std::sync::Arc;

use billfold_core::store::Store;
use tempfile::TempDir;

pub use flaw::Flaw;
use world::World;

/// An empty, migrated database.
#[derive(Debug)]
pub struct Database {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The folder of its files, if it has any: they are searched for secrets, and deleted in the end.
    pub files: Option<TempDir>,
}

/// How a world went.
#[derive(Debug)]
pub struct Run {
    /// From which seed.
    pub seed: u64,
    /// What happened.
    pub history: Vec<String>,
    /// Which invariants were broken, and by what.
    pub problems: Vec<String>,
    /// Of every single step: equal for equal histories.
    pub digest: u64,
}

impl Run {
    /// The problems, the history before the first of them, and how to see it again.
    pub fn report(&self) -> String {
        const LINES: usize = 400;
        let Self { seed, history, problems, .. } = self;
        let mut text = format!("seed {seed} broke {} promises:\n", problems.len());
        for problem in problems {
            let _ = writeln!(text, "  {problem}");
        }
        text.push_str("what happened:\n");
        for line in history.get(history.len().saturating_sub(LINES)..).unwrap_or_default() {
            let _ = writeln!(text, "  {line}");
        }
        let _ = write!(text, "again: BILLFOLD_SIMULATION_SEED={seed}");
        text
    }
}

/// Lets one world live, come to rest, and be looked at.
pub async fn run(seed: u64, flaw: Option<Flaw>, database: Database) -> Run {
    let mut world = World::new(seed, flaw, database.store.clone());
    let happenings = 80 + world.scene.dice.below(240);
    world.live(happenings).await;
    world.rest().await;
    check::check(&world, database.files.as_ref().map(TempDir::path)).await;
    let (history, problems, digest) = world.scene.ending();
    Run { seed, history, problems, digest }
}

/// Runs the seeds from 1 to `usual`, or as many as `BILLFOLD_SIMULATION_RUNS` says, or only that of
/// `BILLFOLD_SIMULATION_SEED`, each over a database of its own. Panics with the report of the first that
/// broke a promise.
pub async fn hold<F>(usual: u64, fresh: impl Fn() -> F)
where
    F: Future<Output = Database>,
{
    let seeds = match (number("BILLFOLD_SIMULATION_SEED"), number("BILLFOLD_SIMULATION_RUNS")) {
        (Some(seed), _) => seed..=seed,
        (None, runs) => 1..=runs.unwrap_or(usual),
    };
    for seed in seeds {
        let run = run(seed, None, fresh().await).await;
        assert!(run.problems.is_empty(), "{}", run.report());
        if seed % 100 == 0 {
            println!("{seed} worlds kept their promises");
        }
    }
}

/// Whether a flaw is seen in one of the first `most` worlds; in which.
pub async fn catches<F>(flaw: Flaw, most: u64, fresh: impl Fn() -> F) -> Option<Run>
where
    F: Future<Output = Database>,
{
    for seed in 1..=most {
        let run = run(seed, Some(flaw), fresh().await).await;
        if !run.problems.is_empty() {
            return Some(run);
        }
    }
    None
}

#[expect(clippy::disallowed_methods, reason = "how a test is run is not configuration")]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: expected a number, not `{text}`")))
}
