//! What can be saved where: the table of channels that support SAVE.

use std::time::Duration;

use billfold_core::capability::{Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust};
use billfold_core::provider::ChargeAbilities;

const MINUTE: Duration = Duration::from_mins(1);

/// One row: where, what, and whether the merchant may charge without the customer. Where the
/// gateway's documentation does not forbid that, it is allowed here and the gateway decides.
struct Row {
    country: &'static str,
    currencies: &'static [&'static str],
    code: &'static str,
    name: &'static str,
    kind: MethodKind,
    merchant_initiated: bool,
}

const fn row(
    country: &'static str,
    currencies: &'static [&'static str],
    code: &'static str,
    name: &'static str,
    kind: MethodKind,
) -> Row {
    Row { country, currencies, code, name, kind, merchant_initiated: true }
}

const fn customer_only(row: Row) -> Row {
    Row { merchant_initiated: false, ..row }
}

use MethodKind::{BankDebit, Card, Wallet};

const TABLE: &[Row] = &[
    row("ID", &["IDR"], "CARDS", "Cards", Card),
    row("ID", &["IDR"], "BRI_DIRECT_DEBIT", "BRI", BankDebit),
    row("ID", &["IDR"], "DANA", "DANA", Wallet),
    row("ID", &["IDR"], "GOPAY", "GoPay", Wallet),
    row("ID", &["IDR"], "GOPAY_RECURRING", "GoPay", Wallet),
    customer_only(row("ID", &["IDR"], "NEXCASH", "Nexcash", Wallet)),
    row("ID", &["IDR"], "OVO", "OVO", Wallet),
    row("ID", &["IDR"], "SHOPEEPAY", "ShopeePay", Wallet),
    row("PH", &["PHP"], "CARDS", "Cards", Card),
    customer_only(row("PH", &["PHP"], "BPI_DIRECT_DEBIT", "BPI", BankDebit)),
    row("PH", &["PHP"], "BPI_RECURRING", "BPI", BankDebit),
    customer_only(row("PH", &["PHP"], "CHINABANK_DIRECT_DEBIT", "Chinabank", BankDebit)),
    row("PH", &["PHP"], "GRABPAY", "GrabPay", Wallet),
    row("PH", &["PHP"], "PAYMAYA", "Maya", Wallet),
    customer_only(row("PH", &["PHP"], "RCBC_DIRECT_DEBIT", "RCBC", BankDebit)),
    row("PH", &["PHP"], "SHOPEEPAY", "ShopeePay", Wallet),
    customer_only(row("PH", &["PHP"], "UBP_DIRECT_DEBIT", "UnionBank", BankDebit)),
    row("PH", &["PHP"], "UBP_EADA", "UnionBank", BankDebit),
    row("MY", &["MYR"], "CARDS", "Cards", Card),
    row("MY", &["MYR"], "FPX", "FPX", BankDebit),
    row("MY", &["MYR"], "GRABPAY", "GrabPay", Wallet),
    row("MY", &["MYR"], "SHOPEEPAY", "ShopeePay", Wallet),
    row("MY", &["MYR"], "TOUCHNGO", "Touch 'n Go", Wallet),
    row("TH", &["THB"], "CARDS", "Cards", Card),
    row("TH", &["THB"], "BBL_DIRECT_DEBIT", "Bangkok Bank", BankDebit),
    row("TH", &["THB"], "KRUNGSRI_DIRECT_DEBIT", "Krungsri", BankDebit),
    row("TH", &["THB"], "KTB_DIRECT_DEBIT", "Krungthai", BankDebit),
    row("TH", &["THB"], "SCB_DIRECT_DEBIT", "SCB", BankDebit),
    row("VN", &["VND"], "CARDS", "Cards", Card),
    row("SG", &["SGD", "USD"], "CARDS", "Cards", Card),
];

/// Everything that this gateway declares.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities {
        name: "Xendit".to_owned(),
        channels: TABLE.iter().filter_map(channel).collect(),
        webhook_trust: Trust::Hint,
        webhook_refusal: Capabilities::WEBHOOK_REFUSAL,
        // The gateway wants ten minutes at the moment when it reads the request; one more is for the way.
        // It names no maximum, so the longest is our own choice.
        session_lifetime: SessionLifetime { min: 11 * MINUTE, default: 30 * MINUTE, max: 24 * 60 * MINUTE },
        // Its documents disagree about these; the stricter figures are always accepted.
        metadata: MetadataLimits { keys: 20, key_length: 40, value_length: 80 },
        merchant_initiated_needs_terms: true,
        remote_deletion: true,
    }
}

/// What it can do with charges. Whether a channel gives money back, and whether in parts, the gateway decides.
pub(crate) fn charge_abilities() -> ChargeAbilities {
    ChargeAbilities {
        manual_capture: vec![Card],
        partial_capture: true,
        cancel: true,
        refunds: true,
        partial_refunds: true,
        // There is no search by our reference.
        lookup: false,
        pending_methods: false,
    }
}

fn channel(row: &Row) -> Option<Channel> {
    Some(Channel {
        code: row.code.to_owned(),
        name: row.name.to_owned(),
        kind: row.kind,
        country: row.country.parse().ok()?,
        currencies: row.currencies.iter().map(|code| code.parse().ok()).collect::<Option<_>>()?,
        merchant_initiated: row.merchant_initiated,
    })
}

/// Kind and name of a channel by its code alone. A channel younger than this table is still a
/// method that was saved, so its kind is told by its name.
pub(crate) fn describe(code: &str) -> (MethodKind, Option<&'static str>) {
    if let Some(row) = TABLE.iter().find(|row| row.code == code) {
        return (row.kind, Some(row.name));
    }
    let kind = match code {
        "CARD" => Card,
        _ if code.ends_with("_DIRECT_DEBIT") => BankDebit,
        _ => Wallet,
    };
    (kind, None)
}

#[cfg(test)]
mod tests {
    use billfold_core::capability::Usage;

    use super::*;

    #[test]
    fn every_row_becomes_a_channel() {
        let capabilities = capabilities();
        assert_eq!(capabilities.channels.len(), TABLE.len());
        let lifetime = capabilities.session_lifetime;
        assert!(lifetime.min < lifetime.default && lifetime.default < lifetime.max);
    }

    #[test]
    fn a_code_means_the_same_everywhere() {
        for row in TABLE {
            assert_eq!(describe(row.code), (row.kind, Some(row.name)), "{}", row.code);
        }
        assert_eq!(describe("CARD").0, Card);
        assert_eq!(describe("NEW_DIRECT_DEBIT"), (BankDebit, None));
    }

    #[test]
    fn what_needs_the_customer_is_not_offered_to_the_merchant() {
        let codes = |country: &str, currency: &str, usage| {
            let capabilities = capabilities();
            let channels =
                capabilities.channels_for(country.parse().unwrap(), currency.parse().unwrap(), usage);
            channels.map(|channel| channel.code.clone()).collect::<Vec<_>>()
        };
        assert!(codes("ID", "IDR", Usage::OnSession).contains(&"NEXCASH".to_owned()));
        assert!(!codes("ID", "IDR", Usage::Recurring).contains(&"NEXCASH".to_owned()));
        assert_eq!(codes("SG", "USD", Usage::Recurring), ["CARDS"]);
        assert!(codes("ID", "USD", Usage::OnSession).is_empty());
        assert!(!codes("PH", "PHP", Usage::OnSession).contains(&"GCASH".to_owned()));
    }
}
