//! What can be saved where. The gateway decides for each account; this table is what Billfold offers.

use std::time::Duration;

use billfold_core::capability::{Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust};
use billfold_core::provider::ChargeAbilities;

/// The gateway's type of every card, whatever its brand.
const CARDS: &str = "scheme";

/// Countries of customers with the currencies in which cards are saved.
const COUNTRIES: &[(&str, &str)] = &[
    ("US", "USD"),
    ("CA", "CAD"),
    ("GB", "GBP"),
    ("CH", "CHF"),
    ("AU", "AUD"),
    ("NZ", "NZD"),
    ("SG", "SGD"),
    ("HK", "HKD"),
    ("MY", "MYR"),
    ("JP", "JPY"),
    ("SE", "SEK"),
    ("DK", "DKK"),
    ("NO", "NOK"),
    ("PL", "PLN"),
];

/// Countries with the euro.
const EURO: &[&str] = &[
    "AT", "BE", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT",
    "SI", "SK",
];

/// Everything that this gateway declares. A token webhook's signature covers its body, a standard webhook's does
/// not: with both, no more is promised than the lesser proves.
pub(crate) fn capabilities(standard_webhook: bool) -> Capabilities {
    let places = COUNTRIES.iter().copied().chain(EURO.iter().map(|country| (*country, "EUR")));
    Capabilities {
        name: "Adyen".to_owned(),
        channels: places.filter_map(|(country, currency)| cards(country, currency)).collect(),
        webhook_trust: if standard_webhook { Trust::Hint } else { Trust::Signed },
        webhook_refusal: Capabilities::WEBHOOK_REFUSAL,
        // The gateway names no shortest time; nobody enters a card in less. The longest is a day from the moment
        // when it reads the request; a minute is for the way.
        session_lifetime: SessionLifetime {
            min: Duration::from_mins(5),
            default: Duration::from_hours(1),
            max: Duration::from_mins(24 * 60 - 1),
        },
        metadata: MetadataLimits { keys: 20, key_length: 20, value_length: 80 },
        merchant_initiated_needs_terms: false,
        remote_deletion: true,
    }
}

/// What can be done with charges. Payments are modified and told of; the gateway has no way to be asked about one.
pub(crate) fn abilities() -> ChargeAbilities {
    ChargeAbilities {
        manual_capture: vec![MethodKind::Card],
        partial_capture: true,
        cancel: true,
        refunds: true,
        partial_refunds: true,
        lookup: false,
        pending_methods: false,
    }
}

fn cards(country: &str, currency: &str) -> Option<Channel> {
    Some(Channel {
        code: CARDS.to_owned(),
        name: "Cards".to_owned(),
        kind: MethodKind::Card,
        country: country.parse().ok()?,
        currencies: vec![currency.parse().ok()?],
        merchant_initiated: true,
    })
}

/// Kind and name of a type of payment method. A type that is not in the table is still a method that was saved.
pub(crate) fn describe(code: &str) -> (MethodKind, Option<&'static str>) {
    match code {
        CARDS => (MethodKind::Card, None),
        "sepadirectdebit" => (MethodKind::BankDebit, Some("SEPA Direct Debit")),
        "ach" => (MethodKind::BankDebit, Some("ACH Direct Debit")),
        "directdebit_GB" => (MethodKind::BankDebit, Some("BACS Direct Debit")),
        _ if code.contains("directdebit") => (MethodKind::BankDebit, None),
        _ => (MethodKind::Wallet, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_becomes_a_channel() {
        let declared = capabilities(false);
        assert_eq!(declared.channels.len(), COUNTRIES.len() + EURO.len());
        for channel in declared.channels {
            assert_eq!(describe(&channel.code).0, channel.kind, "{}", channel.code);
        }
    }

    #[test]
    fn no_more_is_promised_than_the_lesser_webhook_proves() {
        assert_eq!(capabilities(false).webhook_trust, Trust::Signed);
        assert_eq!(capabilities(true).webhook_trust, Trust::Hint);
    }
}
