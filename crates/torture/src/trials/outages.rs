//! Databases that do not answer, crash, or have no room.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use billfold_sandbox::{Channel, WireWebhook};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use futures::{StreamExt as _, stream};
use tokio::time::sleep;

use super::is_root;
use crate::books::at_rest;
use crate::installation::{Installation, Options};
use crate::load::{Load, People, open_sessions};
use crate::postgres::succeed;
use crate::trial::{Backend, Plan, Verdict};

/// A gateway that waited this long never sends again.
const GATEWAY_WAITS: Duration = Duration::from_secs(5);

/// What keeps a database from answering.
enum Stall {
    Sqlite(Box<SqliteConnection>),
    Postgres,
}

impl Stall {
    fn begin(here: &Installation, backend: &Backend) -> anyhow::Result<Self> {
        match backend {
            Backend::Sqlite => {
                let mut conn = SqliteConnection::establish(here.database.trim_start_matches("sqlite://"))?;
                conn.batch_execute("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE")?;
                Ok(Self::Sqlite(Box::new(conn)))
            }
            Backend::Postgres(cluster) => {
                cluster.signal("-STOP");
                Ok(Self::Postgres)
            }
        }
    }

    fn end(self, backend: &Backend) -> anyhow::Result<()> {
        match (self, backend) {
            (Self::Sqlite(mut conn), _) => Ok(conn.batch_execute("ROLLBACK")?),
            (Self::Postgres, Backend::Postgres(cluster)) => {
                cluster.signal("-CONT");
                Ok(())
            }
            (Self::Postgres, Backend::Sqlite) => Ok(()),
        }
    }
}

/// Webhooks meet a database that does not answer: each gets an answer in time, none is acknowledged, and what the
/// gateway sends again afterwards is stored.
pub(super) async fn stall(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let here = Installation::start(&backend, Options::default()).await?;
    let people = People::of(&here);
    let count = plan.count(50, 500);
    here.control().set_channel(Channel { hold: true, ..Channel::default() });
    for (intent, session) in open_sessions(&people, count, plan.seed).await? {
        people.save(intent, &session).await?;
    }
    let webhooks: Vec<WireWebhook> =
        here.control().deliveries().iter().map(|delivery| here.control().wire(delivery, None)).collect();
    let pause = Duration::from_secs(u64::from(plan.count(12, 60)));
    let stalled = Stall::begin(&here, &backend)?;
    let began = Instant::now();
    let (mut sent, mut slowest) = (0_usize, Duration::ZERO);
    while began.elapsed() < pause {
        let mut answers = stream::iter(webhooks.iter().take(20).enumerate())
            .map(|(_, webhook)| {
                let mut request = here.http.post(here.url(0, "/webhooks/main"));
                for (name, value) in &webhook.headers {
                    request = request.header(*name, value);
                }
                let request = request.body(webhook.body.clone());
                async move {
                    let asked = Instant::now();
                    let status = request.send().await.map(|answer| answer.status().as_u16());
                    (status, asked.elapsed())
                }
            })
            .buffer_unordered(20);
        while let Some((status, took)) = answers.next().await {
            let status = status?;
            ensure!(status == 503, "a webhook was answered {status} while nothing can be stored");
            sent += 1;
            slowest = slowest.max(took);
        }
    }
    stalled.end(&backend)?;
    ensure!(slowest < plan.within(GATEWAY_WAITS), "an answer took {slowest:?}");
    here.control().set_channel(Channel::default());
    here.control().release();
    let found = at_rest(&here, &people.notes()).await?;
    ensure!(found.saved == count as usize, "{} methods of {count}", found.saved);
    let (pause, slowest) = (pause.as_secs(), slowest.as_millis());
    Ok(Verdict::Held(format!(
        "{pause} s, {sent} webhooks refused, slowest answer {slowest} ms, {}",
        found.told()
    )))
}

/// The database crashes, recovers, and the servers go on by themselves.
pub(super) async fn restart(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let Backend::Postgres(cluster) = &backend else {
        return Ok(Verdict::Skipped("needs PostgreSQL".to_owned()));
    };
    let here = Installation::start(&backend, Options::default()).await?;
    let load = Load::begin(&here, 8, Duration::from_millis(40), plan.seed);
    let (restarts, mut slowest) = (plan.count(4, 50), Duration::ZERO);
    for _ in 0..restarts {
        sleep(Duration::from_millis(700)).await;
        cluster.crash()?;
        cluster.up()?;
        let began = Instant::now();
        while here.get("/v1/sessions?limit=1").await.is_err() {
            ensure!(began.elapsed() < Duration::from_secs(30), "the server does not come back by itself");
            sleep(Duration::from_millis(20)).await;
        }
        slowest = slowest.max(began.elapsed());
    }
    let found = at_rest(&here, &load.end().await?).await?;
    let slowest = slowest.as_millis();
    Ok(Verdict::Held(format!("{restarts} crashes, back after {slowest} ms at most, {}", found.told())))
}

/// A small file system of its own, taken down in the end.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(megabytes: u32) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("billfold-torture-disk-").tempdir()?;
        let size = format!("size={megabytes}m");
        succeed(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()))?;
        Ok(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let file = self.path().join("filler");
        let _ = Command::new("dd")
            .args(["if=/dev/zero", "bs=4096", "status=none"])
            .arg(format!("of={}", file.display()))
            .stderr(std::process::Stdio::null())
            .status();
    }

    fn make_room(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.path().join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// The disk is full again and again; there is room again each time.
pub(super) async fn disk_full(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    if !is_root() {
        return Ok(Verdict::Skipped("only root may mount a small file system".to_owned()));
    }
    let Ok(disk) = SmallDisk::mount(256) else {
        return Ok(Verdict::Skipped("file systems cannot be mounted here".to_owned()));
    };
    let options = Options { database_folder: Some(disk.path().to_owned()), ..Options::default() };
    let here = Installation::start(&backend, options).await?;
    let load = Load::begin(&here, 8, Duration::from_millis(40), plan.seed);
    let (times, mut refused) = (plan.count(3, 20), 0_usize);
    for _ in 0..times {
        sleep(Duration::from_secs(1)).await;
        disk.fill();
        sleep(Duration::from_secs(1)).await;
        // What can still be read is; what cannot be written is refused with the reason of a store.
        here.get("/v1/sessions?limit=1").await?;
        let put = here.http.post(here.url(0, "/v1/vault/records")).bearer_auth(&here.api_key);
        let body = serde_json::json!({"owner": "full", "kind": "note", "value": "x".repeat(65_536)});
        let status = put.json(&body).send().await?.status().as_u16();
        ensure!(matches!(status, 201 | 503 | 507), "a full disk was answered {status}");
        refused += usize::from(status != 201);
        disk.make_room()?;
    }
    ensure!(refused > 0, "the disk was never full");
    let found = at_rest(&here, &load.end().await?).await?;
    Ok(Verdict::Held(format!("{times} times, {refused} writes of ours refused, {}", found.told())))
}
