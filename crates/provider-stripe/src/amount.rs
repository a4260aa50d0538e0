//! Amounts in the gateway's own smallest units, which are not always those of ISO 4217. Pure.

use billfold_core::Error;
use billfold_core::money::{Currency, Money};

/// Currencies that the gateway counts in whole units.
const NO_DECIMALS: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Currencies that it counts in thousandths, of which the last digit must be 0.
const THREE_DECIMALS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
/// Currencies that are whole and yet counted in hundredths.
const WHOLE_HUNDREDTHS: [&str; 2] = ["ISK", "UGX"];

/// How many decimals the gateway counts in, and of what an amount must be a multiple.
fn unit(currency: Currency) -> (u32, i64) {
    let code = currency.code();
    if NO_DECIMALS.contains(&code) {
        (0, 1)
    } else if THREE_DECIMALS.contains(&code) {
        (3, 10)
    } else if WHOLE_HUNDREDTHS.contains(&code) {
        (2, 100)
    } else {
        (2, 1)
    }
}

/// What the gateway is asked for.
pub(crate) fn to_gateway(money: Money) -> Result<i64, Error> {
    let (decimals, step) = unit(money.currency);
    let refused = || {
        let message = format!("the gateway cannot express {money}; round it");
        Error::invalid("/amount", message)
    };
    let amount = scale(money.amount, money.currency.exponent(), decimals).ok_or_else(refused)?;
    if amount % step == 0 { Ok(amount) } else { Err(refused()) }
}

/// What the gateway says; `None` when it is no exact number of minor units.
pub(crate) fn from_gateway(amount: i64, currency: Currency) -> Option<Money> {
    let (decimals, _) = unit(currency);
    Some(Money { amount: scale(amount, decimals, currency.exponent())?, currency })
}

/// The same amount with another number of decimals; `None` when that is not exact.
fn scale(amount: i64, from: u32, to: u32) -> Option<i64> {
    let factor = 10_i64.checked_pow(from.abs_diff(to))?;
    if to >= from {
        return amount.checked_mul(factor);
    }
    (amount % factor == 0).then(|| amount / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64, currency: &str) -> Money {
        Money { amount, currency: currency.parse().unwrap() }
    }

    #[test]
    fn amounts_are_counted_as_the_gateway_does() {
        for (amount, currency, theirs) in [
            (1_099, "USD", 1_099),
            (500, "JPY", 500),
            (405_400, "VND", 405_400),
            (5_120, "KWD", 5_120),
            (5, "ISK", 500),
            (5, "UGX", 500),
            (500, "MGA", 5),
            (1_045, "HUF", 1_045),
        ] {
            let money = money(amount, currency);
            assert_eq!(to_gateway(money).unwrap(), theirs, "{money}");
            assert_eq!(from_gateway(theirs, money.currency), Some(money), "{money}");
        }
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for (amount, currency) in [(5_124, "KWD"), (550, "MGA"), (i64::MAX, "ISK")] {
            let money = money(amount, currency);
            assert_eq!(to_gateway(money).unwrap_err().fields()[0].pointer, "/amount", "{money}");
        }
        assert_eq!(from_gateway(550, "ISK".parse().unwrap()), None);
    }
}
