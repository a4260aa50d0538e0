//! What everybody in a simulated world shares: chance, time, whose turn it is, and what happened.

use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use billfold_core::clock::{Clock as _, ManualClock, Timestamp};
use billfold_core::entropy::{Entropy, EntropyError};

use super::Flaw;
use super::gateway::Accounts;
use super::observer::Observer;
use super::weather::Weather;

/// The moment at which every simulated world begins.
const BEGINNING: Timestamp = Timestamp::from_millis(1_780_000_000_000);

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All chance of a world; the same seed rolls the same.
#[derive(Debug)]
pub(super) struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&self, end: usize) -> usize {
        lock(&self.0).usize(..end)
    }

    /// A number from `least` to `most`.
    pub(super) fn between(&self, least: u64, most: u64) -> u64 {
        lock(&self.0).u64(least..=most)
    }

    /// Whether something happens that happens `per_mille` times in a thousand.
    pub(super) fn chance(&self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        (!of.is_empty()).then(|| &of[self.below(of.len())])
    }
}

impl Entropy for Dice {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        lock(&self.0).fill(buffer);
        Ok(())
    }
}

/// Where every call to a store, a gateway or a root key stops until it is its caller's turn.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Turn>);

#[derive(Debug, Default)]
struct Turn {
    /// The caller whose turn it is may pass once.
    open: bool,
    /// Nobody stops any more.
    free: bool,
    reached: Option<&'static str>,
    /// Whoever is stopped. A task that works on several things at once asks only those that were woken.
    waiting: Vec<Waker>,
    /// The database is at work for the caller whose turn it is.
    working: bool,
}

impl Gate {
    /// Waits for the caller's turn.
    pub(super) async fn pass(&self, call: &'static str) {
        poll_fn(|cx| {
            let mut turn = lock(&self.0);
            if turn.free || std::mem::take(&mut turn.open) {
                return Poll::Ready(());
            }
            turn.reached = Some(call);
            turn.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub(super) fn work(&self, working: bool) {
        lock(&self.0).working = working;
    }

    pub(super) fn is_working(&self) -> bool {
        lock(&self.0).working
    }

    /// Gives the next caller who is polled its turn.
    pub(super) fn open(&self) {
        let mut turn = lock(&self.0);
        turn.open = true;
        turn.reached = None;
        let waiting = std::mem::take(&mut turn.waiting);
        drop(turn);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Where the caller stopped, if it did.
    pub(super) fn reached(&self) -> Option<&'static str> {
        lock(&self.0).reached.take()
    }

    pub(super) fn close(&self) {
        lock(&self.0).open = false;
    }

    pub(super) fn free(&self) {
        lock(&self.0).free = true;
        self.open();
    }
}

/// What happened, in order.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    problems: Vec<String>,
    digest: u64,
}

/// Shared by all parts of one world.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) dice: Dice,
    pub(super) entropy: Arc<Dice>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) gate: Gate,
    pub(super) weather: Weather,
    pub(super) accounts: Accounts,
    pub(super) observer: Observer,
    pub(super) flaw: Option<Flaw>,
    journal: Journal,
}

impl Scene {
    pub(super) fn new(seed: u64, flaw: Option<Flaw>) -> Arc<Self> {
        let dice = Dice::new(seed);
        let weather = Weather::forecast(&dice, flaw.is_some());
        Arc::new(Self {
            entropy: Arc::new(Dice::new(seed ^ 0x5EED)),
            clock: Arc::new(ManualClock::new(BEGINNING)),
            gate: Gate::default(),
            weather,
            accounts: Accounts::default(),
            observer: Observer::default(),
            flaw,
            journal: Journal::default(),
            dice,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes down what happened.
    pub(super) fn tell(&self, what: impl AsRef<str>) {
        let at = (self.now().as_millis() - BEGINNING.as_millis()) / 1000;
        let line = format!("{at:>8}s {}", what.as_ref());
        self.trace(&line);
        lock(&self.journal.0).lines.push(line);
    }

    /// Adds to the digest what is too much to write down.
    pub(super) fn trace(&self, what: &str) {
        let mut journal = lock(&self.journal.0);
        let mut hasher = DefaultHasher::new();
        (journal.digest, what).hash(&mut hasher);
        journal.digest = hasher.finish();
    }

    /// Writes down what must not happen.
    pub(super) fn problem(&self, what: String) {
        self.tell(format!("PROBLEM {what}"));
        lock(&self.journal.0).problems.push(what);
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Lines, problems, and a digest of every single step.
    pub(super) fn ending(&self) -> (Vec<String>, Vec<String>, u64) {
        let journal = lock(&self.journal.0);
        (journal.lines.clone(), journal.problems.clone(), journal.digest)
    }
}
