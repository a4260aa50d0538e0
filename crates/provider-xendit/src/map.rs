//! Between core's types and the gateway's. Pure.

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::error::FieldError;
use billfold_core::payment_method::{Display, last_four};
use billfold_core::provider::{
    CreateSession, CustomerProfile, Echo, NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession,
    ProviderSessionStatus, TokenRef,
};
use billfold_core::secret::SecretString;

use crate::capabilities::describe;
use crate::config::Customers;
use crate::options::Options;
use crate::wire;

/// How long a text from the gateway may be before it is cut.
const MAX_TEXT: usize = 100;
/// The gateway appends `_` and ten characters to the reference of what a session made.
const SUFFIX: usize = 11;

/// The request of `POST /sessions`.
pub(crate) fn create_session(
    request: &CreateSession,
    customers: Customers,
) -> Result<wire::CreateSession, FieldError> {
    let options = Options::read(request.provider_options.as_ref())?;
    let inline = customers == Customers::Inline || request.gateway_customer.is_none();
    Ok(wire::CreateSession {
        reference_id: request.reference.clone(),
        session_type: "SAVE",
        mode: "PAYMENT_LINK",
        amount: 0,
        currency: request.currency.to_string(),
        country: request.country.to_string(),
        customer_id: request.gateway_customer.clone().filter(|_| !inline),
        // A reference of its own in each attempt: the gateway refuses one that it has seen.
        customer: inline.then(|| customer(&request.reference, &request.customer)),
        channel_properties: wire::ChannelProperties {
            cards: wire::CardProperties {
                card_on_file_type: card_on_file_type(request.usage),
                recurring_configuration: request.recurring.as_ref().map(|terms| {
                    wire::RecurringConfiguration {
                        recurring_frequency: terms.frequency_days,
                        recurring_expiry: terms.ends_on.clone(),
                    }
                }),
                skip_three_ds: options.skip_three_ds,
                mid_label: options.mid_label,
            },
        },
        allowed_payment_channels: request.channels.clone(),
        payment_link_configuration: (!options.primary_payment_channels.is_empty()).then_some(
            wire::PaymentLinkConfiguration { primary_payment_channels: options.primary_payment_channels },
        ),
        expires_at: request.expires_at.to_string(),
        locale: request.locale.clone(),
        description: request.description.clone(),
        metadata: request.metadata.clone(),
        notification_channels: options.notification_channels,
        success_return_url: request.success_url.to_string(),
        cancel_return_url: request.cancel_url.to_string(),
    })
}

/// A customer as the gateway takes it, inline or for its directory.
pub(crate) fn customer(reference: &str, profile: &CustomerProfile) -> wire::CreateCustomer {
    wire::CreateCustomer {
        reference_id: reference.to_owned(),
        kind: "INDIVIDUAL",
        email: profile.email.clone(),
        mobile_number: profile.mobile_number.clone(),
        individual_detail: wire::IndividualDetail {
            given_names: profile.given_names.as_deref().unwrap_or_default().trim().to_owned(),
            // The gateway refuses a name that is empty.
            surname: profile
                .surname
                .as_deref()
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
        },
    }
}

fn card_on_file_type(usage: Usage) -> &'static str {
    match usage {
        Usage::Recurring => "RECURRING",
        Usage::UnscheduledMerchant => "MERCHANT_UNSCHEDULED",
        Usage::OnSession | Usage::UnscheduledCustomer => "CUSTOMER_UNSCHEDULED",
    }
}

/// A session as core sees it; `None` when the answer names no session.
pub(crate) fn session(session: &wire::Session) -> Option<ProviderSession> {
    let reference = session.payment_session_id.clone().or_else(|| session.id.clone())?;
    let mut mapped = ProviderSession::new(reference, session_status(session.status.as_deref()));
    mapped.next = session.payment_link_url.clone().map(|url| NextAction::Redirect(SecretString::from(url)));
    mapped.expires_at = session.expires_at.as_deref().and_then(|at| at.parse().ok());
    mapped.echo = Echo {
        reference: session.reference_id.clone(),
        customer: session.customer_id.clone(),
        currency: session.currency.clone(),
        country: session.country.clone(),
    };
    Some(mapped)
}

fn session_status(status: Option<&str>) -> ProviderSessionStatus {
    match status {
        Some("ACTIVE") => ProviderSessionStatus::Active,
        Some("PENDING") => ProviderSessionStatus::Processing,
        Some("COMPLETED") => ProviderSessionStatus::Completed,
        Some("EXPIRED") => ProviderSessionStatus::Expired,
        Some("CANCELED" | "CANCELLED") => ProviderSessionStatus::Canceled,
        _ => ProviderSessionStatus::Unknown,
    }
}

/// A token as core sees it; `None` when the answer names no token.
pub(crate) fn method(token: &wire::Token) -> Option<ProviderMethod> {
    let id = token.payment_token_id.clone().or_else(|| token.id.clone())?;
    let mut reference = TokenRef::new(id);
    reference.customer.clone_from(&token.customer_id);
    let channel = token.channel_code.as_deref().and_then(clean).unwrap_or_else(|| "UNKNOWN".to_owned());
    let (kind, name) = describe(&channel);
    let mut mapped = ProviderMethod::new(reference, kind, channel, token_status(token.status.as_deref()));
    let card = &token.channel_properties.card_details;
    mapped.display = match kind {
        MethodKind::Card => card_display(card),
        MethodKind::Wallet | MethodKind::BankDebit => Display {
            brand: Some(name.map_or_else(|| title(&mapped.channel), str::to_owned)),
            last4: token.token_details.account_number.as_deref().and_then(last_four),
            ..Display::default()
        },
    };
    mapped.fingerprint =
        card.fingerprint.clone().filter(|_| kind == MethodKind::Card).map(SecretString::from);
    mapped.echo = Echo {
        reference: token.reference_id.as_deref().map(without_suffix),
        customer: token.customer_id.clone(),
        currency: token.currency.clone(),
        country: token.country.clone(),
    };
    Some(mapped)
}

fn token_status(status: Option<&str>) -> ProviderMethodStatus {
    match status {
        Some("ACTIVE") => ProviderMethodStatus::Active,
        Some("PENDING" | "REQUIRES_ACTION") => ProviderMethodStatus::Pending,
        Some("FAILED") => ProviderMethodStatus::Failed,
        Some("EXPIRED") => ProviderMethodStatus::Expired,
        Some("CANCELED" | "CANCELLED" | "INACTIVE") => ProviderMethodStatus::Revoked,
        _ => ProviderMethodStatus::Unknown,
    }
}

fn card_display(card: &wire::CardDetails) -> Display {
    Display {
        brand: card.network.as_deref().and_then(clean).map(|network| brand(&network)),
        last4: card.masked_card_number.as_deref().and_then(last_four),
        expiry_month: card
            .expiry_month
            .as_deref()
            .and_then(|month| month.parse().ok())
            .filter(|month| (1..=12).contains(month)),
        expiry_year: card.expiry_year.as_deref().and_then(year),
        funding: card.funding.as_deref().and_then(clean).map(|funding| funding.to_lowercase()),
        issuer: card.issuer.as_deref().and_then(clean),
        country: card.country.as_deref().and_then(clean).filter(|country| country.len() == 2),
    }
}

/// Four digits, or two that mean this century.
fn year(text: &str) -> Option<u16> {
    let number: u16 = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())??;
    match (text.len(), number) {
        (2, _) => Some(2000 + number),
        (4, 2000..) => Some(number),
        _ => None,
    }
}

fn brand(network: &str) -> String {
    match network.to_uppercase().as_str() {
        "VISA" => "Visa".to_owned(),
        "MASTERCARD" => "Mastercard".to_owned(),
        "AMEX" | "AMERICAN EXPRESS" => "American Express".to_owned(),
        "JCB" => "JCB".to_owned(),
        "BCA" => "BCA".to_owned(),
        _ => title(network),
    }
}

/// `NEW_WALLET` as `New Wallet`.
fn title(code: &str) -> String {
    let words = code.split(['_', ' ']).filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        first + &letters.as_str().to_lowercase()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A text from the gateway without control characters, cut to a length that a list can show.
fn clean(text: &str) -> Option<String> {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    let clean = clean.trim().to_owned();
    (!clean.is_empty()).then_some(clean)
}

/// The reference that we gave, without the underscore and ten characters that the gateway appended
/// (they may themselves contain `_` and `-`).
pub(crate) fn without_suffix(reference: &str) -> String {
    let cut = reference.len().checked_sub(SUFFIX).filter(|cut| *cut > 0 && reference.is_ascii());
    match cut.map(|cut| reference.split_at(cut)) {
        Some((ours, suffix)) if suffix.starts_with('_') => ours.to_owned(),
        _ => reference.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_is_cut_whatever_it_contains() {
        let ours = "ses_018f0000000070008000000000000001";
        for suffix in ["_GiWjPj9h9K", "_uYdW_2A7-t", "_b8d18f2f-3", "___________"] {
            assert_eq!(without_suffix(&format!("{ours}{suffix}")), ours);
        }
        assert_eq!(without_suffix(ours), ours);
        assert_eq!(without_suffix(""), "");
        assert_eq!(without_suffix("_1234567890"), "_1234567890");
    }

    #[test]
    fn statuses_that_are_not_known_are_unknown() {
        assert_eq!(session_status(Some("HALF_DONE")), ProviderSessionStatus::Unknown);
        assert_eq!(session_status(None), ProviderSessionStatus::Unknown);
        assert_eq!(token_status(Some("")), ProviderMethodStatus::Unknown);
        assert_eq!(token_status(Some("REQUIRES_ACTION")), ProviderMethodStatus::Pending);
        assert_eq!(token_status(Some("INACTIVE")), ProviderMethodStatus::Revoked);
    }

    fn card(json: serde_json::Value) -> Display {
        let token = serde_json::json!({"payment_token_id": "pt-1", "channel_code": "CARDS", "status": "ACTIVE",
            "channel_properties": {"card_details": json}});
        method(&wire::from_object(token).unwrap()).unwrap().display
    }

    #[test]
    fn cards_show_what_customers_know() {
        let display = card(
            serde_json::json!({"network": "VISA", "masked_card_number": "400000XXXXXX1091", "type": "CREDIT",
            "expiry_month": "09", "expiry_year": "2029", "issuer": "PT BANK EXAMPLE", "country": "ID"}),
        );
        assert_eq!(display.brand.as_deref(), Some("Visa"));
        assert_eq!(display.last4.as_deref(), Some("1091"));
        assert_eq!((display.expiry_month, display.expiry_year), (Some(9), Some(2029)));
        assert_eq!(display.funding.as_deref(), Some("credit"));
        let odd = card(
            serde_json::json!({"network": "evil\u{1b}[31m", "masked_card_number": null, "expiry_month": "13", "expiry_year": "29"}),
        );
        assert_eq!(odd.brand.as_deref(), Some("Evil[31m"));
        assert_eq!((odd.last4, odd.expiry_month, odd.expiry_year), (None, None, Some(2029)));
    }

    #[test]
    fn a_year_is_one_of_this_era_or_none() {
        for (text, expected) in [
            ("2029", Some(2029)),
            ("29", Some(2029)),
            ("9999", Some(9999)),
            ("0030", None),
            ("1999", None),
            ("+9", None),
            ("+203", None),
            ("203", None),
            ("", None),
        ] {
            assert_eq!(year(text), expected, "{text:?}");
        }
    }

    #[test]
    fn wallets_and_debits_show_their_name_and_no_balance() {
        let token = serde_json::json!({"payment_token_id": "pt-1", "channel_code": "BRI_DIRECT_DEBIT", "status": "ACTIVE",
            "token_details": {"account_name": "Lorem", "account_number": "1234567890", "account_balance": "1000001"}});
        let mapped = method(&wire::from_object(token).unwrap()).unwrap();
        assert_eq!(mapped.kind, MethodKind::BankDebit);
        assert_eq!(mapped.display.brand.as_deref(), Some("BRI"));
        assert_eq!(mapped.display.last4.as_deref(), Some("7890"));
        assert!(!format!("{:?}", mapped.display).contains("1000001"));
    }
}
