//! One installation: a gateway, a merchant, a database, and one or more servers as processes that can be killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use billfold_sandbox::{Kind, Sandbox, SandboxConfig, SandboxControl};
use billfold_testkit::process::free_port;
use serde_json::Value;
use tokio::time::sleep;

use crate::merchant::Merchant;
use crate::trial::Backend;

pub(crate) const SECRET_KEY: &str = "xnd_development_CANARY-secret-key";
pub(crate) const CALLBACK_TOKEN: &str = "CANARY-callback-token";
const START: Duration = Duration::from_mins(1);
/// For one question whether it is ready.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How an installation differs from the usual one.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) servers: usize,
    /// When open sessions are asked about, in seconds after their start.
    pub(crate) ask_after_seconds: &'static [u64],
    pub(crate) log: &'static str,
    pub(crate) max_connections: usize,
    /// Where the database is instead of in the folder of the installation (SQLite).
    pub(crate) database_folder: Option<PathBuf>,
    /// Which program, and whether it has the gateway `hostile`.
    pub(crate) hostile: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: 1,
            ask_after_seconds: &[3, 6, 12, 24, 48, 96],
            log: "info",
            max_connections: 1024,
            database_folder: None,
            hostile: false,
        }
    }
}

#[derive(Debug)]
struct Server {
    port: u16,
    child: Option<Child>,
}

#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) database: String,
    pub(crate) sandbox: Sandbox,
    pub(crate) merchant: Merchant,
    pub(crate) api_key: String,
    pub(crate) http: reqwest::Client,
    /// The program under test: built beside this one.
    program: PathBuf,
    servers: Vec<Server>,
}

impl Installation {
    /// Everything is running; the merchant has an endpoint for all events.
    pub(crate) async fn start(backend: &Backend, options: Options) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("billfold-torture-").tempdir()?;
        let database = match backend {
            Backend::Sqlite => {
                let place = options.database_folder.as_deref().unwrap_or(folder.path());
                format!("sqlite://{}/billfold.db", place.display())
            }
            Backend::Postgres(cluster) => cluster.database()?,
        };
        let sandbox = Sandbox::start(SandboxConfig {
            secret_key: SECRET_KEY.into(),
            callback_token: CALLBACK_TOKEN.into(),
            rate_limit: u32::MAX,
            ..SandboxConfig::of(Kind::Xendit)
        });
        let sandbox = sandbox.await?;
        let servers = (0..options.servers).map(|_| Server { port: free_port(), child: None }).collect();
        // One time-out for all: a server that hangs is found out.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(70))
            .no_proxy()
            .build()?;
        let merchant = Merchant::start().await?;
        let api_key = String::new();
        let program = if options.hostile { "billfold-hostile" } else { "billfold" };
        let program = std::env::current_exe()?.with_file_name(program);
        let mut here = Self { folder, database, sandbox, merchant, api_key, http, program, servers };
        let made = Command::new(&here.program)
            .args(["keys", "init", "--file"])
            .arg(here.file("root.key"))
            .output()?;
        ensure!(made.status.success(), "keys init: {}", String::from_utf8_lossy(&made.stderr));
        for index in 0..here.servers.len() {
            std::fs::write(here.config(index), here.configuration(index, &options))?;
        }
        let scopes = ["payments", "charge", "vault", "vault_reveal", "erase", "webhooks", "admin"];
        let mut create = vec!["keys", "create", "--name", "torture"];
        create.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        here.api_key = text(&here.cli(&create)?, "secret")?;
        here.cli(&["webhooks", "create", &here.merchant.url(), "--event", "*"])?;
        for index in 0..here.servers.len() {
            here.up(index).await?;
        }
        here.send_webhooks_to(0)?;
        Ok(here)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, server: usize) -> PathBuf {
        self.file(&format!("billfold-{server}.toml"))
    }

    /// Everybody comes from one address here, so its share is not limited, and neither is what the gateway is asked in
    /// the background; and a request whose server died is repeated soon.
    fn configuration(&self, server: usize, options: &Options) -> String {
        let Options { ask_after_seconds, log, max_connections, .. } = options;
        let (port, public) = (self.port(server), self.port(0));
        let (database, root, gateway) = (&self.database, self.file("root.key"), self.sandbox.base_url());
        format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{public}\"\ndevelopment = true\n\
             max_connections = {max_connections}\nidempotency_lease_seconds = 2\nsource_requests_per_minute = 100000000\n\n\
             [database]\nurl = \"{database}\"\n\n[vault]\nroot_key_file = \"{}\"\nerasure_ledger_file = \"{}\"\n\n[log]\nfilter = \"{log}\"\n\n\
             [workers]\ninterval_ms = 100\nask_after_seconds = {ask_after_seconds:?}\nlease_seconds = 2\n\
             background_calls_per_second = 0\n\n\
             [webhooks]\nallow_private_networks = true\nretry_after_seconds = [1, 1, 2, 2, 4, 4, 8, 8, 16, 32]\n\n\
             [gateways.main]\nprovider = \"xendit\"\nmode = \"test\"\n\n\
             [gateways.main.settings]\nbase_url = \"{gateway}\"\nsecret_key = \"{SECRET_KEY}\"\n\
             callback_token = \"{CALLBACK_TOKEN}\"\ncustomers = \"directory\"\n",
            root.display(),
            self.ledger().display()
        ) + &if options.hostile {
            let orders = self.orders();
            format!(
                "\n[gateways.hostile]\nprovider = \"hostile\"\nmode = \"test\"\n\n\
                 [gateways.hostile.settings]\norders = \"{}\"\n",
                orders.display()
            )
        } else {
            String::new()
        }
    }

    /// The erasures beside the database.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.file("erasures.jsonl")
    }

    /// What the gateway `hostile` has to do, where there is one.
    pub(crate) fn orders(&self) -> PathBuf {
        self.file("orders")
    }

    /// Whether a server runs, and is the process that was started.
    pub(crate) fn is_alive(&mut self, server: usize) -> bool {
        let child = self.servers.get_mut(server).and_then(|server| server.child.as_mut());
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// A server's log.
    pub(crate) fn log(&self, server: usize) -> PathBuf {
        self.file(&format!("server-{server}.log"))
    }

    pub(crate) fn port(&self, server: usize) -> u16 {
        self.servers.get(server).map_or(0, |server| server.port)
    }

    pub(crate) fn server_count(&self) -> usize {
        self.servers.len()
    }

    pub(crate) fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    /// The gateway knows this server as the merchant's.
    pub(crate) fn send_webhooks_to(&self, server: usize) -> anyhow::Result<()> {
        let url = format!("http://127.0.0.1:{}/webhooks/main", self.port(server));
        self.control().set_webhook(Some(url.parse()?), None);
        Ok(())
    }

    /// Runs a command of the program; what it printed, as JSON.
    pub(crate) fn cli(&self, args: &[&str]) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.print(args)?).unwrap_or(Value::Null))
    }

    /// Runs a command of the program; what it printed.
    pub(crate) fn print(&self, args: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(&self.program);
        let output = command.args(args).arg("--json").arg("--config").arg(self.config(0)).output()?;
        ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn up(&mut self, server: usize) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log(server))?;
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.config(server));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let slot = self.servers.get_mut(server).context("no such server")?;
        slot.child = Some(child);
        let ready = format!("http://127.0.0.1:{}/readyz", slot.port);
        let began = Instant::now();
        loop {
            let answered = match self.http.get(&ready).timeout(ATTEMPT).send().await {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) => answer.status().to_string(),
                Err(error) => format!("{error:?}"),
            };
            if let Some(child) = self.servers.get_mut(server).and_then(|slot| slot.child.as_mut())
                && let Some(status) = child.try_wait()?
            {
                bail!("the server ended with {status}: {}", tail(&self.log(server)));
            }
            ensure!(
                began.elapsed() < START,
                "the server did not become ready; asked: {answered}; its log: {}",
                tail(&self.log(server))
            );
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, server: usize) -> anyhow::Result<()> {
        if let Some(mut child) = self.servers.get_mut(server).and_then(|server| server.child.take()) {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// A URL of a server.
    pub(crate) fn url(&self, server: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port(server))
    }

    /// What an API route of the first server shows.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(self.url(0, path)).bearer_auth(&self.api_key).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "GET {path}: {status}");
        Ok(answer.json().await?)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        for server in 0..self.servers.len() {
            let _ = self.kill(server);
        }
    }
}

/// A member that must be text.
pub(crate) fn text(value: &Value, member: &str) -> anyhow::Result<String> {
    let found = value[member].as_str().map(str::to_owned);
    found.with_context(|| format!("no `{member}` in {value}"))
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}
