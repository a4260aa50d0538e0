//! A throw-away PostgreSQL cluster from the machine's own server binaries: one per test process, a
//! fresh database for each test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::process::{Guarded, find_program, free_port, quoted, skip};

const PATIENCE: Duration = Duration::from_mins(1);

/// The server binaries of this machine, and whom they run as.
#[derive(Debug, Clone)]
pub struct Installed {
    programs: PathBuf,
    user: Option<String>,
}

impl Installed {
    /// The newest version; `None` when there is none.
    pub fn find() -> Option<Self> {
        let initdb = find_program(&["initdb"], &versions())?;
        // A link in the search path leads to the folder where its siblings are.
        let programs = initdb.canonicalize().expect("initdb").parent().expect("a folder").to_path_buf();
        Some(Self { programs, user: unprivileged() })
    }

    /// Who must own its files, when that is not the current user.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// One of its programs, run as a user that PostgreSQL accepts.
    pub fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
                command.arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }

    /// The same as words of a shell.
    fn shell(&self, program: &str) -> String {
        let program = quoted(&self.programs.join(program));
        match &self.user {
            None => program,
            Some(user) => format!("setpriv --reuid={user} --regid={user} --clear-groups {program}"),
        }
    }
}

/// A fresh, empty database.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// `postgres://…` on the loopback address.
    pub url: String,
}

/// The cluster of this process.
#[derive(Debug)]
pub struct ThrowAwayPostgres {
    _server: Guarded,
    installed: Installed,
    port: u16,
    databases: AtomicU32,
}

/// Whether a commit is on the disk before it is answered.
#[derive(Clone, Copy)]
enum Durability {
    On,
    /// Nobody keeps a test's data: flushing it would only take time.
    Off,
}

static CLUSTER: OnceLock<Option<ThrowAwayPostgres>> = OnceLock::new();

impl ThrowAwayPostgres {
    /// A fresh database, or `None` after saying loudly that there is no PostgreSQL on this machine.
    /// Panics instead when `BILLFOLD_REQUIRE_POSTGRES=1`.
    pub async fn database() -> Option<TestDatabase> {
        let cluster =
            || CLUSTER.get_or_init(|| Self::start(Durability::Off)).as_ref().map(Self::make_database);
        tokio::task::spawn_blocking(cluster).await.expect("a cluster")
    }

    /// A cluster of its own with PostgreSQL's defaults, which flushes every commit: for measurements. `None`, or a
    /// panic, as with [`Self::database`].
    pub async fn durable() -> Option<(Self, TestDatabase)> {
        let cluster = || Self::start(Durability::On).map(|cluster| (cluster.make_database(), cluster));
        let started = tokio::task::spawn_blocking(cluster).await.expect("a cluster");
        started.map(|(database, cluster)| (cluster, database))
    }

    fn start(durability: Durability) -> Option<Self> {
        let Some(installed) = Installed::find() else {
            skip(
                "tests on PostgreSQL",
                "BILLFOLD_REQUIRE_POSTGRES",
                "no PostgreSQL server is installed (initdb was not found)",
            );
            return None;
        };
        let folder =
            tempfile::Builder::new().prefix("billfold-postgres-").tempdir().expect("a folder").keep();
        if let Some(user) = installed.user() {
            run(Command::new("chown").arg(user).arg(&folder));
        }
        let data = folder.join("data");
        let initialise = format!(
            "{} -D {} -U billfold -A trust --no-sync -E UTF8 --locale=C >/dev/null",
            installed.shell("initdb"),
            quoted(&data)
        );
        run(Command::new("sh").args(["-c", &initialise]).current_dir("/"));
        let port = free_port();
        let flushing = match durability {
            Durability::On => "",
            Durability::Off => "-c fsync=off -c synchronous_commit=off -c full_page_writes=off",
        };
        let serve = format!(
            "cd / && exec {} -D {} -p {port} -k {} -c listen_addresses=127.0.0.1 -c max_connections=200 {flushing}",
            installed.shell("postgres"),
            quoted(&data),
            quoted(&folder)
        );
        let server = Guarded::start(
            &format!("sh -c {}", quoted(Path::new(&serve))),
            "INT",
            &format!("rm -rf {}", quoted(&folder)),
        );
        let cluster = Self { _server: server, installed, port, databases: AtomicU32::new(0) };
        cluster.wait();
        Some(cluster)
    }

    fn wait(&self) {
        let began = Instant::now();
        while !self.sql("postgres", "SELECT 1").status.success() {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn make_database(&self) -> TestDatabase {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let made = self.sql("postgres", &format!("CREATE DATABASE {name}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        TestDatabase { url: format!("postgres://billfold@127.0.0.1:{}/{name}", self.port) }
    }

    fn sql(&self, database: &str, statement: &str) -> Output {
        let mut psql = self.installed.command("psql");
        psql.args(["-h", "127.0.0.1", "-U", "billfold", "-X", "-q", "-d", database, "-c", statement]);
        psql.args(["-p", &self.port.to_string()]).output().expect("psql")
    }
}

/// Debian keeps each version in a folder of its own; the newest first.
fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// PostgreSQL refuses to run as root; whom to run it as instead.
fn unprivileged() -> Option<String> {
    let id = |args: &[&str]| Command::new("id").args(args).output().expect("id");
    let root = String::from_utf8_lossy(&id(&["-u"]).stdout).trim() == "0";
    if !root {
        return None;
    }
    let user = if id(&["-u", "postgres"]).status.success() { "postgres" } else { "nobody" };
    Some(user.to_owned())
}

fn run(command: &mut Command) {
    let output = command.output().expect("a command");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn databases_are_fresh_and_apart() {
        let Some(one) = ThrowAwayPostgres::database().await else { return };
        let other = ThrowAwayPostgres::database().await.unwrap();
        assert_ne!(one.url, other.url);
        assert!(one.url.starts_with("postgres://billfold@127.0.0.1:"));
    }
}
