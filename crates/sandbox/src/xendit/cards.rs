//! The test cards.

/// A card that test mode knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct TestCard {
    pub(super) number: &'static str,
    pub(super) network: &'static str,
    /// Whether the bank asks the customer to confirm.
    pub(super) challenge: bool,
}

const fn test_card(number: &'static str, network: &'static str, challenge: bool) -> TestCard {
    TestCard { number, network, challenge }
}

/// Every test card.
pub(super) const TEST_CARDS: [TestCard; 16] = [
    test_card("4000000000001000", "VISA", false),
    test_card("4000000000002503", "VISA", true),
    test_card("4000000000001091", "VISA", false),
    test_card("5200000000001005", "MASTERCARD", false),
    test_card("5200000000002151", "MASTERCARD", true),
    test_card("4440000042200014", "VISA", false),
    test_card("4440000009900010", "VISA", true),
    test_card("5123456789012346", "MASTERCARD", false),
    test_card("5123450000000008", "MASTERCARD", true),
    test_card("4200350000000801", "VISA", false),
    test_card("5413530000000501", "MASTERCARD", false),
    test_card("3337000000000008", "JCB", true),
    test_card("378282246310005", "AMEX", false),
    test_card("340000000002708", "AMEX", false),
    test_card("340000000002534", "AMEX", true),
    test_card("1889800000000171", "BCA", false),
];

/// Whether a card that is known by its mask alone asks the customer to confirm.
pub(super) fn challenges(masked: &str) -> bool {
    let parts = masked.get(..6).zip(masked.len().checked_sub(4).and_then(|at| masked.get(at..)));
    let Some((first, last)) = parts else { return false };
    TEST_CARDS
        .iter()
        .any(|card| card.challenge && card.number.starts_with(first) && card.number.ends_with(last))
}

/// The test card with a number, blanks and dashes aside.
pub(super) fn find(number: &str) -> Option<TestCard> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    TEST_CARDS.into_iter().find(|card| card.number == digits)
}
