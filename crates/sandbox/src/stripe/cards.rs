//! The test cards and accounts, and what the gateway shows of them.

use serde_json::{Value, json};

/// What a bank does with a test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bank {
    Accepts,
    AsksTheCustomer,
    Declines,
}

/// Number, brand, and what its bank does.
pub(super) const TEST_CARDS: [(&str, &str, Bank); 8] = [
    ("4242424242424242", "visa", Bank::Accepts),
    ("5555555555554444", "mastercard", Bank::Accepts),
    ("378282246310005", "amex", Bank::Accepts),
    ("4000002500003155", "visa", Bank::AsksTheCustomer),
    ("4000002760003184", "visa", Bank::AsksTheCustomer),
    ("4000000000000341", "visa", Bank::Accepts),
    ("4000000000000002", "visa", Bank::Declines),
    ("4000000000009995", "visa", Bank::Declines),
];

/// How the number of the card ends whose bank asks the customer about every charge.
pub(super) const ALWAYS_ASKS: &str = "3184";
/// How that of the card ends which can be saved and refuses every charge.
pub(super) const NEVER_PAYS: &str = "0341";

/// What the customer chose: a type of payment method and a number.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(super) kind: String,
    number: String,
    brand: &'static str,
    pub(super) bank: Bank,
}

/// A card of the list above, or any account number of at least four digits; `None` for anything else.
pub(super) fn choose(kind: &str, number: Option<&str>) -> Option<Chosen> {
    let given = number.unwrap_or(if kind == "card" { TEST_CARDS[0].0 } else { "DE89370400440532013000" });
    let number: String = given.chars().filter(char::is_ascii_alphanumeric).collect();
    if kind != "card" {
        let digits = number.chars().rev().take_while(char::is_ascii_digit).count();
        let (kind, bank) = (kind.to_owned(), Bank::Accepts);
        return (digits >= 4).then_some(Chosen { kind, number, brand: "", bank });
    }
    let (_, brand, bank) = TEST_CARDS.into_iter().find(|(known, _, _)| *known == number)?;
    Some(Chosen { kind: kind.to_owned(), number, brand, bank })
}

impl Chosen {
    /// The payment method as the API shows it.
    pub(super) fn object(&self, id: &str, customer: &Value) -> Value {
        let last4 = &self.number[self.number.len() - 4..];
        let fingerprint = fingerprint(&self.number);
        let details = match self.kind.as_str() {
            "card" => json!({
                "brand": self.brand, "last4": last4, "exp_month": 12, "exp_year": 2034, "fingerprint": fingerprint,
                "funding": "credit", "country": "US", "networks": {"available": [self.brand], "preferred": null},
                "wallet": null,
            }),
            _ => json!({"last4": last4, "fingerprint": fingerprint, "country": "DE"}),
        };
        let mut object = json!({
            "id": id, "object": "payment_method", "type": self.kind, "customer": customer, "livemode": false,
            "allow_redisplay": "limited", "billing_details": {"name": "Lorem Ipsum", "email": null}, "metadata": {},
        });
        object[&self.kind] = details;
        object
    }
}

/// 16 letters and digits that are the same for the same number.
fn fingerprint(number: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in number.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016X}")
}
