//! Whole worlds over real databases.

use std::path::Path;

use billfold_store::connect;
use billfold_testkit::failpoints;
use billfold_testkit::postgres::ThrowAwayPostgres;
use billfold_testkit::simulation::{Database, Flaw, catches, hold, run};
use tempfile::TempDir;

use crate::support::patient;

/// In memory where the machine allows it: a simulated world needs no disk, and writes a lot.
fn folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { TempDir::new_in(shared) } else { TempDir::new() }.unwrap()
}

async fn sqlite() -> Database {
    let files = folder();
    let url = format!("sqlite://{}/billfold.db", files.path().display());
    let store = connect(&url, &patient()).await.unwrap();
    store.migrate().await.unwrap();
    Database { store, files: Some(files) }
}

#[tokio::test]
async fn every_world_on_sqlite_keeps_its_promises() {
    hold(10, sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_world_on_postgres_keeps_its_promises() {
    if ThrowAwayPostgres::database().await.is_none() {
        return;
    }
    hold(3, || async {
        let database = ThrowAwayPostgres::database().await.unwrap();
        let store = connect(&database.url, &patient()).await.unwrap();
        store.migrate().await.unwrap();
        Database { store, files: None }
    })
    .await;
}

#[tokio::test]
async fn the_same_seed_is_the_same_history() {
    for seed in 1..=2 {
        let (one, two) = (run(seed, None, sqlite().await).await, run(seed, None, sqlite().await).await);
        assert_eq!(one.history, two.history, "seed {seed}");
        assert_eq!(one.digest, two.digest, "seed {seed}");
        assert_ne!(one.digest, run(seed + 1, None, sqlite().await).await.digest);
    }
}

/// The invariant that a flaw breaks; any of several where chance decides.
fn broken_by(flaw: Flaw) -> &'static [&'static str] {
    match flaw {
        Flaw::AcknowledgesBeforeStoring | Flaw::IgnoresTheSecret => &["I1"],
        Flaw::LosesCommits => &["I3", "I7"],
        Flaw::IgnoresVersions => &["I6", "I7"],
        Flaw::IgnoresUniqueness | Flaw::TimeOutIsFailure => &["I3"],
        Flaw::SweeperNeverAsks => &["I13"],
        Flaw::KeepsTokens => &["I3", "I16"],
        Flaw::ShredsNothing => &["I16"],
        Flaw::ShowsTokens => &["I11"],
        // I1 when the wrong customer is erased, and the webhook that is about them by mistake with them.
        Flaw::MixesCustomers => &["I1", "I3", "I12", "I16"],
        Flaw::DropsEvents | Flaw::DoublesEvents => &["I7"],
        Flaw::ForgetsAudit => &["I10"],
        Flaw::ForgetsIntents | Flaw::MistakesAmounts => &["I17"],
        // I18 when the second one is declined, and the first one is what nobody knows of.
        Flaw::ChargesAnew => &["I17", "I18"],
        Flaw::BelievesHints | Flaw::RefundsTwice | Flaw::SilenceIsDecline => &["I18"],
    }
}

/// Whatever is wrong with Billfold is seen within a few worlds.
#[tokio::test]
async fn every_flaw_is_found_out() {
    for flaw in Flaw::ALL {
        let caught = catches(flaw, 200, sqlite).await;
        let caught = caught.unwrap_or_else(|| panic!("{flaw:?} was not seen"));
        let invariant = |problem: &String| problem.split(':').next().unwrap_or_default().to_owned();
        let broken: Vec<String> = caught.problems.iter().map(invariant).collect();
        let expected = broken_by(flaw);
        let seen = broken.iter().any(|one| expected.contains(&one.as_str()));
        assert!(seen, "{flaw:?} breaks {expected:?}: {}", caught.report());
    }
}

#[tokio::test]
async fn every_step_on_sqlite_may_fail_crash_or_happen_twice() {
    let tellings = failpoints::hold(5, sqlite).await;
    println!("{tellings} tellings ended alike");
    assert!(tellings > 100, "only {tellings}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_on_postgres_may_fail_crash_or_happen_twice() {
    if ThrowAwayPostgres::database().await.is_none() {
        return;
    }
    let tellings = failpoints::hold(30, || async {
        let database = ThrowAwayPostgres::database().await.unwrap();
        let store = connect(&database.url, &patient()).await.unwrap();
        store.migrate().await.unwrap();
        Database { store, files: None }
    });
    println!("{} tellings ended alike", tellings.await);
}
