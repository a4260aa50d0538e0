//! What a trial is, and how its outcome is told.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::postgres::Cluster;

/// How much is done, and by which chance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) quick: bool,
    pub(crate) seed: u64,
}

impl Plan {
    /// How often: a few times, or as often as the figures say.
    pub(crate) fn count(&self, quick: u32, full: u32) -> u32 {
        if self.quick { quick } else { full }
    }

    /// How long something may take. The figures count on a machine that does nothing else; the quick tier runs on any.
    pub(crate) fn within(&self, limit: Duration) -> Duration {
        if self.quick { limit * 4 } else { limit }
    }
}

/// Where the rows are kept.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Sqlite,
    Postgres(Arc<Cluster>),
}

impl Backend {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// What came of it. An error is a promise that was broken.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Every promise was kept, in so many cases.
    Held(String),
    /// It cannot be done here, and why.
    Skipped(String),
}

/// One row of the table.
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    /// What is done, in a few words.
    pub(crate) what: &'static str,
    pub(crate) on: &'static [On],
    pub(crate) run: fn(Plan, Backend) -> LocalBoxFuture<'static, anyhow::Result<Verdict>>,
}

/// On which databases a trial makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

/// What every trial gave.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    name: &'static str,
    what: &'static str,
    backend: &'static str,
    outcome: Result<Verdict, String>,
    took: Duration,
    seed: u64,
}

impl Report {
    pub(crate) fn add(
        &mut self,
        trial: &Trial,
        backend: &'static str,
        outcome: anyhow::Result<Verdict>,
        took: Duration,
        seed: u64,
    ) {
        let outcome = outcome.map_err(|error| format!("{error:#}"));
        let line = Line { name: trial.name, what: trial.what, backend, outcome, took, seed };
        println!("{}", line.text());
        self.lines.push(line);
    }

    /// Whether nothing was broken.
    pub(crate) fn is_clean(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.outcome.is_ok())
    }

    pub(crate) fn summary(&self) -> String {
        let count = |wanted: fn(&Result<Verdict, String>) -> bool| {
            self.lines.iter().filter(|line| wanted(&line.outcome)).count()
        };
        format!(
            "torture: {} held, {} broken, {} skipped",
            count(|outcome| matches!(outcome, Ok(Verdict::Held(_)))),
            count(Result::is_err),
            count(|outcome| matches!(outcome, Ok(Verdict::Skipped(_)))),
        )
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| trial | database | N | verdict | s |\n|---|---|---|---|---|\n");
        for Line { what, backend, outcome, took, .. } in &self.lines {
            let (count, verdict) = match outcome {
                Ok(Verdict::Held(count)) => (count.as_str(), "held"),
                Ok(Verdict::Skipped(why)) => (why.as_str(), "skipped"),
                Err(_) => ("", "**broken**"),
            };
            let _ = writeln!(text, "| {what} | {backend} | {count} | {verdict} | {} |", took.as_secs());
        }
        text
    }
}

impl Line {
    fn text(&self) -> String {
        let Self { name, backend, outcome, took, seed, .. } = self;
        let said = match outcome {
            Ok(Verdict::Held(count)) => format!("held     {count}"),
            Ok(Verdict::Skipped(why)) => format!("SKIPPED  {why}"),
            Err(why) => format!("BROKEN   {why}"),
        };
        format!("{name:<16} {backend:<10} {:>4} s  seed {seed:#x}  {said}", took.as_secs())
    }
}
