//! What can be saved where. The gateway decides for each account; this table is what Billfold offers.

use std::time::Duration;

use billfold_core::capability::{Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust};
use billfold_core::provider::ChargeAbilities;

/// Countries with the currency in which their accounts save cards.
const CARDS: &[(&str, &str)] = &[
    ("US", "USD"),
    ("CA", "CAD"),
    ("GB", "GBP"),
    ("CH", "CHF"),
    ("AU", "AUD"),
    ("NZ", "NZD"),
    ("SG", "SGD"),
    ("MY", "MYR"),
    ("TH", "THB"),
    ("JP", "JPY"),
    ("SE", "SEK"),
    ("DK", "DKK"),
    ("NO", "NOK"),
    ("PL", "PLN"),
];

/// Countries whose accounts save cards and SEPA debits in euros.
const EURO: &[&str] = &["AT", "BE", "DE", "ES", "FI", "FR", "GR", "IE", "IT", "LU", "NL", "PT", "SI", "SK"];

/// Bank debits other than SEPA.
const DEBITS: &[(&str, &str, &str, &str)] = &[
    ("US", "USD", "us_bank_account", "US bank account"),
    ("GB", "GBP", "bacs_debit", "Bacs Direct Debit"),
    ("AU", "AUD", "au_becs_debit", "BECS Direct Debit"),
];

/// Everything that this gateway declares.
pub(crate) fn capabilities() -> Capabilities {
    let cards = CARDS.iter().copied().chain(EURO.iter().map(|country| (*country, "EUR")));
    let cards =
        cards.map(|(country, currency)| channel(country, currency, "card", "Cards", MethodKind::Card));
    let sepa = EURO
        .iter()
        .map(|country| channel(country, "EUR", "sepa_debit", "SEPA Direct Debit", MethodKind::BankDebit));
    let debits = DEBITS
        .iter()
        .map(|(country, currency, code, name)| channel(country, currency, code, name, MethodKind::BankDebit));
    Capabilities {
        name: "Stripe".to_owned(),
        channels: cards.chain(sepa).chain(debits).flatten().collect(),
        webhook_trust: Trust::Signed,
        webhook_refusal: Capabilities::WEBHOOK_REFUSAL,
        // The gateway takes half an hour to a day from the moment when it reads the request; a minute at either
        // end is for the way.
        session_lifetime: SessionLifetime {
            min: Duration::from_mins(31),
            default: Duration::from_mins(24 * 60 - 1),
            max: Duration::from_mins(24 * 60 - 1),
        },
        // Two keys are Billfold's own.
        metadata: MetadataLimits { keys: 40, key_length: 40, value_length: 500 },
        merchant_initiated_needs_terms: false,
        remote_deletion: true,
    }
}

/// What it can do with charges.
pub(crate) fn charge_abilities() -> ChargeAbilities {
    ChargeAbilities {
        manual_capture: vec![MethodKind::Card],
        partial_capture: true,
        cancel: true,
        refunds: true,
        partial_refunds: true,
        lookup: true,
        pending_methods: false,
    }
}

fn channel(country: &str, currency: &str, code: &str, name: &str, kind: MethodKind) -> Option<Channel> {
    Some(Channel {
        code: code.to_owned(),
        name: name.to_owned(),
        kind,
        country: country.parse().ok()?,
        currencies: vec![currency.parse().ok()?],
        merchant_initiated: true,
    })
}

/// Kind and name of a type of payment method. A type younger than this table is still a method that was saved.
pub(crate) fn describe(code: &str) -> (MethodKind, Option<&'static str>) {
    if let Some((_, _, _, name)) = DEBITS.iter().find(|(_, _, known, _)| *known == code) {
        return (MethodKind::BankDebit, Some(name));
    }
    match code {
        "card" => (MethodKind::Card, None),
        "sepa_debit" => (MethodKind::BankDebit, Some("SEPA Direct Debit")),
        _ if code.ends_with("_debit") || code.ends_with("_account") => (MethodKind::BankDebit, None),
        _ => (MethodKind::Wallet, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_becomes_a_channel() {
        assert_eq!(capabilities().channels.len(), CARDS.len() + 2 * EURO.len() + DEBITS.len());
        for channel in capabilities().channels {
            assert_eq!(describe(&channel.code).0, channel.kind, "{}", channel.code);
        }
    }
}
