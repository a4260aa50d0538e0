//! Amounts: the gateway counts a few currencies in other minor units than ISO 4217 does. Pure, and exact or nothing.

use billfold_core::money::{Currency, Money};
use serde_json::Value;

/// Currencies of which the gateway takes another number of decimals.
const OWN_DECIMALS: [(&str, u32); 4] = [("CLP", 2), ("CVE", 0), ("IDR", 0), ("ISK", 2)];

/// Decimals at the gateway.
fn decimals(currency: Currency) -> u32 {
    let own = OWN_DECIMALS.iter().find(|(code, _)| *code == currency.code());
    own.map_or_else(|| currency.exponent(), |(_, decimals)| *decimals)
}

/// An amount in the gateway's minor units; `None` when it has decimals that those do not.
pub(crate) fn to_gateway(money: Money) -> Option<i64> {
    scaled(money.amount, money.currency.exponent(), decimals(money.currency))
}

/// An amount of the gateway's; `None` when it is none that we can write.
pub(crate) fn from_gateway(value: i64, currency: &str) -> Option<Money> {
    let currency: Currency = currency.parse().ok()?;
    let amount = scaled(value, decimals(currency), currency.exponent())?;
    Some(Money { amount, currency })
}

/// The amount in an answer: `Ok(None)` when it tells none, `Err` when nobody can tell what it tells.
pub(crate) fn read(amount: &Value) -> Result<Option<Money>, ()> {
    if amount.is_null() {
        return Ok(None);
    }
    let (value, currency) = (amount["value"].as_i64(), amount["currency"].as_str());
    let money = value.zip(currency).and_then(|(value, currency)| from_gateway(value, currency));
    money.map(Some).ok_or(())
}

fn scaled(amount: i64, from: u32, to: u32) -> Option<i64> {
    if to >= from {
        return amount.checked_mul(10_i64.checked_pow(to - from)?);
    }
    let unit = 10_i64.checked_pow(from - to)?;
    (amount % unit == 0).then_some(amount / unit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(amount: i64, currency: &str, expected: Option<i64>) {
        let money = Money { amount, currency: currency.parse().unwrap() };
        let at_gateway = to_gateway(money);
        assert_eq!(at_gateway, expected, "{amount} {currency}");
        if let Some(value) = at_gateway {
            assert_eq!(from_gateway(value, currency), Some(money));
        }
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        check(1050, "EUR", Some(1050));
        check(500, "JPY", Some(500));
        check(1001, "KWD", Some(1001));
        check(500, "ISK", Some(50_000));
        check(500, "CLP", Some(50_000));
        check(1_050_000, "IDR", Some(10_500));
        check(1_050_001, "IDR", None);
        check(i64::MAX, "ISK", None);
        assert_eq!(from_gateway(50_001, "ISK"), None);
        assert_eq!(from_gateway(1, "eur"), None);
    }

    #[test]
    fn an_amount_that_cannot_be_read_is_not_none() {
        let money = Money { amount: 7, currency: "EUR".parse().unwrap() };
        assert_eq!(read(&json!({"value": 7, "currency": "EUR"})), Ok(Some(money)));
        assert_eq!(read(&Value::Null), Ok(None));
        for odd in [
            json!({}),
            json!(7),
            json!({"value": "7", "currency": "EUR"}),
            json!({"value": 7, "currency": "E"}),
        ] {
            assert_eq!(read(&odd), Err(()), "{odd}");
        }
    }
}
