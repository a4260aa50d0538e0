//! What the demo runs: the sandbox gateways and the server, on free ports of this machine.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use billfold_core::Principal;
use billfold_core::clock::{Clock as _, SystemClock};
use billfold_core::name::TenantId;
use billfold_core::registry::Registry;
use billfold_core::scope::Scope;
use billfold_core::secret::ExposeSecret as _;
use billfold_sandbox::{Kind, Sandbox, SandboxConfig, SandboxControl, Stage};
use billfold_server::{App, Config, ConfigSources, init_tracing};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::commands::settings_toml;
use crate::output;

/// A webhook that is not answered in time is not sent again, and a busy machine must not end the story.
const WEBHOOK_TIMEOUT: Duration = Duration::from_mins(1);

/// A gateway that is played.
pub(super) struct Played {
    kind: Kind,
    pub(super) sandbox: Sandbox,
}

impl Played {
    pub(super) fn stage(&self) -> &'static Stage {
        self.kind.stage()
    }

    /// Its name in the server's configuration: that of its provider.
    pub(super) fn name(&self) -> &'static str {
        self.stage().provider
    }

    pub(super) fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }
}

/// Everything that runs.
pub(super) struct World {
    /// The gateways that are played.
    pub(super) gateways: Vec<Played>,
    /// The server's address.
    pub(super) server: Url,
    /// A key for the demo's shop.
    pub(super) api_key: String,
    /// Where the shop is.
    pub(super) shop: SocketAddr,
    /// The shop's own reference of its customer. Another one in each run: the gateway forgets its customers
    /// when it ends, while a database that is kept remembers them.
    pub(super) customer: String,
    stop: CancellationToken,
    serving: JoinHandle<billfold_core::Result<()>>,
    /// Removed with everything in it when the demo ends.
    _folder: tempfile::TempDir,
}

impl World {
    /// Starts all of them; the gateways whose providers are linked when none is named. The database is `database`, or one in a folder that goes with the demo.
    #[expect(clippy::disallowed_methods, reason = "the demo waits for its one task itself")]
    pub(super) async fn start(
        kinds: &[Kind],
        database: Option<&Path>,
        shop: SocketAddr,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = database.map_or_else(|| folder.path().join("demo.db"), Path::to_path_buf);
        let registry = Registry::linked()?;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let server: Url = format!("http://{address}").parse()?;
        let linked = |kind: &&Kind| registry.iter().any(|known| known.kind == kind.stage().provider);
        let wanted: Vec<Kind> = if kinds.is_empty() {
            Kind::ALL.iter().filter(linked).copied().collect()
        } else {
            kinds.to_vec()
        };
        let (mut gateways, mut tables) = (Vec::new(), String::new());
        for kind in wanted {
            let callback_token = kind.new_webhook_secret();
            let config =
                SandboxConfig { callback_token, webhook_timeout: WEBHOOK_TIMEOUT, ..SandboxConfig::of(kind) };
            let sandbox = Sandbox::start(config.clone()).await?;
            let address = server.join(&format!("webhooks/{}", kind.stage().provider))?;
            sandbox.control().set_webhook(Some(address), None);
            tables.push_str(&gateway_tables(&sandbox, &config)?);
            gateways.push(Played { kind, sandbox });
        }

        let file = folder.path().join("billfold.toml");
        write_private(&file, &configuration(&server, &database, &tables)?)?;
        let config = Config::load(&ConfigSources { file: Some(file), overrides: Vec::new() })?;
        init_tracing(&config.log)?;
        let app = App::build(config, registry).await?;
        let operator = Principal::operator(TenantId::default_tenant(), "demo");
        let issued = app
            .billfold()
            .issue_api_key(&operator, "demo shop", [Scope::Payments, Scope::Charge].into_iter().collect())
            .await?;
        let api_key = issued.secret.expose_secret().to_owned();

        let stop = CancellationToken::new();
        let serving = tokio::spawn(app.serve(listener, stop.clone()));
        let customer = format!("demo-customer-{}", SystemClock.now().as_millis());
        Ok(Self { gateways, server, api_key, shop, customer, stop, serving, _folder: folder })
    }

    /// The shop's address, as the customer's browser knows it.
    pub(super) fn shop_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shop)
    }

    pub(super) async fn shutdown(self) {
        self.stop.cancel();
        // A panic in it was already reported.
        if let Ok(Err(error)) = self.serving.await {
            output::tell!("the server ended: {error}");
        }
        for gateway in self.gateways {
            gateway.sandbox.shutdown().await;
        }
    }
}

fn configuration(server: &Url, database: &Path, gateways: &str) -> anyhow::Result<String> {
    let database = format!("sqlite://{}", database.display());
    let root_key = root_key_file(&PathBuf::from(database.trim_start_matches("sqlite://")))?;
    Ok(format!(
        "[server]\npublic_url = {}\ndevelopment = true\n\n[database]\nurl = {}\n\n[vault]\nroot_key_file = {}\n\n\
         [log]\nfilter = \"warn\"\n\n[workers]\ninterval_ms = 500\n\n{gateways}",
        text(server.as_str()),
        text(&database),
        text(&root_key.to_string_lossy()),
    ))
}

/// The tables of a gateway.
fn gateway_tables(sandbox: &Sandbox, config: &SandboxConfig) -> anyhow::Result<String> {
    let provider = config.gateway.stage().provider;
    let (secret_key, webhook_secret) =
        (config.secret_key.expose_secret(), config.callback_token.expose_secret());
    Ok(format!(
        "[gateways.{provider}]\nprovider = {}\nmode = \"test\"\n\n[gateways.{provider}.settings]\n{}\n",
        text(provider),
        settings_toml(config.gateway, sandbox, secret_key, webhook_secret)?,
    ))
}

fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

/// The key beside the database: the same as long as the database is kept.
fn root_key_file(database: &Path) -> anyhow::Result<PathBuf> {
    let file = database.with_extension("root-key");
    if !file.exists() {
        crate::root_key::write_new(&file)?;
    }
    Ok(file)
}

fn write_private(path: &Path, content: &str) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(content.as_bytes())?;
    Ok(())
}
