//! Money in integer minor units, currencies and countries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 currency, written as its three letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

/// A text that is not an ISO 4217 code in upper case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 4217 currency code in upper case, such as IDR")]
pub struct InvalidCurrency;

impl Currency {
    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimal digits separate the major from the minor unit: 2 for USD, 0 for JPY.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = iso_currency::Currency::from_code(text).ok_or(InvalidCurrency)?;
        if known.code() == text { Ok(Self(known)) } else { Err(InvalidCurrency) }
    }
}

/// An ISO 3166-1 alpha-2 country code: two upper-case letters. Which countries are served is the
/// provider's to say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

/// A text that is not two upper-case letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 3166-1 country code of two upper-case letters, such as ID")]
pub struct InvalidCountry;

impl Country {
    /// The two letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Country {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([*a, *b])),
            _ => Err(InvalidCountry),
        }
    }
}

/// An amount of money: minor units (cents) and their currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; 1050 with USD is 10.50 dollars.
    pub amount: i64,
    /// The currency of `amount`.
    pub currency: Currency,
}

/// A decimal that the currency cannot express exactly, or that is too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the amount is not an exact number of the currency's minor units")]
pub struct InexactAmount;

impl Money {
    /// Nothing, in a currency: the amount of a session that only saves.
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// The amount in major units as decimal text: `10.50`. Exact.
    pub fn to_decimal(self) -> String {
        let digits = usize::try_from(self.currency.exponent()).unwrap_or(0);
        let sign = if self.amount < 0 { "-" } else { "" };
        let text = format!("{:0>width$}", self.amount.unsigned_abs(), width = digits + 1);
        let (major, minor) = text.split_at(text.len() - digits);
        if digits == 0 { format!("{sign}{major}") } else { format!("{sign}{major}.{minor}") }
    }

    /// From decimal text in major units, as gateways write amounts. Refuses what is not exact:
    /// exponents, a third decimal of a dollar, more than fits.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Self, InexactAmount> {
        let digits = usize::try_from(currency.exponent()).map_err(|_| InexactAmount)?;
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (major, minor) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let minor = minor.trim_end_matches('0');
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if major.is_empty()
            || unsigned.ends_with('.')
            || !all_digits(major)
            || !all_digits(minor)
            || minor.len() > digits
        {
            return Err(InexactAmount);
        }
        let joined = format!("{major}{minor:0<digits$}");
        let amount: i64 = joined.parse().map_err(|_| InexactAmount)?;
        Ok(Self { amount: if negative { -amount } else { amount }, currency })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, currency: &str, expected: Result<i64, InexactAmount>) {
        let parsed = Money::from_decimal(text, currency.parse().unwrap()).map(|money| money.amount);
        assert_eq!(parsed, expected, "{text} {currency}");
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        check("10.5", "USD", Ok(1050));
        check("10.500", "USD", Ok(1050));
        check("0", "IDR", Ok(0));
        check("-0.01", "USD", Ok(-1));
        check("7", "JPY", Ok(7));
        check("7.0", "JPY", Ok(7));
        check("7.1", "JPY", Err(InexactAmount));
        check("1.234", "KWD", Ok(1234));
        for bad in ["1e3", "", ".5", "1.", "+1", "1.001", "NaN", "99999999999999999999", "1 000", "--1"] {
            check(bad, "USD", Err(InexactAmount));
        }
    }

    proptest::proptest! {
        #[test]
        fn decimal_text_round_trips(amount in -1_000_000_000_000_i64..1_000_000_000_000, index in 0_usize..4) {
            let currency: Currency = ["USD", "JPY", "KWD", "IDR"][index].parse().unwrap();
            let money = Money { amount, currency };
            proptest::prop_assert_eq!(Money::from_decimal(&money.to_decimal(), currency), Ok(money));
        }
    }

    #[test]
    fn codes_are_strict() {
        assert!("idr".parse::<Currency>().is_err());
        assert!("XXQ".parse::<Currency>().is_err());
        assert!("id".parse::<Country>().is_err());
        assert!("IDN".parse::<Country>().is_err());
        assert_eq!("ID".parse::<Country>().unwrap().code(), "ID");
    }
}
