//! Rotation under load with the job killed at random points: whatever was written is readable afterwards, and
//! nothing is left under a retired key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use billfold_testkit::postgres::ThrowAwayPostgres;
use billfold_testkit::process::free_port;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Databases;
use crate::client::Client;

const ROUNDS: u64 = 20;
const KILLS: u64 = 10;
const WRITERS: u64 = 4;
/// How many values each of them makes in a round.
const VALUES: usize = 250;
const SEED: u64 = 0x6269_6c6c_666f_6c64;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(databases: Databases<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("seed {SEED:#x}");
        if databases.has("SQLite") {
            let folder = tempfile::tempdir()?;
            story("SQLite", folder.path(), &format!("sqlite://{}/vault.db", folder.path().display())).await?;
        }
        if databases.has("PostgreSQL") {
            let folder = tempfile::tempdir()?;
            match ThrowAwayPostgres::database().await {
                Some(database) => story("PostgreSQL", folder.path(), &database.url).await?,
                None => println!("PostgreSQL: SKIPPED, no server is installed"),
            }
        }
        Ok(())
    })
}

struct Installation {
    program: PathBuf,
    folder: PathBuf,
    database: String,
    port: u16,
    server: Option<Child>,
}

async fn story(name: &str, folder: &Path, database: &str) -> anyhow::Result<()> {
    let program = std::env::current_exe()?.with_file_name("billfold");
    let mut here = Installation {
        program,
        folder: folder.to_owned(),
        database: database.to_owned(),
        port: free_port(),
        server: None,
    };
    let mut dice = Dice(SEED);
    let mut root = here.new_root(0)?;
    here.configure(&root, None)?;
    let issued =
        here.json(&["keys", "create", "--name", "load", "--scope", "vault", "--scope", "vault_reveal"])?;
    let key = text(&issued, "secret")?;
    let (mut written, mut kills, mut writes) = (BTreeMap::new(), 0, 0);
    for round in 1..=ROUNDS {
        let next = here.new_root(round)?;
        here.configure(&next, Some(&root))?;
        here.start().await?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(here.port, key.clone(), round * 1000 + writer, stop.clone()));
        }
        for (job, times) in [("rotate-root", 4), ("rotate-data", 3), ("reseal", KILLS - 7)] {
            for _ in 0..times {
                here.kill_midway(job, dice.below(60)).await?;
                kills += 1;
            }
            here.json(&["vault", job, "--batch", "7"])?;
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(wrote) = writers.join_next().await {
            let (values, times) = wrote??;
            written.extend(values);
            writes += times;
        }
        // What the writers made while the jobs were running is left for a last run.
        here.json(&["vault", "rotate-root"])?;
        here.json(&["vault", "reseal"])?;
        here.stop().await?;
        // The old root key goes: whatever still needed it would not open any more.
        here.configure(&next, None)?;
        root = next;
    }
    sleep(Duration::from_secs(3)).await;
    here.json(&["vault", "reseal"])?;
    let verified = here.json(&["vault", "verify"])?;
    let status = here.json(&["vault", "status"])?;
    here.start().await?;
    let wrong = reread(here.port, &key, &written).await?;
    here.stop().await?;
    let superseded: i64 = status["keys"]
        .as_array()
        .context("no keys")?
        .iter()
        .filter(|count| count["state"] != "primary")
        .filter_map(|count| count["keys"].as_i64())
        .sum();
    println!(
        "figure 22: {name}: {ROUNDS} root and {ROUNDS} data rotations, {kills} kills, N={} values, {writes} writes: {} opened, {wrong} wrong, \
         {} to wrap, {} to seal, {superseded} superseded keys left",
        written.len(),
        verified["opened"],
        status["keys_to_rewrap"],
        status["records_to_reseal"],
    );
    ensure!(wrong == 0, "{wrong} values are not what was written");
    ensure!(
        status["keys_to_rewrap"] == 0 && status["records_to_reseal"] == 0 && superseded == 0,
        "work is left: {status}"
    );
    Ok(())
}

/// Puts values of new and known owners, then replaces them, until it is told to stop; what was answered with success is
/// noted. A writer that went on making values would make the jobs longer, and longer jobs more values.
async fn write(
    port: u16,
    key: String,
    seed: u64,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<(BTreeMap<String, String>, usize)> {
    let mut client = Client::connect(port, &key).await?;
    let (mut written, mut ids) = (BTreeMap::new(), Vec::new());
    let mut number = 0_usize;
    while !stop.load(Ordering::Relaxed) {
        let value = format!("{seed}-{number}");
        let answer = if number < VALUES {
            let owner = number % 25;
            let body = format!(r#"{{"owner":"owner-{owner}","kind":"note","value":"{value}"}}"#);
            client.post("/v1/vault/records", &body).await?
        } else {
            let id: &String = ids.get(number % VALUES).context("no value")?;
            client.put(&format!("/v1/vault/records/{id}"), &format!(r#"{{"value":"{value}"}}"#)).await?
        };
        let id = text(&serde_json::from_str::<Value>(&answer)?, "id")?;
        if number < VALUES {
            ids.push(id.clone());
        }
        written.insert(id, value);
        number += 1;
        sleep(Duration::from_millis(3)).await;
    }
    Ok((written, number))
}

async fn reread(port: u16, key: &str, written: &BTreeMap<String, String>) -> anyhow::Result<usize> {
    let mut client = Client::connect(port, key).await?;
    let mut wrong = 0;
    for (id, value) in written {
        let answer = client.post(&format!("/v1/vault/records/{id}/reveal"), "").await?;
        let answer: Value = serde_json::from_str(&answer)?;
        wrong += usize::from(answer["value"] != value.as_str());
    }
    Ok(wrong)
}

impl Installation {
    fn new_root(&self, round: u64) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(format!("root-{round}.key"));
        let made = Command::new(&self.program).args(["keys", "init", "--file"]).arg(&file).output()?;
        ensure!(made.status.success(), "keys init: {}", String::from_utf8_lossy(&made.stderr));
        Ok(file)
    }

    fn configure(&self, root: &Path, previous: Option<&Path>) -> anyhow::Result<()> {
        let previous = previous.map(|file| format!("{:?}", file.display().to_string())).unwrap_or_default();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{0}\"\npublic_url = \"http://127.0.0.1:{0}\"\n\n\
             [database]\nurl = \"{1}\"\n\n\
             [vault]\nroot_key_file = \"{2}\"\nprevious_root_key_files = [{previous}]\nkey_cache_seconds = 1\n\
             reveals_per_minute = 1000000\n\n[log]\nfilter = \"error\"\n",
            self.port,
            self.database,
            root.display(),
        );
        std::fs::write(self.config(), text)?;
        Ok(())
    }

    fn config(&self) -> PathBuf {
        self.folder.join("billfold.toml")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--json").arg("--config").arg(self.config());
        command
    }

    fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let output = self.command(args).output()?;
        ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts a job and kills it after some milliseconds, wherever it is then.
    async fn kill_midway(&self, job: &str, after: u64) -> anyhow::Result<()> {
        let mut command = self.command(&["vault", job, "--batch", "1"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        sleep(Duration::from_millis(after)).await;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.config()).stdout(Stdio::null());
        self.server = Some(command.spawn()?);
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if began.elapsed() > PATIENCE {
                bail!("the server did not start");
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        Command::new("kill").arg(server.id().to_string()).status()?;
        while server.try_wait()?.is_none() {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value
        .get(field)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("there is no {field}"))
}

/// The same points in every run of one seed, as far as the machine lets it.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
