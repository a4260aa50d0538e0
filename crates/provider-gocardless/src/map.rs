//! Between core's types and the gateway's. Pure.

use billfold_core::capability::MethodKind;
use billfold_core::clock::Timestamp;
use billfold_core::payment_method::Display;
use billfold_core::provider::{
    CreateSession, Echo, NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession,
    ProviderSessionStatus, TokenRef,
};
use billfold_core::secret::SecretString;
use serde_json::{Map, Value, json};

use crate::capabilities::name_of;
use crate::options::Options;
use crate::wire::{BankAccount, BillingRequest, Flow, Mandate};

/// The metadata key under which billing requests and mandates carry our session id. Merchants cannot use it.
pub(crate) const SESSION: &str = "billfold_session";
/// How long a text from the gateway may be before it is cut.
const MAX_TEXT: usize = 100;

/// The fields of `POST /billing_requests`.
pub(crate) fn billing_request(request: &CreateSession, options: &Options) -> Value {
    let mut mandate = Map::new();
    mandate.insert("currency".to_owned(), request.currency.code().into());
    // A place has one scheme. Without it the gateway takes the one of the currency.
    let texts = [("scheme", request.channels.first()), ("description", request.description.as_ref())];
    for (key, text) in texts {
        mandate.extend(text.map(|text| (key.to_owned(), text.as_str().into())));
    }
    mandate.extend(options.verify.map(|verify| ("verify".to_owned(), json!(verify))));
    mandate.insert("metadata".to_owned(), json!({SESSION: request.reference}));
    let mut metadata = request.metadata.clone();
    metadata.insert(SESSION.to_owned(), request.reference.clone());
    let mut fields = json!({"mandate_request": mandate, "metadata": metadata});
    if let Some(customer) = &request.gateway_customer {
        fields["links"] = json!({"customer": customer});
    }
    fields
}

/// The fields of `POST /billing_request_flows`.
pub(crate) fn flow(request: &CreateSession, billing_request: &str) -> Value {
    let mut fields = json!({
        "redirect_uri": request.success_url.as_str(),
        "exit_uri": request.cancel_url.as_str(),
        // What the customer could change it to is not what the merchant asked for.
        "lock_currency": true,
        "links": {"billing_request": billing_request},
    });
    if let Some(language) = &request.locale {
        fields["language"] = language.as_str().into();
    }
    // Of a customer whom the gateway knows it has the details already.
    if request.gateway_customer.is_none() {
        let customer = &request.customer;
        let mut prefilled = json!({"country_code": request.country.code()});
        let known = [
            ("given_name", &customer.given_names),
            ("family_name", &customer.surname),
            ("email", &customer.email),
        ];
        for (key, text) in known {
            if let Some(text) = text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
                prefilled[key] = text.into();
            }
        }
        fields["prefilled_customer"] = prefilled;
    }
    fields
}

/// A billing request as core sees it, without its method; `None` when it has no id.
pub(crate) fn session(request: &BillingRequest) -> Option<ProviderSession> {
    let status = match request.status.as_deref() {
        Some("pending" | "ready_to_fulfil") => ProviderSessionStatus::Active,
        Some("fulfilling") => ProviderSessionStatus::Processing,
        Some("fulfilled") => ProviderSessionStatus::Completed,
        Some("cancelled") => ProviderSessionStatus::Canceled,
        _ => ProviderSessionStatus::Unknown,
    };
    let mut mapped = ProviderSession::new(request.id.clone()?, status);
    mapped.echo = Echo {
        reference: request.metadata.get(SESSION).cloned(),
        // Before, the customer may still turn out to be another.
        customer: request.links.customer.clone().filter(|_| status == ProviderSessionStatus::Completed),
        currency: request.mandate_request.currency.clone(),
        country: None,
    };
    Some(mapped)
}

/// Where the customer goes, and when that ends.
pub(crate) fn way(flow: &Flow) -> (Option<NextAction>, Option<Timestamp>) {
    let next = flow.authorisation_url.clone().map(|url| NextAction::Redirect(SecretString::from(url)));
    (next, flow.expires_at.as_deref().and_then(|at| at.parse().ok()))
}

/// A mandate as core sees it; `None` when it has no id.
pub(crate) fn method(mandate: &Mandate, account: &BankAccount) -> Option<ProviderMethod> {
    let mut token = TokenRef::new(mandate.id.clone()?);
    token.customer.clone_from(&mandate.links.customer);
    let scheme = mandate.scheme.as_deref().and_then(clean).unwrap_or_else(|| "unknown".to_owned());
    let status = status(mandate.status.as_deref());
    let name = name_of(&scheme).map_or_else(|| title(&scheme), str::to_owned);
    let mut mapped = ProviderMethod::new(token, MethodKind::BankDebit, scheme, status);
    mapped.display = Display {
        brand: account.bank_name.as_deref().and_then(clean).or(Some(name)),
        last4: account.account_number_ending.as_deref().and_then(ending),
        funding: account.account_type.as_deref().and_then(clean),
        country: account.country_code.as_deref().and_then(clean).filter(|country| country.len() == 2),
        ..Display::default()
    };
    // A customer has each account once, so its id tells accounts of one customer apart as well.
    let fingerprint = account.bank_account_token.as_ref().or(account.id.as_ref());
    mapped.fingerprint = fingerprint.cloned().map(SecretString::from);
    mapped.echo = Echo {
        reference: mandate.metadata.get(SESSION).cloned(),
        customer: mandate.links.customer.clone(),
        ..Echo::default()
    };
    Some(mapped)
}

fn status(status: Option<&str>) -> ProviderMethodStatus {
    match status {
        Some("pending_customer_approval" | "pending_submission" | "submitted") => {
            ProviderMethodStatus::Pending
        }
        Some("active") => ProviderMethodStatus::Active,
        Some("failed") => ProviderMethodStatus::Failed,
        Some("expired" | "consumed") => ProviderMethodStatus::Expired,
        // A suspended one is active again when its payer wants it.
        Some("cancelled" | "blocked" | "suspended_by_payer") => ProviderMethodStatus::Revoked,
        _ => ProviderMethodStatus::Unknown,
    }
}

/// Whether a mandate cannot be charged any more, so that there is nothing to cancel.
pub(crate) fn is_over(status: Option<&str>) -> bool {
    matches!(status, Some("cancelled" | "failed" | "expired" | "consumed" | "blocked"))
}

/// The end of an account number as the gateway shows it: two digits, or four. Never more.
fn ending(text: &str) -> Option<String> {
    let text = text.trim();
    let short = (2..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    short.then(|| text.to_owned())
}

/// `new_scheme` as `New Scheme`.
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
    use billfold_core::secret::ExposeSecret;

    use super::*;
    use crate::wire::from_object;

    fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
        from_object(value).unwrap()
    }

    #[test]
    fn a_billing_request_is_over_when_it_says_so() {
        use ProviderSessionStatus as S;
        for (text, expected) in [
            (json!("pending"), S::Active),
            (json!("ready_to_fulfil"), S::Active),
            (json!("fulfilling"), S::Processing),
            (json!("fulfilled"), S::Completed),
            (json!("cancelled"), S::Canceled),
            (json!("new_word"), S::Unknown),
            (Value::Null, S::Unknown),
            (json!(7), S::Unknown),
        ] {
            let answer = json!({"id": "BRQ1", "status": text, "links": {"customer": "CU1"}});
            let session = session(&read(answer)).unwrap();
            assert_eq!(session.status, expected, "{text}");
            assert_eq!(session.echo.customer.is_some(), expected == S::Completed, "{text}");
        }
        assert!(session(&read(json!({"status": "pending"}))).is_none());
    }

    #[test]
    fn the_mandate_is_found_in_either_place() {
        for answer in [
            json!({"links": {"mandate_request_mandate": "MD1"}}),
            json!({"mandate_request": {"links": {"mandate": "MD1"}}}),
            json!({"links": {"mandate_request_mandate": "MD1"}, "mandate_request": {"links": {"mandate": "MD2"}}}),
        ] {
            assert_eq!(read::<BillingRequest>(answer).mandate(), Some("MD1"));
        }
        assert_eq!(read::<BillingRequest>(json!({"links": [], "mandate_request": null})).mandate(), None);
    }

    #[test]
    fn the_mandates_own_status_decides() {
        use ProviderMethodStatus as S;
        for (text, expected, over) in [
            ("pending_customer_approval", S::Pending, false),
            ("pending_submission", S::Pending, false),
            ("submitted", S::Pending, false),
            ("active", S::Active, false),
            ("failed", S::Failed, true),
            ("cancelled", S::Revoked, true),
            ("expired", S::Expired, true),
            ("consumed", S::Expired, true),
            ("blocked", S::Revoked, true),
            ("suspended_by_payer", S::Revoked, false),
            ("new_word", S::Unknown, false),
        ] {
            assert_eq!((status(Some(text)), is_over(Some(text))), (expected, over), "{text}");
        }
        assert_eq!((status(None), is_over(None)), (S::Unknown, false));
    }

    #[test]
    fn accounts_show_what_customers_know() {
        let mandate = json!({"id": "MD1", "status": "active", "scheme": "bacs", "metadata": {SESSION: "ses_1"},
            "links": {"customer": "CU1", "customer_bank_account": "BA1"}});
        let account = json!({"id": "BA1", "account_number_ending": "11", "bank_name": "BARCLAYS BANK PLC",
            "country_code": "GB", "account_type": null});
        let shown = |mandate: &Value, account: Value| method(&read(mandate.clone()), &read(account)).unwrap();
        let bacs = shown(&mandate, account.clone());
        let display = &bacs.display;
        assert_eq!(
            (display.brand.as_deref(), display.last4.as_deref()),
            (Some("BARCLAYS BANK PLC"), Some("11"))
        );
        assert_eq!((display.country.as_deref(), display.funding.as_deref()), (Some("GB"), None));
        assert_eq!((bacs.kind, bacs.channel.as_str()), (MethodKind::BankDebit, "bacs"));
        assert_eq!(bacs.echo.reference.as_deref(), Some("ses_1"));
        assert_eq!(bacs.token.customer.as_deref(), Some("CU1"));
        assert_eq!(bacs.fingerprint.unwrap().expose_secret(), "BA1");

        let mut dollars = account.clone();
        dollars["account_type"] = "savings".into();
        dollars["bank_account_token"] = "bat_1".into();
        let ach = shown(&mandate, dollars);
        assert_eq!(ach.display.funding.as_deref(), Some("savings"));
        assert_eq!(ach.fingerprint.unwrap().expose_secret(), "bat_1");

        let odd = shown(
            &json!({"id": "MD1", "scheme": "new_scheme\u{1b}"}),
            json!({"account_number_ending": "12345678", "country_code": "GBR"}),
        );
        assert_eq!((odd.display.brand.as_deref(), odd.display.last4), (Some("New Scheme"), None));
        assert_eq!((odd.status, odd.display.country), (ProviderMethodStatus::Unknown, None));
        assert!(odd.fingerprint.is_none());
        assert_eq!(ending("1234").as_deref(), Some("1234"));
        assert_eq!((ending("１２"), ending("1Y1")), (None, None));
    }
}
