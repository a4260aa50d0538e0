//! The power fails: a file system of our own on a loop device is shut down under the running server, so that
//! everything that was not flushed is gone, then mounted and used again.
//!
//! What was acknowledged before the cut has to be there. The rig cannot tear sectors or reorder what a
//! device flushed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::sleep;

use super::is_root;
use crate::books::at_rest;
use crate::installation::{Installation, Options};
use crate::load::Load;
use crate::notes::Intent;
use crate::postgres::{Cluster, succeed};
use crate::trial::{Backend, Plan, Verdict};

/// `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`; spoken by perl, for this program has no unsafe code.
const SHUTDOWN: &str =
    "open(F, '<', $ARGV[0]) or die; my $how = pack('L', 2); ioctl(F, 0x8004587d, $how) or die \"$!\"";

/// How long killed processes may take to let go of a file system.
const ENDED: Duration = Duration::from_secs(30);

/// A file system whose power can fail.
struct Rig {
    image: PathBuf,
    mount: PathBuf,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn build() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("billfold-torture-power-").tempdir()?;
        let (image, mount) = (folder.path().join("disk.img"), folder.path().join("disk"));
        std::fs::create_dir(&mount)?;
        succeed(Command::new("truncate").args(["-s", "512M"]).arg(&image))?;
        succeed(Command::new("mkfs.ext4").arg("-q").arg("-F").arg(&image))?;
        let rig = Self { image, mount, _folder: folder };
        rig.mount()?;
        Ok(rig)
    }

    fn mount(&self) -> anyhow::Result<()> {
        succeed(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mount))
    }

    fn cut(&self) -> anyhow::Result<()> {
        succeed(Command::new("perl").args(["-e", SHUTDOWN]).arg(&self.mount))
    }

    /// After the cut: what used the file system must end, which a killed process does in its own time.
    async fn restore(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Err(error) = succeed(Command::new("umount").arg(&self.mount)) {
            ensure!(began.elapsed() < ENDED, "{error:#}");
            sleep(Duration::from_millis(50)).await;
        }
        self.mount()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

fn rig() -> Result<Rig, Verdict> {
    if !is_root() {
        return Err(Verdict::Skipped("only root may mount a file system".to_owned()));
    }
    Rig::build().map_err(|error| Verdict::Skipped(format!("no file system of our own: {error:#}")))
}

/// Sessions that were promised to a merchant before the cut are there after it.
pub(super) async fn cut(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let rig = match rig() {
        Ok(rig) => rig,
        Err(skipped) => return Ok(skipped),
    };
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let own = match &backend {
        Backend::Sqlite => None,
        Backend::Postgres(_) => {
            let folder = rig.mount.join("postgres");
            std::fs::create_dir(&folder)?;
            Some(Arc::new(Cluster::start_in(&folder)?.context("no PostgreSQL")?))
        }
    };
    let backend = own.clone().map_or(Backend::Sqlite, Backend::Postgres);
    let options = Options { database_folder: Some(rig.mount.clone()), ..Options::default() };
    let mut here = Installation::start(&backend, options).await?;
    let load = Load::begin(&here, 8, Duration::from_millis(20), plan.seed);
    let cuts = if own.is_some() { plan.count(4, 60) } else { plan.count(10, 150) };
    for _ in 0..cuts {
        sleep(Duration::from_millis(dice.random_range(100..500))).await;
        // Whoever wrote dies a moment before the file system: between the two nobody can promise anything more, and
        // what was not flushed is still lost.
        here.kill(0)?;
        if let Some(cluster) = &own {
            cluster.die();
        }
        rig.cut()?;
        let promised = promised(&load.people.notes().intents);
        rig.restore().await?;
        if let Some(cluster) = &own {
            cluster.up_after_death()?;
        }
        here.up(0).await?;
        let there = crate::rows::rows(&here.database, "sessions").await?;
        let lost = promised.iter().filter(|id| !there.iter().any(|row| row["id"] == **id)).count();
        ensure!(lost == 0, "{lost} of {} sessions that were acknowledged are lost", promised.len());
    }
    let found = at_rest(&here, &load.end().await?).await?;
    if let Some(path) = here.database.strip_prefix("sqlite://") {
        let mut conn = SqliteConnection::establish(path)?;
        let whole: Vec<Check> = diesel::sql_query("PRAGMA integrity_check").load(&mut conn)?;
        ensure!(whole.iter().all(|row| row.integrity_check == "ok"), "the database's file is damaged");
    }
    // The file system can be taken down only when nobody uses it any more.
    drop(here);
    drop(backend);
    drop(own);
    Ok(Verdict::Held(format!("{cuts} cuts, {}", found.told())))
}

#[derive(diesel::QueryableByName)]
struct Check {
    #[diesel(sql_type = diesel::sql_types::Text)]
    integrity_check: String,
}

fn promised(intents: &[Intent]) -> Vec<String> {
    intents.iter().filter_map(|intent| intent.session.clone()).collect()
}

/// A database that does not flush loses rows on this rig: otherwise the rig would prove nothing.
pub(super) async fn control(plan: Plan, _: Backend) -> anyhow::Result<Verdict> {
    let rig = match rig() {
        Ok(rig) => rig,
        Err(skipped) => return Ok(skipped),
    };
    let (cuts, mut written, mut lost) = (plan.count(3, 10), 0, 0);
    for cut in 0..cuts {
        let file = rig.mount.join(format!("{cut}.db"));
        let rows = write_without_flushing(&file)?;
        rig.cut()?;
        rig.restore().await?;
        written += rows;
        lost += rows - count(&file).unwrap_or(0);
    }
    ensure!(lost > 0, "a database without flushes lost nothing in {cuts} cuts: the rig proves nothing");
    Ok(Verdict::Held(format!("{cuts} cuts, {lost} of {written} rows lost, as they should be")))
}

fn write_without_flushing(file: &Path) -> anyhow::Result<i64> {
    let mut conn = SqliteConnection::establish(&file.display().to_string())?;
    conn.batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (n INTEGER)")?;
    for n in 0..500 {
        conn.batch_execute(&format!("INSERT INTO t VALUES ({n})"))?;
    }
    Ok(500)
}

fn count(file: &Path) -> anyhow::Result<i64> {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let mut conn = SqliteConnection::establish(&file.display().to_string())?;
    let rows: Vec<Count> = diesel::sql_query("SELECT count(*) AS n FROM t").load(&mut conn)?;
    Ok(rows.first().map_or(0, |row| row.n))
}
