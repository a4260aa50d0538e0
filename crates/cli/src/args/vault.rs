//! Arguments of `vault`, `erasures` and `audit`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::PageArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Store a value.
    Put(Box<PutArgs>),
    /// Show a record without its value.
    Get {
        /// vlt_…
        id: String,
    },
    /// List an owner's records, without their values.
    List {
        /// Whose.
        #[arg(long)]
        owner: String,
        /// Only of this kind.
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Print a record's value. The audit trail says so.
    Reveal {
        /// vlt_…
        id: String,
    },
    /// Give a record another value.
    Replace(Box<ReplaceArgs>),
    /// Delete a record and its value.
    Delete {
        /// vlt_…
        id: String,
    },
    /// Count keys and records, and what is left to do. On the configured database.
    Status,
    /// Open every record. On the configured database.
    Verify(BatchArgs),
    /// Wrap every data key under the current root key. On the configured database.
    RotateRoot(BatchArgs),
    /// Make new data keys; the old ones open what they sealed. On the configured database; of all tenants
    /// unless --tenant names one.
    RotateData {
        /// Only keys that are older.
        #[arg(long, value_name = "DAYS", default_value_t = 0)]
        older_than_days: u32,
        #[command(flatten)]
        batch: BatchArgs,
    },
    /// Mark a data key as known to somebody else, and replace it. On the configured database.
    Compromise {
        /// 32 hexadecimal digits.
        key_id: String,
    },
    /// Seal every record under current keys and the configured suite, and destroy keys that nothing needs.
    /// On the configured database.
    Reseal(BatchArgs),
    /// Overwrite what erased owners left in unused parts of a SQLite file: writes the file anew if somebody was erased
    /// since the last time. On the configured database.
    Scrub,
    /// Print a tenant's ledger of erasures, as JSON lines. On the configured database.
    ErasuresExport,
    /// Erase again whom a ledger names. On the configured database.
    ErasuresApply {
        /// What `erasures-export` printed.
        file: PathBuf,
    },
}

/// How a job works through a table.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct BatchArgs {
    /// Rows in one step.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) batch: u32,
    /// Rest between two steps, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) pause_ms: u64,
}

/// What a given value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text as it stands; a line end at the end of a file is left out.
    Text,
    /// JSON.
    Json,
    /// Bytes as they stand.
    Bytes,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ValueArgs {
    /// The value; `-` reads standard input, which is also what happens without any of the two. Other users
    /// of this machine can see arguments.
    #[arg(long, value_name = "TEXT", conflicts_with = "value_file", allow_hyphen_values = true)]
    pub(crate) value: Option<String>,
    /// A file that holds the value.
    #[arg(long, value_name = "FILE")]
    pub(crate) value_file: Option<PathBuf>,
    /// What it is.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// What makes two values the same, if not the value itself.
    #[arg(long, value_name = "TEXT", conflicts_with = "identity_file")]
    pub(crate) identity: Option<String>,
    /// A file that holds it.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_file: Option<PathBuf>,
    /// What may be shown: none or last4.
    #[arg(long, default_value = "none")]
    pub(crate) mask: String,
    /// A pair in clear; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) metadata: Vec<String>,
    /// When it ends, 2027-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "expires_in_seconds")]
    pub(crate) expires_at: Option<String>,
    /// When it ends, from now.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) expires_in_seconds: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PutArgs {
    /// Whose value it is; a customer's id if it belongs to one.
    #[arg(long)]
    pub(crate) owner: String,
    /// What it is, as a name: bank_account.
    #[arg(long)]
    pub(crate) kind: String,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    /// What happens when the owner has this value: reject, keep or replace.
    #[arg(long, default_value = "reject")]
    pub(crate) on_conflict: String,
    /// Let the owner hold the same value twice.
    #[arg(long)]
    pub(crate) allow_duplicates: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplaceArgs {
    /// vlt_…
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    /// The generation that you have seen; a record that moved on is left as it is.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) expected_generation: Option<i64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ErasuresCommand {
    /// List them, oldest first.
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one.
    Show {
        /// ers_…
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List entries, oldest first.
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Recompute the chain of a tenant's trail, and print its head. On the configured database.
    Verify {
        /// The head that an earlier verification printed: then a cut end is seen too.
        #[arg(long)]
        head: Option<String>,
    },
    /// Print a tenant's whole trail, as JSON lines. The trail says so. On the configured database.
    Export,
}
