//! Saved payment methods.

use serde::{Deserialize, Serialize};

use crate::capability::{MethodKind, Usage};
use crate::clock::Timestamp;
use crate::id::{CustomerId, PaymentMethodId, SessionId, VaultRecordId};
use crate::name::{GatewayName, TenantId};
use crate::settings::Mode;
use crate::vault::Fingerprint;

/// What a customer recognises a method by. Never a balance, never a whole number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Display {
    /// Card scheme, wallet or bank, for people: `Visa`, `OVO`, `BRI`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// The last four digits of the card or account; fewer where the gateway shows no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last4: Option<String>,
    /// Month of expiry, 1 to 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_month: Option<u8>,
    /// Year of expiry, four digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_year: Option<u16>,
    /// `credit`, `debit` or `prepaid`; of a bank account `checking` or `savings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<String>,
    /// The bank that issued the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Country of issue, ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl Display {
    /// When a card of this expiry date is over: with the last day of its month, wherever on earth that ends
    /// last. `None` without a date.
    pub fn ends_at(&self) -> Option<Timestamp> {
        Timestamp::end_of_month(self.expiry_year?, self.expiry_month?)
    }
}

/// The last four digits in a masked or whole number, and nothing else of it. `None` unless the text
/// ends in four digits.
pub fn last_four(number: &str) -> Option<String> {
    let tail: Vec<char> = number.trim_end().chars().rev().take(4).collect();
    let complete = tail.len() == 4 && tail.iter().all(char::is_ascii_digit);
    complete.then(|| tail.into_iter().rev().collect())
}

/// Whether a saved method can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethodStatus {
    /// Saved; the gateway has not activated it yet.
    Pending,
    /// Usable.
    Active,
    /// Activation failed.
    Failed,
    /// Its validity ended.
    Expired,
    /// Taken back by the customer, the bank or the gateway.
    Revoked,
    /// Deleted here; kept as a tombstone.
    Deleted,
}

impl PaymentMethodStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Active, Self::Failed, Self::Expired, Self::Revoked, Self::Deleted];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
        }
    }
}

/// A saved payment method as stored: display data in clear, the token by reference into the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// Stable id, the same for as long as the customer keeps the method.
    pub id: PaymentMethodId,
    /// Whose method.
    pub tenant: TenantId,
    /// Which customer's; fixed when the session was started.
    pub customer_id: CustomerId,
    /// Where its token is valid.
    pub gateway: GatewayName,
    /// The kind of provider behind that gateway.
    pub provider: String,
    /// Test or live.
    pub mode: Mode,
    /// The session that saved it last.
    pub session_id: SessionId,
    /// Card, wallet or bank debit.
    pub kind: MethodKind,
    /// The gateway's channel code.
    pub channel: String,
    /// Whether it can be used.
    pub status: PaymentMethodStatus,
    /// What the customer agreed to.
    pub usage: Usage,
    /// Whether it is the customer's default.
    pub is_default: bool,
    /// What the customer recognises it by.
    pub display: Display,
    /// The sealed token; `None` once deleted, or once another method has the token that took its place.
    pub token: Option<VaultRecordId>,
    /// Keyed fingerprint of the token: one token makes one method.
    pub token_fingerprint: Fingerprint,
    /// Keyed fingerprint of the instrument: one card saved twice for one use is one method.
    pub instrument_fingerprint: Fingerprint,
    /// When it is looked at again: a pending method is asked about, an active one now and then, and when its
    /// card ends or is about to.
    pub next_check_at: Option<Timestamp>,
    /// Since when its card is known to end soon.
    pub expiring_since: Option<Timestamp>,
    /// When it was saved.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_lasts_through_its_month_everywhere_on_earth() {
        let card = |expiry_month, expiry_year| Display { expiry_month, expiry_year, ..Display::default() };
        let ends = |month, year| card(Some(month), Some(year)).ends_at().map(|end| end.to_string());
        assert_eq!(ends(2, 2028).as_deref(), Some("2028-03-01T12:00:00.000Z"));
        assert_eq!(ends(12, 2026).as_deref(), Some("2027-01-01T12:00:00.000Z"));
        for (month, year) in [(0, 2026), (13, 2026), (1, 0), (12, 65535)] {
            assert_eq!(ends(month, year), None, "{month}/{year}");
        }
        assert_eq!(card(None, Some(2026)).ends_at(), None);
        assert_eq!(card(Some(1), None).ends_at(), None);
    }

    #[test]
    fn only_the_last_four_digits_are_kept() {
        for (number, expected) in [
            ("400000XXXXXX1091", Some("1091")),
            ("5200****1005", Some("1005")),
            ("XXXX XXXX 1234 ", Some("1234")),
            ("123", None),
            ("", None),
            ("****", None),
            ("12a4", None),
            ("１２３４", None),
        ] {
            assert_eq!(last_four(number).as_deref(), expected, "{number}");
        }
    }
}
