//! What can be saved where. The gateway decides for each account; this table is what Billfold offers.

use std::time::Duration;

use billfold_core::capability::{Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust};
use billfold_core::provider::ChargeAbilities;

/// Schemes with the one country and currency that each serves.
const SCHEMES: &[(&str, &str, &str, &str)] = &[
    ("bacs", "Bacs Direct Debit", "GB", "GBP"),
    ("ach", "ACH debit", "US", "USD"),
    ("becs", "BECS Direct Debit", "AU", "AUD"),
    ("becs_nz", "New Zealand Direct Debit", "NZ", "NZD"),
    ("pad", "Pre-Authorized Debit", "CA", "CAD"),
    ("autogiro", "Autogiro", "SE", "SEK"),
    ("betalingsservice", "Betalingsservice", "DK", "DKK"),
];
/// The scheme of the countries that pay in euros.
const SEPA: (&str, &str) = ("sepa_core", "SEPA Direct Debit");
const EURO: &[&str] = &[
    "AT", "BE", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "IE", "IT", "LT", "LU", "LV", "MC", "MT", "NL",
    "PT", "SI", "SK", "SM",
];

/// The keys of metadata that the gateway keeps with an object.
const METADATA_KEYS: usize = 3;

/// Everything that this gateway declares.
pub(crate) fn capabilities() -> Capabilities {
    let schemes =
        SCHEMES.iter().map(|(code, name, country, currency)| channel(code, name, country, currency));
    let sepa = EURO.iter().map(|country| channel(SEPA.0, SEPA.1, country, "EUR"));
    Capabilities {
        name: "GoCardless".to_owned(),
        channels: schemes.chain(sepa).flatten().collect(),
        webhook_trust: Trust::Signed,
        webhook_refusal: 498,
        // The link to the hosted page lasts for seven days; a minute is for the way. Billing requests themselves do
        // not end by time.
        session_lifetime: SessionLifetime {
            min: Duration::from_mins(5),
            default: Duration::from_hours(24),
            max: Duration::from_mins(7 * 24 * 60 - 1),
        },
        // One key is Billfold's own.
        metadata: MetadataLimits { keys: METADATA_KEYS - 1, key_length: 50, value_length: 500 },
        merchant_initiated_needs_terms: false,
        remote_deletion: true,
    }
}

/// What can be done with charges. A mandate that is on its way to its bank can be charged: payments wait for it.
pub(crate) fn abilities() -> ChargeAbilities {
    ChargeAbilities {
        manual_capture: Vec::new(),
        partial_capture: false,
        cancel: true,
        refunds: true,
        partial_refunds: true,
        lookup: true,
        pending_methods: true,
    }
}

fn channel(code: &str, name: &str, country: &str, currency: &str) -> Option<Channel> {
    Some(Channel {
        code: code.to_owned(),
        name: name.to_owned(),
        kind: MethodKind::BankDebit,
        country: country.parse().ok()?,
        currencies: vec![currency.parse().ok()?],
        merchant_initiated: true,
    })
}

/// The name of a scheme for people; `None` for one that is younger than this table.
pub(crate) fn name_of(scheme: &str) -> Option<&'static str> {
    if scheme == SEPA.0 {
        return Some(SEPA.1);
    }
    SCHEMES.iter().find(|(code, ..)| *code == scheme).map(|(_, name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_becomes_a_channel_with_a_name() {
        let channels = capabilities().channels;
        assert_eq!(channels.len(), SCHEMES.len() + EURO.len());
        for channel in channels {
            assert_eq!(name_of(&channel.code), Some(channel.name.as_str()));
        }
        assert_eq!(name_of("new_scheme"), None);
    }

    /// A billing request takes one scheme, so no place may have a choice of them.
    #[test]
    fn each_place_has_one_scheme() {
        let channels = capabilities().channels;
        for channel in &channels {
            let here = channels.iter().filter(|other| other.country == channel.country);
            assert_eq!(here.count(), 1, "{}", channel.country);
        }
    }
}
