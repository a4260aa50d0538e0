//! Between core's types and the gateway's. Pure.

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::clock::Timestamp;
use billfold_core::payment_method::{Display, last_four};
use billfold_core::provider::{
    CreateSession, CustomerProfile, Echo, NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession,
    ProviderSessionStatus, TokenRef,
};
use billfold_core::secret::SecretString;

use crate::capabilities::describe;
use crate::client::Form;
use crate::wire::{PaymentMethod, Session, SetupIntent};

/// The metadata key under which a SetupIntent carries our session id.
pub(crate) const SESSION: &str = "billfold_session";
/// The metadata key that tells a SetupIntent of a Checkout Session from one of its own.
pub(crate) const FLOW: &str = "billfold_flow";
/// The metadata key under which a customer carries our id.
const CUSTOMER: &str = "billfold_customer";
/// The metadata key under which a PaymentIntent carries our charge id.
pub(crate) const CHARGE: &str = "billfold_charge";
/// The metadata key under which a refund carries our id.
pub(crate) const REFUND: &str = "billfold_refund";
/// What merchants cannot use.
pub(crate) const OUR_METADATA: [&str; 4] = [SESSION, FLOW, CHARGE, REFUND];
/// How long a text from the gateway may be before it is cut.
const MAX_TEXT: usize = 100;

/// The body of `POST /v1/checkout/sessions`.
pub(crate) fn checkout_session(request: &CreateSession) -> Form {
    let mut form = Form::default();
    form.add("mode", "setup");
    form.add("currency", request.currency.code().to_lowercase());
    form.maybe("customer", request.gateway_customer.as_deref());
    form.add("client_reference_id", &request.reference);
    form.add("success_url", request.success_url.as_str());
    form.add("cancel_url", request.cancel_url.as_str());
    form.add("expires_at", (request.expires_at.as_millis() / 1000).to_string());
    for (at, channel) in request.channels.iter().enumerate() {
        form.add(format!("allowed_payment_method_types[{at}]"), channel);
    }
    metadata(&mut form, "setup_intent_data[metadata]", request, "checkout");
    form
}

/// The body of `POST /v1/setup_intents`.
pub(crate) fn setup_intent(request: &CreateSession) -> Form {
    let mut form = Form::default();
    form.maybe("customer", request.gateway_customer.as_deref());
    form.add("usage", if request.usage == Usage::OnSession { "on_session" } else { "off_session" });
    if request.channels.is_empty() {
        form.add("automatic_payment_methods[enabled]", "true");
    }
    for (at, channel) in request.channels.iter().enumerate() {
        form.add(format!("allowed_payment_method_types[{at}]"), channel);
    }
    metadata(&mut form, "metadata", request, "setup_intent");
    form
}

fn metadata(form: &mut Form, field: &str, request: &CreateSession, flow: &str) {
    for (key, value) in &request.metadata {
        form.add(format!("{field}[{key}]"), value);
    }
    form.add(format!("{field}[{SESSION}]"), &request.reference);
    form.add(format!("{field}[{FLOW}]"), flow);
}

/// The body of `POST /v1/customers`.
pub(crate) fn customer(reference: &str, profile: &CustomerProfile) -> Form {
    let mut form = Form::default();
    let names = [profile.given_names.as_deref(), profile.surname.as_deref()];
    let name = names.into_iter().flatten().map(str::trim).filter(|name| !name.is_empty());
    let name = name.collect::<Vec<_>>().join(" ");
    form.maybe("name", Some(name.as_str()).filter(|name| !name.is_empty()));
    form.maybe("email", profile.email.as_deref());
    form.maybe("phone", profile.mobile_number.as_deref());
    form.add(format!("metadata[{CUSTOMER}]"), reference);
    form
}

/// A Checkout Session as core sees it, with the method of its SetupIntent; `None` when it has no id.
pub(crate) fn session(session: &Session) -> Option<ProviderSession> {
    let status = match session.status.as_deref() {
        Some("open") => ProviderSessionStatus::Active,
        Some("expired") => ProviderSessionStatus::Expired,
        // The customer is done; whether the method is saved, its SetupIntent knows.
        Some("complete") => match intent_status(session.setup_intent.status.as_deref()) {
            ProviderSessionStatus::Active => ProviderSessionStatus::Processing,
            other => other,
        },
        _ => ProviderSessionStatus::Unknown,
    };
    let mut mapped = ProviderSession::new(session.id.clone()?, status);
    mapped.next = session.url.clone().map(|url| NextAction::Redirect(SecretString::from(url)));
    mapped.expires_at = session.expires_at.map(|at| Timestamp::from_millis(at.saturating_mul(1000)));
    mapped.echo = Echo {
        reference: session.client_reference_id.clone(),
        customer: session.customer.clone(),
        currency: session.currency.as_deref().map(str::to_uppercase),
        country: None,
    };
    mapped.methods = saved(&mapped, &session.setup_intent);
    Some(mapped)
}

/// A SetupIntent of its own as core sees it; `None` when it has no id.
pub(crate) fn intent(intent: &SetupIntent) -> Option<ProviderSession> {
    let mut mapped = ProviderSession::new(intent.id.clone()?, intent_status(intent.status.as_deref()));
    mapped.next =
        intent.client_secret.clone().map(|secret| NextAction::ClientSecret(SecretString::from(secret)));
    mapped.echo = Echo {
        reference: intent.metadata.get(SESSION).cloned(),
        customer: intent.customer.clone(),
        ..Echo::default()
    };
    mapped.methods = saved(&mapped, intent);
    Some(mapped)
}

/// A method counts once its SetupIntent succeeded; before, the customer may still choose another.
fn saved(session: &ProviderSession, intent: &SetupIntent) -> Vec<ProviderMethod> {
    let done = session.status == ProviderSessionStatus::Completed;
    done.then(|| method(&intent.payment_method)).flatten().into_iter().collect()
}

fn intent_status(status: Option<&str>) -> ProviderSessionStatus {
    match status {
        Some("requires_payment_method" | "requires_confirmation" | "requires_action") => {
            ProviderSessionStatus::Active
        }
        Some("processing") => ProviderSessionStatus::Processing,
        Some("succeeded") => ProviderSessionStatus::Completed,
        Some("canceled") => ProviderSessionStatus::Canceled,
        _ => ProviderSessionStatus::Unknown,
    }
}

/// A payment method as core sees it; `None` when it has no id. One that is attached to nobody can never be used
/// again.
pub(crate) fn method(method: &PaymentMethod) -> Option<ProviderMethod> {
    let mut token = TokenRef::new(method.id.clone()?);
    token.customer.clone_from(&method.customer);
    let channel = method.kind.as_deref().and_then(clean).unwrap_or_else(|| "unknown".to_owned());
    let (kind, name) = describe(&channel);
    let status = match method.customer {
        Some(_) => ProviderMethodStatus::Active,
        None => ProviderMethodStatus::Revoked,
    };
    let details = method.details();
    let mut mapped = ProviderMethod::new(token, kind, channel, status);
    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<u16>().ok());
    let brand = match kind {
        MethodKind::Card => details.brand.as_deref().and_then(clean).and_then(|brand| card_brand(&brand)),
        MethodKind::Wallet | MethodKind::BankDebit => {
            name.map(str::to_owned).or_else(|| title(&mapped.channel))
        }
    };
    mapped.display = Display {
        brand,
        last4: details.last4.as_deref().and_then(last_four),
        expiry_month: number(&details.exp_month)
            .and_then(|month| u8::try_from(month).ok())
            .filter(|month| (1..=12).contains(month)),
        expiry_year: number(&details.exp_year).filter(|year| (2000..=9999).contains(year)),
        funding: details.funding.as_deref().and_then(clean),
        issuer: None,
        country: details.country.as_deref().and_then(clean).filter(|country| country.len() == 2),
    };
    mapped.fingerprint = details.fingerprint.map(SecretString::from);
    mapped.echo = Echo { customer: method.customer.clone(), ..Echo::default() };
    Some(mapped)
}

fn card_brand(brand: &str) -> Option<String> {
    match brand {
        "amex" => Some("American Express".to_owned()),
        "jcb" => Some("JCB".to_owned()),
        _ => title(brand),
    }
}

/// `new_debit` as `New Debit`; `None` for a code without words.
fn title(code: &str) -> Option<String> {
    let words = code.split(['_', ' ']).filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        first + letters.as_str()
    });
    let title = words.collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then_some(title)
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
    use crate::wire::from_object;

    fn status(session_status: Value, intent_status: Value) -> ProviderSessionStatus {
        let answer =
            json!({"id": "cs_1", "status": session_status, "setup_intent": {"status": intent_status}});
        session(&from_object(answer).unwrap()).unwrap().status
    }

    #[test]
    fn a_checkout_session_is_as_far_as_its_setup_intent() {
        use ProviderSessionStatus as S;
        for (session, intent, expected) in [
            (json!("open"), json!("requires_action"), S::Active),
            (json!("open"), json!("succeeded"), S::Active),
            (json!("complete"), json!("processing"), S::Processing),
            (json!("complete"), json!("requires_payment_method"), S::Processing),
            (json!("complete"), json!("succeeded"), S::Completed),
            (json!("complete"), json!("canceled"), S::Canceled),
            (json!("complete"), json!("new_word"), S::Unknown),
            (json!("complete"), Value::Null, S::Unknown),
            (json!("expired"), json!("canceled"), S::Expired),
            (json!("new_word"), json!("succeeded"), S::Unknown),
            (Value::Null, json!("succeeded"), S::Unknown),
        ] {
            assert_eq!(status(session.clone(), intent.clone()), expected, "{session} {intent}");
        }
    }

    fn mapped(answer: Value) -> ProviderMethod {
        method(&from_object(answer).unwrap()).unwrap()
    }

    #[test]
    fn cards_and_debits_show_what_customers_know() {
        let card = mapped(
            json!({"id": "pm_1", "type": "card", "customer": "cus_1", "card": {"brand": "visa",
            "last4": "4242", "exp_month": 8, "exp_year": 2034, "funding": "credit", "country": "US", "fingerprint": "F"}}),
        );
        let display = card.display;
        assert_eq!((display.brand.as_deref(), display.last4.as_deref()), (Some("Visa"), Some("4242")));
        assert_eq!((display.expiry_month, display.expiry_year), (Some(8), Some(2034)));
        assert!(card.fingerprint.is_some() && card.status == ProviderMethodStatus::Active);
        let sepa = mapped(json!({"id": "pm_2", "type": "sepa_debit", "customer": {"id": "cus_1"},
            "sepa_debit": {"last4": "3000", "country": "DE", "fingerprint": "G"}}));
        assert_eq!(
            (sepa.kind, sepa.display.brand.as_deref()),
            (MethodKind::BankDebit, Some("SEPA Direct Debit"))
        );
        assert_eq!(sepa.token.customer.as_deref(), Some("cus_1"));
        let detached = mapped(json!({"id": "pm_3", "type": "card", "customer": null, "card": {}}));
        assert_eq!(detached.status, ProviderMethodStatus::Revoked);
        let odd = mapped(json!({"id": "pm_4", "type": "card", "customer": "cus_1",
            "card": {"brand": "e\u{1b}[31m", "last4": "42", "exp_month": 13, "exp_year": 99999}}));
        assert_eq!(odd.display.brand.as_deref(), Some("E[31m"));
        for nothing in [
            json!({"id": "pm_1", "type": "___"}),
            json!({"id": "pm_1", "type": "card", "card": {"brand": "_ _"}}),
        ] {
            assert_eq!(mapped(nothing).display.brand, None, "no words are no brand");
        }
        assert_eq!(
            (odd.display.last4, odd.display.expiry_month, odd.display.expiry_year),
            (None, None, None)
        );
    }
}
