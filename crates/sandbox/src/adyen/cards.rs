//! The test cards, and what the gateway shows of them.

use serde_json::{Value, json};

/// The gateway's type of every card.
pub(super) const SCHEME: &str = "scheme";

/// What a bank does with a test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bank {
    Accepts,
    AsksTheCustomer,
    Declines,
}

/// Number, brand, and what its bank does. The last number is the sandbox's own.
pub(super) const TEST_CARDS: [(&str, &str, Bank); 5] = [
    ("4111111111111111", "visa", Bank::Accepts),
    ("5555555555554444", "mc", Bank::Accepts),
    ("370000000000002", "amex", Bank::Accepts),
    ("5201281505129736", "mc", Bank::AsksTheCustomer),
    ("4000000000000002", "visa", Bank::Declines),
];

/// The card that the customer chose.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    number: &'static str,
    brand: &'static str,
    pub(super) bank: Bank,
}

/// A card of the list above, the first when nothing is said; `None` for any other number.
pub(super) fn choose(number: Option<&str>) -> Option<Chosen> {
    let digits: String = number.unwrap_or(TEST_CARDS[0].0).chars().filter(|c| !c.is_whitespace()).collect();
    let (number, brand, bank) = TEST_CARDS.into_iter().find(|(known, _, _)| *known == digits)?;
    Some(Chosen { number, brand, bank })
}

/// Whether the bank of a stored card asks the customer.
pub(super) fn asks(method: &Value) -> bool {
    let is_it = |number: &str| method["lastFour"] == number[number.len() - 4..];
    TEST_CARDS.iter().any(|(number, _, bank)| *bank == Bank::AsksTheCustomer && is_it(number))
}

impl Chosen {
    /// The stored payment method as the API shows it.
    pub(super) fn object(&self, id: &str, shopper: &Value, model: &Value) -> Value {
        json!({
            "id": id, "shopperReference": shopper, "type": SCHEME, "name": self.brand.to_uppercase(),
            "brand": self.brand, "lastFour": &self.number[self.number.len() - 4..], "expiryMonth": "03",
            "expiryYear": "34", "holderName": "Lorem Ipsum", "issuerName": "Sandbox Bank",
            "alias": self.alias(), "aliasType": "Default", "networkTxReference": "",
            "supportedRecurringProcessingModels": [model],
        })
    }

    /// A stand-in for the number: the same for the same card.
    pub(super) fn alias(&self) -> String {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.number.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        format!("K{:015}", hash % 1_000_000_000_000_000)
    }
}
