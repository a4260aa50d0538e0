//! Putting the program together from its configuration.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use billfold_core::entropy::SystemEntropy;
use billfold_core::gateway::Gateway;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::registry::Registry;
use billfold_core::schedule::Schedule;
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::Settings;
use billfold_core::store::Store;
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_core::transport::{Transport, is_loopback};
use billfold_core::vault::{KeyRing, RootKey, Vault};
use billfold_core::{Billfold, Error, ErrorKind, Result};
use billfold_store::StoreOptions;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::auth::Principal;
use crate::config::{Config, GatewayConfig};
use crate::{http, routes, workers};

/// The program: use cases, configuration, and which providers are linked.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) billfold: Billfold,
    pub(crate) registry: Arc<Registry>,
    pub(crate) public_url: Url,
    config: Arc<Config>,
}

impl App {
    /// Opens the store, brings its schema up to date, and builds every gateway. Refuses a
    /// configuration that would not work or not be safe, in one line.
    pub async fn build(config: Config, registry: Registry) -> Result<Self> {
        check_public_url(&config)?;
        let vault = vault(&config)?;
        let gateways = gateways(&config, &registry)?;
        let store = open_store(&config).await?;
        store.migrate().await?;
        Self::assemble(config, registry, store, vault, gateways)
    }

    /// Brings the schema of the configured database up to date, and does nothing else.
    pub async fn migrate(config: &Config) -> Result<()> {
        Ok(open_store(config).await?.migrate().await?)
    }

    /// Checks everything that can be checked without opening the database.
    pub fn check(config: &Config, registry: &Registry) -> Result<()> {
        check_public_url(config)?;
        vault(config)?;
        gateways(config, registry).map(|_| ())
    }

    /// From parts: for tests and for programs that bring their own store or gateways.
    pub fn assemble(
        config: Config,
        registry: Registry,
        store: Arc<dyn Store>,
        vault: Vault,
        gateways: Vec<Gateway>,
    ) -> Result<Self> {
        let public_url = config.server.public_url.clone();
        let while_open = config.workers.ask_after_seconds.iter().copied().map(Duration::from_secs).collect();
        let lease = Duration::from_secs(config.workers.lease_seconds.max(1));
        let schedule = Schedule { while_open, lease, ..Schedule::default() };
        let builder = Billfold::builder(store, vault, public_url.clone())
            .schedule(schedule)
            .development(config.server.development);
        let billfold = gateways.into_iter().fold(builder, billfold_core::BillfoldBuilder::gateway).build()?;
        Ok(Self { billfold, registry: Arc::new(registry), public_url, config: Arc::new(config) })
    }

    /// The use cases.
    pub fn billfold(&self) -> &Billfold {
        &self.billfold
    }

    /// The whole API as clients reach it.
    pub fn router(&self) -> Router {
        routes::router(self)
    }

    /// The same API for a caller inside this process, who is `tenant` without an API key.
    pub fn router_as(&self, tenant: TenantId) -> Router {
        routes::router(self).layer(Extension(Principal(tenant)))
    }

    /// Serves and works until `stop` is canceled, then finishes what is under way.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        if self.config.workers.enabled {
            let interval = Duration::from_millis(self.config.workers.interval_ms.max(50));
            workers::start(&self.billfold, interval, &stop, &tasks);
        }
        tasks.close();
        http::serve(listener, self.router(), self.config.server.max_connections, stop).await;
        tasks.wait().await;
    }
}

/// Opens the configured database.
async fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    let options = StoreOptions { pool_size: config.database.pool_size, ..StoreOptions::default() };
    let opened = billfold_store::connect(config.database.url.expose_secret(), &options).await;
    opened.map_err(|error| config.wrong("database.url", &error.to_string()))
}

fn check_public_url(config: &Config) -> Result<()> {
    let url = &config.server.public_url;
    let development = config.server.development && url.host_str().is_some_and(is_loopback);
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match url.scheme() {
        "https" if plain => Ok(()),
        "http" if plain && development => Ok(()),
        // Without a gateway nobody is sent here.
        "http" if plain && config.gateways.is_empty() && url.host_str().is_some_and(is_loopback) => Ok(()),
        _ => Err(config.wrong(
            "server.public_url",
            "expected the https URL where browsers and gateways reach this server, without a query; \
             plain http works for this machine alone, with server.development = true",
        )),
    }
}

fn vault(config: &Config) -> Result<Vault> {
    let root_key = config.vault.root_key.as_ref().ok_or_else(|| {
        let mend = "is missing; make one with `billfold keys generate-root` and set vault.root_key_file";
        Error::new(ErrorKind::Configuration, format!("configuration: vault.root_key: {mend}"))
    })?;
    let read = |key: &str, secret| {
        RootKey::from_base64(secret).map_err(|error| config.wrong(key, &error.to_string()))
    };
    let primary = read("vault.root_key", root_key)?;
    let older = config.vault.previous_root_keys.iter().map(|secret| read("vault.previous_root_keys", secret));
    let older = older.collect::<Result<Vec<_>>>()?;
    let ring = KeyRing::with_older(primary, older)
        .map_err(|error| config.wrong("vault.previous_root_keys", &error.to_string()))?;
    Ok(Vault::new(ring, Arc::new(SystemEntropy)))
}

fn gateways(config: &Config, registry: &Registry) -> Result<Vec<Gateway>> {
    let development = config.server.development;
    let transport = if development { ReqwestTransport::for_development() } else { ReqwestTransport::new() };
    let transport: Arc<dyn Transport> = Arc::new(transport?);
    let each = config
        .gateways
        .iter()
        .map(|(name, gateway)| build_gateway(config, registry, &transport, name, gateway));
    each.collect()
}

fn build_gateway(
    config: &Config,
    registry: &Registry,
    transport: &Arc<dyn Transport>,
    name: &str,
    gateway: &GatewayConfig,
) -> Result<Gateway> {
    let key = format!("gateways.{name}");
    let parsed_name: GatewayName = name.parse().map_err(|error| config.wrong(&key, &format!("{error}")))?;
    let tenant: TenantId = gateway
        .tenant
        .parse()
        .map_err(|error| config.wrong(&format!("{key}.tenant"), &format!("{error}")))?;
    let settings = Settings {
        gateway: name.to_owned(),
        mode: gateway.mode,
        origin: config.origin(&key),
        development: config.server.development,
        values: gateway.settings(),
    };
    let provider = registry.build(&gateway.provider, &settings)?;
    let (kind, mode) = (gateway.provider.clone(), gateway.mode);
    Ok(Gateway { name: parsed_name, tenant, kind, mode, provider, transport: transport.clone() })
}
