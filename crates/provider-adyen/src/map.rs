//! Between core's types and the gateway's. Pure.

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::payment_method::{Display, last_four};
use billfold_core::provider::{
    CreateSession, Echo, NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession,
    ProviderSessionStatus, TokenRef,
};
use billfold_core::secret::SecretString;

use crate::capabilities::describe;
use crate::options::Flow;
use crate::wire::{self, Amount, ForTheScript, Name, StoredMethod, StoredMethods};

/// How long a text from the gateway may be before it is cut.
const MAX_TEXT: usize = 100;

/// The body of `POST /sessions`. The shopper is the session itself: `docs/adr` says why.
pub(crate) fn create_session<'a>(
    merchant_account: &'a str,
    theme_id: Option<&'a str>,
    flow: Flow,
    request: &'a CreateSession,
) -> wire::CreateSession<'a> {
    let customer = &request.customer;
    let names = (customer.given_names.as_deref().map(str::trim), customer.surname.as_deref().map(str::trim));
    let shopper_name = match names {
        (Some(first_name), Some(last_name)) if !first_name.is_empty() && !last_name.is_empty() => {
            Some(Name { first_name, last_name })
        }
        _ => None,
    };
    let country = request.country.code();
    wire::CreateSession {
        merchant_account,
        amount: Amount { value: 0, currency: request.currency.code() },
        reference: &request.reference,
        shopper_reference: &request.reference,
        return_url: request.success_url.as_str(),
        country_code: country,
        mode: flow.mode(),
        store_payment_method_mode: "enabled",
        recurring_processing_model: processing_model(request.usage),
        // Who saves a method is there, whoever charges it later.
        shopper_interaction: "Ecommerce",
        expires_at: request.expires_at.to_string(),
        allowed_payment_methods: &request.channels,
        shopper_locale: request.locale.as_ref().map(|language| format!("{language}-{country}")),
        shopper_email: customer.email.as_deref(),
        shopper_name,
        telephone_number: customer.mobile_number.as_deref(),
        theme_id: theme_id.filter(|_| flow == Flow::Hosted),
        metadata: &request.metadata,
    }
}

/// What the method will be used for, in the gateway's words.
fn processing_model(usage: Usage) -> &'static str {
    match usage {
        Usage::OnSession | Usage::UnscheduledCustomer => "CardOnFile",
        Usage::UnscheduledMerchant => "UnscheduledCardOnFile",
        Usage::Recurring => "Subscription",
    }
}

/// A session that was made, as core sees it; `None` when what the customer needs is missing.
pub(crate) fn made(flow: Flow, reference: &str, session: &wire::Session) -> Option<ProviderSession> {
    let next = match flow {
        Flow::Hosted => NextAction::Redirect(SecretString::from(session.url.clone()?)),
        Flow::Embedded => {
            let (id, session_data) = (session.id.as_deref()?, session.session_data.as_deref()?);
            let text = serde_json::to_string(&ForTheScript { id, session_data }).ok()?;
            NextAction::ClientSecret(SecretString::from(text))
        }
    };
    let mut mapped = ProviderSession::new(reference, ProviderSessionStatus::Active);
    mapped.next = Some(next);
    mapped.expires_at = session.expires_at.as_deref().and_then(|at| at.parse().ok());
    mapped.echo.reference.clone_from(&session.reference);
    Some(mapped)
}

/// How a session stands by its own result. A result is of one moment: what may still change is not the end.
pub(crate) fn session_status(status: Option<&str>) -> ProviderSessionStatus {
    match status {
        // The customer turned back; the gateway does not say that they cannot come again.
        Some("active" | "canceled") => ProviderSessionStatus::Active,
        // The payment is done, its token may not be: what was saved is told by the list alone.
        Some("completed" | "paymentPending") => ProviderSessionStatus::Processing,
        Some("refused") => ProviderSessionStatus::Failed,
        Some("expired") => ProviderSessionStatus::Expired,
        _ => ProviderSessionStatus::Unknown,
    }
}

/// How a session stands after a redirect. A refusal is that of one attempt.
pub(crate) fn redirect_status(result_code: Option<&str>) -> ProviderSessionStatus {
    match result_code {
        Some("Authorised" | "Pending" | "Received") => ProviderSessionStatus::Processing,
        _ => ProviderSessionStatus::Active,
    }
}

/// Why an answer is not a list of one shopper's methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAList {
    /// It says nothing.
    Unreadable,
    /// It is another shopper's.
    Contradiction,
}

/// The stored methods of this shopper.
pub(crate) fn methods(shopper: &str, answer: StoredMethods) -> Result<Vec<ProviderMethod>, NotAList> {
    let echoed = answer.shopper_reference.as_deref();
    if echoed.is_some_and(|other| other != shopper) {
        return Err(NotAList::Contradiction);
    }
    let listed = match answer.stored_payment_methods {
        serde_json::Value::Array(listed) => listed,
        // The gateway's library treats a missing list as an empty one; an answer that names nobody is none.
        serde_json::Value::Null if echoed.is_some() => Vec::new(),
        _ => return Err(NotAList::Unreadable),
    };
    let mapped = listed.into_iter().map(|listed| {
        let listed: StoredMethod = wire::from_object(listed).ok_or(NotAList::Unreadable)?;
        if listed.shopper_reference.as_deref().is_some_and(|other| other != shopper) {
            return Err(NotAList::Contradiction);
        }
        method(shopper, listed).ok_or(NotAList::Unreadable)
    });
    mapped.collect()
}

/// A stored method as core sees it; `None` when it has no id. What is listed can be charged.
fn method(shopper: &str, listed: StoredMethod) -> Option<ProviderMethod> {
    let mut token = TokenRef::new(listed.id?);
    token.customer = Some(shopper.to_owned());
    let channel = listed.kind.as_deref().and_then(clean).unwrap_or_else(|| "unknown".to_owned());
    let (kind, name) = describe(&channel);
    let mut mapped = ProviderMethod::new(token, kind, channel, ProviderMethodStatus::Active);
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u16>().ok());
    let brand = match kind {
        MethodKind::Card => listed.brand.as_deref().and_then(clean).map(|brand| card_brand(&brand)),
        MethodKind::Wallet | MethodKind::BankDebit => {
            Some(name.map_or_else(|| title(&mapped.channel), str::to_owned))
        }
    };
    mapped.display = Display {
        brand,
        last4: listed.last_four.as_deref().or(listed.iban.as_deref()).and_then(last_four),
        expiry_month: number(listed.expiry_month.as_deref())
            .and_then(|month| u8::try_from(month).ok())
            .filter(|month| (1..=12).contains(month)),
        expiry_year: number(listed.expiry_year.as_deref()).and_then(year),
        funding: None,
        issuer: listed.issuer_name.as_deref().and_then(clean),
        country: None,
    };
    mapped.fingerprint = listed.alias.filter(|_| kind == MethodKind::Card).map(SecretString::from);
    mapped.echo = Echo { reference: Some(shopper.to_owned()), ..Echo::default() };
    Some(mapped)
}

/// The gateway gives two digits or four.
fn year(year: u16) -> Option<u16> {
    match year {
        0..=99 => Some(2000 + year),
        2000..=9999 => Some(year),
        _ => None,
    }
}

fn card_brand(brand: &str) -> String {
    match brand {
        "mc" => "Mastercard".to_owned(),
        "amex" => "American Express".to_owned(),
        "cup" => "UnionPay".to_owned(),
        "cartebancaire" => "Cartes Bancaires".to_owned(),
        "bcmc" => "Bancontact".to_owned(),
        "jcb" => "JCB".to_owned(),
        _ => title(brand),
    }
}

/// `new_wallet` as `New Wallet`.
fn title(code: &str) -> String {
    let words = code.split(['_', ' ']).filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        first + letters.as_str()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A text from the gateway without control characters, cut to a length that a list can show.
fn clean(text: &str) -> Option<String> {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    let clean = clean.trim().to_owned();
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_an_end_is_an_end() {
        use ProviderSessionStatus as S;
        for (status, expected) in [
            (Some("active"), S::Active),
            (Some("canceled"), S::Active),
            (Some("completed"), S::Processing),
            (Some("paymentPending"), S::Processing),
            (Some("refused"), S::Failed),
            (Some("expired"), S::Expired),
            (Some("new_word"), S::Unknown),
            (None, S::Unknown),
        ] {
            assert_eq!(session_status(status), expected, "{status:?}");
        }
        for (code, expected) in [
            (Some("Authorised"), S::Processing),
            (Some("Pending"), S::Processing),
            (Some("Received"), S::Processing),
            (Some("Refused"), S::Active),
            (Some("Cancelled"), S::Active),
            (Some("Error"), S::Active),
            (Some("NewWord"), S::Active),
            (None, S::Active),
        ] {
            assert_eq!(redirect_status(code), expected, "{code:?}");
        }
    }

    #[test]
    fn usages_have_a_model() {
        let models = Usage::ALL.map(processing_model);
        assert_eq!(models, ["CardOnFile", "CardOnFile", "UnscheduledCardOnFile", "Subscription"]);
    }

    fn list(answer: Value) -> Result<Vec<ProviderMethod>, NotAList> {
        methods("ses_1", wire::from_object(answer).unwrap())
    }

    fn one(method: Value) -> ProviderMethod {
        list(json!({"shopperReference": "ses_1", "storedPaymentMethods": [method]})).unwrap().remove(0)
    }

    #[test]
    fn a_list_is_that_of_the_shopper_asked_for() {
        use NotAList::{Contradiction, Unreadable};
        let count = |answer: Value| list(answer).map(|methods| methods.len());
        assert_eq!(count(json!({"shopperReference": "ses_1", "storedPaymentMethods": []})), Ok(0));
        assert_eq!(count(json!({"storedPaymentMethods": []})), Ok(0));
        assert_eq!(count(json!({"shopperReference": "ses_1"})), Ok(0));
        assert_eq!(count(json!({"shopperReference": "ses_1", "storedPaymentMethods": [{"id": "A"}]})), Ok(1));
        assert_eq!(count(json!({})), Err(Unreadable));
        assert_eq!(count(json!({"shopperReference": "ses_1", "storedPaymentMethods": {}})), Err(Unreadable));
        assert_eq!(count(json!({"storedPaymentMethods": ["A"]})), Err(Unreadable));
        assert_eq!(count(json!({"storedPaymentMethods": [{"brand": "visa"}]})), Err(Unreadable));
        assert_eq!(
            count(json!({"shopperReference": "ses_2", "storedPaymentMethods": []})),
            Err(Contradiction)
        );
        let stranger = json!([{"id": "A", "shopperReference": "ses_2"}]);
        assert_eq!(count(json!({"storedPaymentMethods": stranger})), Err(Contradiction));
    }

    #[test]
    fn cards_and_debits_show_what_customers_know() {
        let card = one(json!({"id": "M5N7TQ4TG5PFWR50", "type": "scheme", "brand": "mc", "lastFour": "4444",
            "expiryMonth": "03", "expiryYear": "30", "issuerName": "A Bank", "holderName": "CANARY", "alias": "K1"}));
        assert_eq!((card.kind, card.token.customer.as_deref()), (MethodKind::Card, Some("ses_1")));
        assert!(card.fingerprint.is_some() && card.echo.reference.as_deref() == Some("ses_1"));
        let display = card.display;
        assert_eq!((display.brand.as_deref(), display.last4.as_deref()), (Some("Mastercard"), Some("4444")));
        assert_eq!((display.expiry_month, display.expiry_year), (Some(3), Some(2030)));
        assert_eq!(display.issuer.as_deref(), Some("A Bank"));
        let full = one(json!({"id": "A", "type": "scheme", "brand": "visa", "expiryYear": 2031}));
        assert_eq!((full.display.expiry_year, full.display.brand.as_deref()), (Some(2031), Some("Visa")));
        assert!(full.fingerprint.is_none());
        let sepa = one(
            json!({"id": "A", "type": "sepadirectdebit", "iban": "DE89370400440532013000", "alias": "K"}),
        );
        assert_eq!(
            (sepa.kind, sepa.display.brand.as_deref()),
            (MethodKind::BankDebit, Some("SEPA Direct Debit"))
        );
        assert_eq!(sepa.display.last4.as_deref(), Some("3000"));
        assert!(sepa.fingerprint.is_none(), "an alias is that of a card");
        let odd = one(json!({"id": "A", "type": "new_wallet", "brand": "e\u{1b}[31m", "lastFour": "42",
            "expiryMonth": "13", "expiryYear": "199"}));
        assert_eq!((odd.kind, odd.display.brand.as_deref()), (MethodKind::Wallet, Some("New Wallet")));
        assert_eq!(
            (odd.display.last4, odd.display.expiry_month, odd.display.expiry_year),
            (None, None, None)
        );
    }

    #[test]
    fn a_session_without_what_the_customer_needs_is_none() {
        let session = |answer: Value| wire::from_object::<wire::Session>(answer).unwrap();
        let embedded = session(
            json!({"id": "CS1", "sessionData": "Ab02\"b4c0!", "expiresAt": "2026-06-01T12:00:00+02:00"}),
        );
        let made = made(Flow::Embedded, "ses_1", &embedded).unwrap();
        let Some(NextAction::ClientSecret(secret)) = made.next else { panic!("no secret") };
        let secret: Value =
            serde_json::from_str(billfold_core::secret::ExposeSecret::expose_secret(&secret)).unwrap();
        assert_eq!(secret, json!({"id": "CS1", "sessionData": "Ab02\"b4c0!"}));
        assert_eq!(made.expires_at.unwrap().to_string(), "2026-06-01T10:00:00.000Z");
        assert!(super::made(Flow::Hosted, "ses_1", &embedded).is_none());
        let hosted = session(json!({"id": "CS1", "url": "https://checkout.example/1"}));
        assert!(super::made(Flow::Hosted, "ses_1", &hosted).is_some());
        assert!(super::made(Flow::Embedded, "ses_1", &hosted).is_none());
    }
}
