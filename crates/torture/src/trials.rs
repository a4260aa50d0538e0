//! The trials, in their order.

mod arrivals;
mod charges;
mod controls;
mod erasures;
mod hostile;
mod kills;
mod outages;
mod power;
mod sockets;
mod weather;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use crate::postgres::Cluster;
use crate::trial::{Backend, On, Plan, Report, Trial, Verdict};

const BOTH: &[On] = &[On::Sqlite, On::Postgres];

macro_rules! trial {
    ($name:literal, $what:literal, $on:expr, $run:path) => {
        Trial { name: $name, what: $what, on: $on, run: |plan, backend| $run(plan, backend).boxed_local() }
    };
}

const TRIALS: &[Trial] = &[
    trial!("controls", "damage on purpose, which the reader has to find", BOTH, controls::damages),
    trial!("kill", "kill -9 at random moments under load", BOTH, kills::kill),
    trial!(
        "two-servers",
        "two servers on one database, one or the other killed",
        &[On::Postgres],
        kills::two_servers
    ),
    trial!("duplicates", "each webhook 64 times at the same moment", BOTH, arrivals::duplicates),
    trial!("orders", "all orders of webhooks, returns and questions", BOTH, arrivals::orders_of_all),
    trial!("early", "the webhook comes before the answer to the creating call", BOTH, arrivals::early),
    trial!("lost", "no webhook comes at all", BOTH, arrivals::lost),
    trial!("stall", "the database does not answer", BOTH, outages::stall),
    trial!("restart", "PostgreSQL crashes and recovers under load", &[On::Postgres], outages::restart),
    trial!("disk-full", "the disk is full under load", &[On::Sqlite], outages::disk_full),
    trial!("power-cut", "the power fails under load", BOTH, power::cut),
    trial!(
        "power-control",
        "the same rig with a database that does not flush",
        &[On::Sqlite],
        power::control
    ),
    trial!("slow-clients", "sockets that send or read slowly, or nothing", &[On::Sqlite], sockets::slow),
    trial!("gateway-faults", "every fault of the gateway at every call", &[On::Sqlite], weather::faults),
    trial!(
        "hostile-provider",
        "a provider that panics, never answers, or answers with garbage",
        BOTH,
        hostile::provider
    ),
    trial!(
        "charges",
        "kill -9 while saved methods are charged; the gateway's own books",
        BOTH,
        charges::kills
    ),
    trial!(
        "erasures",
        "customers erased under kill -9 and late webhooks, and a backup from before",
        BOTH,
        erasures::erase
    ),
    trial!(
        "canaries",
        "secrets in logs at the level trace, rows, files and answers",
        BOTH,
        weather::canaries
    ),
];

pub(crate) async fn run(plan: &Plan, only: Option<&str>, database: Option<&str>) -> anyhow::Result<Report> {
    let cluster = if database == Some("sqlite") { None } else { Cluster::start()?.map(Arc::new) };
    let mut report = Report::default();
    for trial in TRIALS.iter().filter(|trial| only.is_none_or(|part| trial.name.contains(part))) {
        for on in trial.on {
            let backend = match (on, &cluster) {
                (On::Sqlite, _) if database != Some("postgres") => Backend::Sqlite,
                (On::Postgres, Some(cluster)) => Backend::Postgres(cluster.clone()),
                (On::Postgres, None) if database != Some("sqlite") => {
                    anyhow::ensure!(
                        !billfold_testkit::process::is_required("BILLFOLD_REQUIRE_POSTGRES"),
                        "BILLFOLD_REQUIRE_POSTGRES=1, but no PostgreSQL server is installed"
                    );
                    let why = "no PostgreSQL server is installed".to_owned();
                    report.add(trial, "PostgreSQL", Ok(Verdict::Skipped(why)), Duration::ZERO, plan.seed);
                    continue;
                }
                _ => continue,
            };
            let (name, began) = (backend.name(), Instant::now());
            let outcome = (trial.run)(*plan, backend).await;
            report.add(trial, name, outcome, began.elapsed(), plan.seed);
        }
    }
    Ok(report)
}

/// Whether file systems may be mounted.
fn is_root() -> bool {
    let user = std::process::Command::new("id").arg("-u").output();
    user.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
