//! Arguments of the commands that speak the REST API.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::PageArgs;

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
pub(crate) struct ExplainArgs {
    /// ISO 3166-1 alpha-2.
    #[arg(long)]
    pub(crate) country: String,
    /// ISO 4217.
    #[arg(long)]
    pub(crate) currency: String,
    /// on_session, unscheduled_customer, unscheduled_merchant or recurring.
    #[arg(long, default_value = "unscheduled_customer")]
    pub(crate) usage: String,
    /// Kinds to offer: card, wallet, bank_debit. May be given several times.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    pub(crate) kinds: Vec<String>,
    /// Channel codes to offer, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
    /// test or live.
    #[arg(long)]
    pub(crate) mode: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CreateSessionArgs {
    /// At which gateway; one is chosen when it is left out (`billfold gateways explain`).
    #[arg(long)]
    pub(crate) gateway: Option<String>,
    /// In which mode the gateway must be: test or live.
    #[arg(long)]
    pub(crate) mode: Option<String>,
    /// Kinds to offer: card, wallet, bank_debit. May be given several times.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', conflicts_with = "channels")]
    pub(crate) kinds: Vec<String>,
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
    /// Erase one for good: keys, values, rows, and the tokens at their gateways.
    Delete {
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
        /// What its bearer may do: payments, charge, vault, vault_reveal, erase, webhooks or admin. May be
        /// given several times; payments if left out.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// List API keys.
    List,
    /// Refuse an API key from now on.
    Revoke {
        /// key_…
        id: String,
    },
    /// Make a file with a new root key for the vault, which only you can read.
    Init {
        /// Where; a file that exists is left as it is.
        #[arg(long, value_name = "FILE", default_value = "root.key")]
        file: PathBuf,
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
    /// Work on one again, whatever became of it.
    Replay {
        /// whd_…
        id: String,
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
