//! The command line.

mod charges;
mod resources;
mod vault;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::anyhow;
use billfold_core::name::TenantId;
#[cfg(feature = "sandbox")]
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand};
use url::Url;

pub(crate) use charges::*;
pub(crate) use resources::*;
pub(crate) use vault::*;
pub(crate) use webhooks::*;

/// Saves payment methods through any payment gateway.
#[derive(Debug, Parser)]
#[command(name = "billfold", version, about, propagate_version = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Global {
    /// Configuration file; ./billfold.toml if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Talk to a running server instead of opening the configured database.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<Url>,
    /// API key for --server.
    #[arg(long, global = true, value_name = "KEY", env = "BILLFOLD_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,
    /// Whose data, without --server; `default` if left out.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Global {
    /// The tenant, if one was named.
    pub(crate) fn named_tenant(&self) -> anyhow::Result<Option<TenantId>> {
        let parsed = self.tenant.as_deref().map(str::parse).transpose();
        parsed.map_err(|error| anyhow!("--tenant: {error}"))
    }

    /// The tenant: the one that was named, or the default one.
    pub(crate) fn tenant(&self) -> anyhow::Result<TenantId> {
        Ok(self.named_tenant()?.unwrap_or_else(TenantId::default_tenant))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Save payment methods at a local gateway: prints one URL for your browser.
    #[cfg(feature = "sandbox")]
    Demo(DemoArgs),
    /// Serve the API.
    Serve(ServeArgs),
    /// Run the local gateway alone.
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArgs),
    /// Bring the database's schema up to date.
    Migrate,
    /// List the providers that this program links.
    Providers,
    /// The configured gateways.
    #[command(subcommand)]
    Gateways(GatewaysCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Sessions: attempts to save a payment method.
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Charges of saved payment methods.
    #[command(subcommand)]
    Charges(ChargesCommand),
    /// Saved payment methods.
    #[command(subcommand)]
    Methods(MethodsCommand),
    /// Customers.
    #[command(subcommand)]
    Customers(CustomersCommand),
    /// API keys, and the vault's root key.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Secret values, and the keys that seal them.
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Who was erased.
    #[command(subcommand)]
    Erasures(ErasuresCommand),
    /// Who did what to which secret.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Endpoints that events are sent to.
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Webhooks as received.
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// What changed.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// A gateway that the sandbox can play, by its provider's name.
#[cfg(feature = "sandbox")]
fn local_gateway() -> impl TypedValueParser<Value = billfold_sandbox::Kind> {
    let names = billfold_sandbox::Kind::ALL.iter().map(|kind| kind.stage().provider);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<billfold_sandbox::Kind>())
}

#[cfg(feature = "sandbox")]
#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// A gateway that is played; all that this program knows when none is named. May be given several times.
    #[arg(long = "gateway", value_name = "NAME", value_parser = local_gateway())]
    pub(crate) gateways: Vec<billfold_sandbox::Kind>,
    /// Play the customer as well, print every step, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Port of the merchant's page; a free one if it is taken.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Keep the database in this file. The gateway forgets everything at its end, so every run has a
    /// customer of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The database's URL.
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
}

#[cfg(feature = "sandbox")]
#[derive(Debug, ClapArgs)]
pub(crate) struct SandboxArgs {
    /// The gateway that is played.
    #[arg(long, value_name = "NAME", default_value = "xendit", value_parser = local_gateway())]
    pub(crate) gateway: billfold_sandbox::Kind,
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4010")]
    pub(crate) listen: SocketAddr,
    /// Where webhooks go.
    #[arg(long, value_name = "URL")]
    pub(crate) webhook_url: Option<Url>,
    /// What proves the gateway's webhooks; a fixed one when left out.
    #[arg(long, value_name = "SECRET", alias = "callback-token")]
    pub(crate) webhook_secret: Option<String>,
    /// The API key that clients must use; a fixed one when left out.
    #[arg(long, value_name = "KEY")]
    pub(crate) secret_key: Option<String>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PageArgs {
    /// The most rows, up to 100.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u32,
    /// The last id (or sequence number) of the page before.
    #[arg(long)]
    pub(crate) after: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GatewaysCommand {
    /// List them with what they can save.
    List,
    /// Ask each whether its credentials work.
    Check,
    /// Say which one a session gets that names none, and why.
    Explain(ExplainArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check everything that can be checked without the database.
    Check,
    /// Show each key in force and where it was set.
    Explain,
}
