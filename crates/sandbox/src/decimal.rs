//! Amounts of money as decimals.

/// Minor units as a decimal with so many digits behind the point.
pub(crate) fn decimal(amount: i64, digits: usize) -> String {
    let text = format!("{amount:0>width$}", width = digits + 1);
    let (major, minor) = text.split_at(text.len() - digits);
    if digits == 0 { major.to_owned() } else { format!("{major}.{minor}") }
}
