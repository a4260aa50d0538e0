//! Arguments of `billfold webhooks`.

use clap::{Args as ClapArgs, Subcommand};

use super::PageArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Make an endpoint; its secret is shown once.
    Create {
        /// Where events are sent; https.
        url: String,
        /// Which events: a type, a prefix such as session.*, or *. May be given several times; all if left out.
        #[arg(long = "event", value_name = "TYPE")]
        events: Vec<String>,
        /// Your own words.
        #[arg(long)]
        description: Option<String>,
    },
    /// List endpoints.
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one, or one of its deliveries with each of its attempts.
    Show {
        /// whe_…
        id: String,
        /// dlv_…
        #[arg(long)]
        delivery: Option<String>,
    },
    /// Change one.
    Update {
        /// whe_…
        id: String,
        #[command(flatten)]
        change: ChangeWebhookArgs,
    },
    /// Delete one, with its deliveries and secrets.
    Delete {
        /// whe_…
        id: String,
    },
    /// Give one a new secret, which is shown once; the old one signs as well for a while.
    RotateSecret {
        /// whe_…
        id: String,
        /// How long the old secret signs as well, in seconds; 0 when somebody else knows it. 24 hours if left out.
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<u64>,
    },
    /// Send a test event to one, and say what came of it.
    Test {
        /// whe_…
        id: String,
    },
    /// List what was sent to one, newest first.
    Deliveries {
        /// whe_…
        id: String,
        #[command(flatten)]
        page: PageArgs,
        /// pending, delivered or failed.
        #[arg(long)]
        state: Option<String>,
    },
    /// Send again: one delivery, or all failed ones since a moment or an event.
    Replay {
        /// whe_…
        id: String,
        /// dlv_…
        #[arg(long, required_unless_present_any = ["since", "after_sequence"], conflicts_with_all = ["since", "after_sequence", "include_delivered"])]
        delivery: Option<String>,
        /// Those made then or later, 2026-03-01T08:00:00Z.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Those of events after this sequence number.
        #[arg(long, value_name = "NUMBER")]
        after_sequence: Option<i64>,
        /// Those that were delivered as well.
        #[arg(long)]
        include_delivered: bool,
    },
}

#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = true)]
pub(crate) struct ChangeWebhookArgs {
    /// Where events are sent; https.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Which events from now on. May be given several times.
    #[arg(long = "event", value_name = "TYPE")]
    pub(crate) events: Vec<String>,
    /// Your own words; empty takes them away.
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Send events, those that waited first.
    #[arg(long, conflicts_with = "disable")]
    pub(crate) enable: bool,
    /// Send nothing; events wait.
    #[arg(long)]
    pub(crate) disable: bool,
}
