//! A PostgreSQL cluster that keeps what it promised: with flushes on, in a folder of one's choice, to be stopped,
//! frozen and started again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use billfold_testkit::postgres::Installed;
use billfold_testkit::process::free_port;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    installed: Installed,
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    /// The process above all the others.
    main: AtomicU32,
    /// Removed with the cluster, when it is ours.
    own_folder: Option<tempfile::TempDir>,
}

impl Cluster {
    /// One in a folder that goes with it; `None` where no PostgreSQL is installed.
    pub(crate) fn start() -> anyhow::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("billfold-torture-pg-").tempdir()?;
        let path = folder.path().to_owned();
        let Some(mut cluster) = Self::start_in(&path)? else { return Ok(None) };
        cluster.own_folder = Some(folder);
        Ok(Some(cluster))
    }

    /// One in `folder`.
    pub(crate) fn start_in(folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(installed) = Installed::find() else { return Ok(None) };
        if let Some(user) = installed.user() {
            succeed(Command::new("chown").arg(user).arg(folder))?;
        }
        let port = free_port();
        let cluster = Self {
            installed,
            folder: folder.to_owned(),
            port,
            databases: AtomicU32::new(0),
            main: AtomicU32::new(0),
            own_folder: None,
        };
        succeed(cluster.installed.command("initdb").arg("-D").arg(cluster.data()).args([
            "-U",
            "billfold",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]))?;
        cluster.up()?;
        Ok(Some(cluster))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn control(&self) -> Command {
        let mut command = self.installed.command("pg_ctl");
        command.arg("-D").arg(self.data());
        command
    }

    /// Starts it, after a crash too.
    pub(crate) fn up(&self) -> anyhow::Result<()> {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c max_connections=200",
            self.port,
            self.folder.display()
        );
        succeed(self.control().args(["-w", "-t", "60", "-o", &options, "start"]))?;
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        let main = pid.lines().next().context("no process id")?.trim().parse()?;
        self.main.store(main, Ordering::SeqCst);
        Ok(())
    }

    /// Ends it at once: the next start recovers from its log.
    pub(crate) fn crash(&self) -> anyhow::Result<()> {
        succeed(self.control().args(["-w", "-m", "immediate", "stop"]))
    }

    /// Every process ends at once, wherever it is; nothing is written any more.
    pub(crate) fn die(&self) {
        while let Some(alive) = Some(self.processes()).filter(|alive| !alive.is_empty()) {
            for pid in alive {
                send("-9", pid);
            }
        }
    }

    /// Starts it where it died: its locks are still there.
    pub(crate) fn up_after_death(&self) -> anyhow::Result<()> {
        for lock in
            [self.data().join("postmaster.pid"), self.folder.join(format!(".s.PGSQL.{}.lock", self.port))]
        {
            let _ = std::fs::remove_file(lock);
        }
        self.up()
    }

    /// A fresh, empty database's URL.
    pub(crate) fn database(&self) -> anyhow::Result<String> {
        let name = format!("torture_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.sql(&[&format!("CREATE DATABASE {name}")])?;
        Ok(format!("postgres://billfold@127.0.0.1:{}/{name}", self.port))
    }

    /// Makes `to` a copy of `from`, which nobody may use meanwhile.
    pub(crate) fn copy_database(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let drop = format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)");
        self.sql(&[&drop, &format!("CREATE DATABASE {to} TEMPLATE {from}")])
    }

    fn sql(&self, statements: &[&str]) -> anyhow::Result<()> {
        let mut psql = self.installed.command("psql");
        psql.args(["-h", "127.0.0.1", "-U", "billfold", "-X", "-q", "-d", "postgres"]);
        psql.args(["-p", &self.port.to_string(), "-v", "ON_ERROR_STOP=1"]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        succeed(&mut psql)
    }

    /// Every process of it that is alive.
    fn processes(&self) -> Vec<u32> {
        let main = self.main.load(Ordering::SeqCst);
        let mut alive = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let mut fields =
                stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
            let (state, parent) = (fields.next(), fields.next().and_then(|parent| parent.parse().ok()));
            if state != Some("Z") && (pid == main || parent == Some(main)) {
                alive.push(pid);
            }
        }
        alive
    }

    /// Sends a signal to every process of it.
    pub(crate) fn signal(&self, signal: &str) {
        for pid in self.processes() {
            send(signal, pid);
        }
    }
}

/// One that just ended is no matter.
fn send(signal: &str, pid: u32) {
    let _ = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.signal("-CONT");
        let _ = self.crash();
    }
}

/// Runs a command that has to succeed. Its output goes to a file, for a server that it starts would hold a pipe open.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let output = tempfile::tempfile()?;
    let (out, err) = (output.try_clone()?, output.try_clone()?);
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status();
    let status = status.with_context(|| format!("{command:?} did not start"))?;
    if !status.success() {
        let mut output = output;
        std::io::Seek::rewind(&mut output)?;
        let said = std::io::read_to_string(output)?;
        ensure!(status.success(), "{command:?}: {said}");
    }
    Ok(())
}
