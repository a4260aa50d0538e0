//! Arguments of `billfold charges`.

use clap::{Args as ClapArgs, Subcommand};

use super::PageArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ChargesCommand {
    /// Charge a saved method, or a customer's default one.
    Create(Box<CreateChargeArgs>),
    /// Show one, with its way so far.
    Get {
        /// chg_…
        id: String,
    },
    /// List them, the newest first.
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only this customer's.
        #[arg(long)]
        customer_id: Option<String>,
        /// Only those with this method.
        #[arg(long = "method")]
        payment_method_id: Option<String>,
    },
    /// Take what was authorized, or a part of it.
    Capture {
        /// chg_…
        id: String,
        /// Minor units; everything when left out.
        #[arg(long)]
        amount: Option<i64>,
    },
    /// End one before its money is taken.
    Cancel {
        /// chg_…
        id: String,
    },
    /// Give money back.
    Refund {
        /// chg_…
        id: String,
        /// Minor units; all that is left when left out.
        #[arg(long)]
        amount: Option<i64>,
        /// requested_by_customer, duplicate, fraudulent, cancellation or other.
        #[arg(long, default_value = "requested_by_customer")]
        reason: String,
        /// The same for each attempt at this refund: a second attempt gives nothing back again.
        #[arg(long)]
        idempotency_key: Option<String>,
    },
    /// Start a session that saves a method in the place of the one that was declined.
    Collect {
        /// chg_…
        id: String,
        /// Where the customer's browser goes in the end.
        #[arg(long)]
        return_url: Option<String>,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CreateChargeArgs {
    /// The method, pm_…
    #[arg(long, required_unless_present = "customer_id", conflicts_with = "customer_id")]
    pub(crate) method: Option<String>,
    /// The customer whose default method is charged, cus_…
    #[arg(long)]
    pub(crate) customer_id: Option<String>,
    /// Minor units: 1050 with USD is 10.50 dollars.
    #[arg(long)]
    pub(crate) amount: i64,
    /// ISO 4217.
    #[arg(long)]
    pub(crate) currency: String,
    /// customer (they are there) or merchant (you charge without them).
    #[arg(long)]
    pub(crate) initiator: String,
    /// one_off, recurring, installment or unscheduled.
    #[arg(long, default_value = "one_off")]
    pub(crate) reason: String,
    /// automatic or manual.
    #[arg(long, default_value = "automatic")]
    pub(crate) capture: String,
    /// Your own reference, such as an order's number.
    #[arg(long)]
    pub(crate) reference: Option<String>,
    /// Shown to the customer where the gateway does.
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Where the customer's browser goes after a step that only they can take.
    #[arg(long)]
    pub(crate) return_url: Option<String>,
    /// Try the customer's other methods when the default is declined for a reason that allows it.
    #[arg(long, requires = "customer_id")]
    pub(crate) fallback: bool,
    /// The same for each attempt at this charge: a second attempt charges nothing again.
    #[arg(long)]
    pub(crate) idempotency_key: Option<String>,
}
