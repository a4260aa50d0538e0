//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use url::Url;

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
    /// Whose data, without --server.
    #[arg(long, global = true, value_name = "NAME", default_value = "default")]
    pub(crate) tenant: String,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
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
    /// Saved payment methods.
    #[command(subcommand)]
    Methods(MethodsCommand),
    /// Customers.
    #[command(subcommand)]
    Customers(CustomersCommand),
    /// API keys, and the vault's root key.
    #[command(subcommand)]
    Keys(KeysCommand),
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

#[cfg(feature = "sandbox")]
#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Play the customer as well, print every step, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Port of the merchant's page; a free one if it is taken.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Keep the database in this file.
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
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4010")]
    pub(crate) listen: SocketAddr,
    /// Where webhooks go.
    #[arg(long, value_name = "URL")]
    pub(crate) webhook_url: Option<Url>,
    /// What webhooks carry in x-callback-token.
    #[arg(long, value_name = "TOKEN", default_value = "sandbox-callback-token")]
    pub(crate) callback_token: String,
    /// The API key that clients must use.
    #[arg(long, value_name = "KEY", default_value = "xnd_development_sandbox")]
    pub(crate) secret_key: String,
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
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check everything that can be checked without the database.
    Check,
    /// Show each key in force and where it was set.
    Explain,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// Start one.
    Create(Box<CreateSessionArgs>),
    /// Show one.
    Get {
        /// ses_…
        id: String,
    },
    /// List them.
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only this customer's.
        #[arg(long)]
        customer_id: Option<String>,
    },
    /// End one that is open.
    Cancel {
        /// ses_…
        id: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CreateSessionArgs {
    /// At which gateway; may be left out when there is one.
    #[arg(long)]
    pub(crate) gateway: Option<String>,
    /// An existing customer, cus_…
    #[arg(long, conflicts_with = "customer")]
    pub(crate) customer_id: Option<String>,
    /// Your own reference of the customer.
    #[arg(long, required_unless_present = "customer_id")]
    pub(crate) customer: Option<String>,
    /// The customer's given names.
    #[arg(long)]
    pub(crate) given_names: Option<String>,
    /// The customer's family name.
    #[arg(long)]
    pub(crate) surname: Option<String>,
    /// The customer's e-mail address.
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// The customer's mobile number, +628123456789.
    #[arg(long)]
    pub(crate) mobile_number: Option<String>,
    /// on_session, unscheduled_customer, unscheduled_merchant or recurring.
    #[arg(long, default_value = "unscheduled_customer")]
    pub(crate) usage: String,
    /// Days between charges, for merchant-initiated use.
    #[arg(long, requires = "ends_on")]
    pub(crate) frequency_days: Option<u32>,
    /// Last day of charges, YYYY-MM-DD.
    #[arg(long, requires = "frequency_days")]
    pub(crate) ends_on: Option<String>,
    /// ISO 4217.
    #[arg(long)]
    pub(crate) currency: String,
    /// ISO 3166-1 alpha-2.
    #[arg(long)]
    pub(crate) country: String,
    /// Channel codes to offer, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
    /// Where the customer goes in the end.
    #[arg(long)]
    pub(crate) return_url: String,
    /// Make the saved method the default.
    #[arg(long)]
    pub(crate) make_default: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MethodsCommand {
    /// List a customer's.
    List {
        /// cus_…
        customer_id: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one.
    Show {
        /// pm_…
        id: String,
    },
    /// Make one its customer's default.
    Default {
        /// pm_…
        id: String,
    },
    /// Delete one, here and at its gateway.
    Delete {
        /// pm_…
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CustomersCommand {
    /// Make or update one.
    Create {
        /// Your own reference.
        reference: String,
        /// Given names.
        #[arg(long)]
        given_names: Option<String>,
        /// Family name.
        #[arg(long)]
        surname: Option<String>,
        /// E-mail address.
        #[arg(long)]
        email: Option<String>,
        /// Mobile number, +628123456789.
        #[arg(long)]
        mobile_number: Option<String>,
    },
    /// List them, or find one by its reference.
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Your own reference.
        #[arg(long)]
        reference: Option<String>,
    },
    /// Show one.
    Show {
        /// cus_…
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make an API key; its secret is shown once.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
    },
    /// List API keys.
    List,
    /// Refuse an API key from now on.
    Revoke {
        /// key_…
        id: String,
    },
    /// Print a new root key for the vault. Keep it: what it seals opens with nothing else.
    GenerateRoot,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// List them, newest first.
    List {
        #[command(flatten)]
        page: PageArgs,
        /// received, parked, done, ignored, dead or unreadable.
        #[arg(long)]
        state: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// List them, oldest first.
    List {
        #[command(flatten)]
        page: PageArgs,
    },
}
