//! Which channels can save, by country.

/// What a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Card,
    Wallet,
    Debit,
}

/// A channel of one country.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

const fn card() -> Channel {
    Channel { code: "CARDS", name: "Credit or debit card", kind: Kind::Card }
}

const fn wallet(code: &'static str, name: &'static str) -> Channel {
    Channel { code, name, kind: Kind::Wallet }
}

const fn debit(code: &'static str, name: &'static str) -> Channel {
    Channel { code, name, kind: Kind::Debit }
}

const INDONESIA: &[Channel] = &[
    card(),
    debit("BRI_DIRECT_DEBIT", "BRI Direct Debit"),
    wallet("DANA", "DANA"),
    wallet("GOPAY", "GoPay"),
    wallet("GOPAY_RECURRING", "GoPay Recurring"),
    wallet("NEXCASH", "Nexcash"),
    wallet("OVO", "OVO"),
    wallet("SHOPEEPAY", "ShopeePay"),
];
const PHILIPPINES: &[Channel] = &[
    card(),
    debit("BPI_DIRECT_DEBIT", "BPI Direct Debit"),
    debit("BPI_RECURRING", "BPI Recurring"),
    debit("CHINABANK_DIRECT_DEBIT", "Chinabank Direct Debit"),
    wallet("GRABPAY", "GrabPay"),
    wallet("PAYMAYA", "Maya"),
    debit("RCBC_DIRECT_DEBIT", "RCBC Direct Debit"),
    wallet("SHOPEEPAY", "ShopeePay"),
    debit("UBP_DIRECT_DEBIT", "UnionBank Direct Debit"),
    debit("UBP_EADA", "UnionBank EADA"),
];
const MALAYSIA: &[Channel] = &[
    card(),
    wallet("GRABPAY", "GrabPay"),
    wallet("SHOPEEPAY", "ShopeePay"),
    wallet("TOUCHNGO", "Touch 'n Go"),
    debit("FPX", "FPX"),
];
const THAILAND: &[Channel] = &[
    card(),
    debit("BBL_DIRECT_DEBIT", "Bangkok Bank"),
    debit("KRUNGSRI_DIRECT_DEBIT", "Krungsri"),
    debit("KTB_DIRECT_DEBIT", "Krungthai Bank"),
    debit("SCB_DIRECT_DEBIT", "Siam Commercial Bank"),
];

/// The channels that can save in a country; `None` for a country that is not served.
pub(super) fn of_country(country: &str) -> Option<&'static [Channel]> {
    match country {
        "ID" => Some(INDONESIA),
        "PH" => Some(PHILIPPINES),
        "MY" => Some(MALAYSIA),
        "TH" => Some(THAILAND),
        "VN" | "SG" => Some(CARDS_ONLY),
        _ => None,
    }
}

/// The currencies that the API takes.
pub(super) const CURRENCIES: [&str; 7] = ["IDR", "PHP", "VND", "THB", "SGD", "MYR", "USD"];

const CARDS_ONLY: &[Channel] = &[card()];
