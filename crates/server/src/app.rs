//! Putting the program together from its configuration.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use billfold_core::gateway::Gateway;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::registry::Registry;
use billfold_core::schedule::Schedule;
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::Settings;
use billfold_core::store::Store;
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_core::transport::{Transport, is_loopback};
use billfold_core::vault::Vault;
use billfold_core::{Billfold, Principal, Result};
use billfold_store::StoreOptions;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::{Config, GatewayConfig};
use crate::limit::RevealLimit;
use crate::metrics::Metrics;
use crate::source::{Connections, SourceLimit};
use crate::{config_audit, hooks, http, routes, vault, workers};

/// The program: use cases, configuration, and which providers are linked. Every layer and every handler of a request
/// has one, so it is cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] holds.
#[derive(Debug)]
pub struct Parts {
    pub(crate) billfold: Billfold,
    pub(crate) registry: Registry,
    pub(crate) public_url: Url,
    pub(crate) reveals: RevealLimit,
    pub(crate) sources: Arc<SourceLimit>,
    pub(crate) metrics: Option<Metrics>,
    /// Requests that go on when their clients have gone.
    pub(crate) requests: TaskTracker,
    config: Config,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens the store, brings its schema up to date, makes sure that the root keys are the database's,
    /// and builds every gateway. Refuses a configuration that would not work or not be safe, in one line.
    pub async fn build(config: Config, registry: Registry) -> Result<Self> {
        check_public_url(&config)?;
        let keys = vault::root_keys(&config)?;
        let gateways = gateways(&config, &registry)?;
        let store = open_store(&config).await?;
        store.migrate().await?;
        let vault = vault::build(&config, store.clone(), keys);
        vault::check(&config, &vault).await?;
        let app = Self::assemble(config, registry, store, vault, gateways)?;
        // Before anybody is shown what an older copy of the database brought back.
        vault::reapply_erasures(&app.config, &app.billfold).await?;
        Ok(app)
    }

    /// Brings the schema of the configured database up to date, and does nothing else.
    pub async fn migrate(config: &Config) -> Result<()> {
        Ok(open_store(config).await?.migrate().await?)
    }

    /// Checks everything that can be checked without opening the database.
    pub fn check(config: &Config, registry: &Registry) -> Result<()> {
        check_public_url(config)?;
        vault::root_keys(config)?;
        config.routing(&gateways(config, registry)?).map(|_| ())
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
        let while_open: Vec<_> =
            config.workers.ask_after_seconds.iter().copied().map(Duration::from_secs).collect();
        // Bank debits take days: after the moments for sessions, charges are asked about after six hours, and daily.
        let slowly = [6 * 60 * 60, 24 * 60 * 60].map(Duration::from_secs);
        let lease = Duration::from_secs(config.workers.lease_seconds.max(1));
        let webhook_retention = vault::webhook_retention(&config);
        let schedule = Schedule {
            charges: while_open.iter().copied().chain(slowly).collect(),
            charge_lost_after: Duration::from_secs(config.workers.charge_lost_after_seconds.max(30)),
            while_open,
            lease,
            background_calls_per_second: config.workers.background_calls_per_second,
            webhook_retention,
            active_methods: (config.workers.recheck_days > 0).then(|| days(config.workers.recheck_days)),
            expiring_before: days(config.workers.expiring_days),
            endpoint_retries: config
                .webhooks
                .retry_after_seconds
                .iter()
                .copied()
                .map(Duration::from_secs)
                .collect(),
            idempotency_lease: Duration::from_secs(config.server.idempotency_lease_seconds.max(1).into()),
            idempotency_retention: Duration::from_secs(u64::from(config.server.idempotency_hours) * 60 * 60),
            endpoint_disable_after: days(config.webhooks.disable_after_days),
            endpoint_delivery_retention: days(config.webhooks.delivery_retention_days),
            ..Schedule::default()
        };
        let mut builder = Billfold::builder(store, vault, public_url.clone())
            .schedule(schedule)
            .api_key_cache(Duration::from_millis(config.server.api_key_cache_ms))
            .webhook_sender(Arc::new(hooks::sender(&config)?))
            .development(config.server.development);
        builder = builder.routing(config.routing(&gateways)?);
        for (name, gateway) in &config.gateways {
            let Some(calls) = gateway.background_calls_per_second else { continue };
            builder = builder.background_calls_per_second(gateway_name(&config, name)?, calls);
        }
        if let Some(ledger) = vault::ledger(&config) {
            builder = builder.erasure_ledger(Arc::new(ledger));
        }
        let billfold = gateways.into_iter().fold(builder, billfold_core::BillfoldBuilder::gateway).build()?;
        let metrics = if config.server.metrics { Metrics::install() } else { None };
        let reveals = RevealLimit::new(config.vault.reveals_per_minute);
        let requests = TaskTracker::new();
        let server = &config.server;
        let sources =
            Arc::new(SourceLimit::new(server.source_requests_per_minute, server.trusted_proxies.clone()));
        let parts = Parts { billfold, registry, public_url, reveals, sources, metrics, requests, config };
        Ok(Self(Arc::new(parts)))
    }

    /// The use cases.
    pub fn billfold(&self) -> &Billfold {
        &self.billfold
    }

    /// The whole API as clients reach it.
    pub fn router(&self) -> Router {
        routes::router(self)
    }

    /// The same API for the operator inside this process, called `name` in the audit trail, who may do
    /// everything as `tenant` without an API key.
    pub fn router_as(&self, tenant: TenantId, name: &str) -> Router {
        routes::router(self).layer(Extension(Principal::operator(tenant, name)))
    }

    /// Writes into the audit trail if the configuration has changed, then serves and works until `stop`
    /// is canceled, and finishes what is under way.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        config_audit::record(&self.billfold, &self.config).await?;
        let tasks = TaskTracker::new();
        if self.config.workers.enabled {
            let interval = Duration::from_millis(self.config.workers.interval_ms.max(50));
            workers::start(&self.billfold, interval, &stop, &tasks);
            if self.config.workers.scrub_seconds > 0 {
                let pause = Duration::from_secs(self.config.workers.scrub_seconds.into());
                tasks.spawn(workers::scrub(self.billfold.clone(), pause, stop.clone()));
            }
            let at_once = self.config.webhooks.max_endpoints_at_once;
            hooks::start(&self.billfold, at_once, interval, &stop, &tasks);
        }
        tasks.close();
        let server = &self.config.server;
        let sources = Connections::new(server.max_connections_per_source, server.trusted_proxies.clone());
        http::serve(listener, self.router(), server.max_connections, sources, stop).await;
        tasks.wait().await;
        self.requests.close();
        self.requests.wait().await;
        Ok(())
    }
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 24 * 60 * 60)
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
    let bare = url.username().is_empty() && url.password().is_none();
    let plain = bare && url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "https" if plain => Ok(()),
        "http" if plain && development => Ok(()),
        // Without a gateway nobody is sent here.
        "http" if plain && config.gateways.is_empty() && url.host_str().is_some_and(is_loopback) => Ok(()),
        _ => Err(config.wrong(
            "server.public_url",
            "expected the https URL where browsers and gateways reach this server, without user, password or query; \
             plain http works for this machine alone, with server.development = true",
        )),
    }
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

fn gateway_name(config: &Config, name: &str) -> Result<GatewayName> {
    name.parse().map_err(|error| config.wrong(&format!("gateways.{name}"), &format!("{error}")))
}

fn build_gateway(
    config: &Config,
    registry: &Registry,
    transport: &Arc<dyn Transport>,
    name: &str,
    gateway: &GatewayConfig,
) -> Result<Gateway> {
    let key = format!("gateways.{name}");
    let parsed_name = gateway_name(config, name)?;
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
