//! Acme Pay's objects as Billfold's. Pure.

use billfold_core::capability::MethodKind;
use billfold_core::payment_method::{Display, last_four};
use billfold_core::provider::{
    Echo, NextAction, ProviderMethod, ProviderMethodStatus, ProviderSession, ProviderSessionStatus, TokenRef,
};
use billfold_core::secret::SecretString;
use billfold_core::{Error, ErrorKind, Result};

use crate::wire::{Session, Token};

/// A session. One without an id cannot be found again.
pub(crate) fn session(from: Session) -> Result<ProviderSession> {
    let id = from.id.ok_or_else(|| nameless("session"))?;
    let mut session = ProviderSession::new(id, session_status(from.status.as_deref()));
    session.next = from.url.map(SecretString::from).map(NextAction::Redirect);
    session.expires_at = from.expires_at.and_then(|at| at.parse().ok());
    session.echo = Echo {
        reference: from.reference,
        customer: from.customer,
        currency: from.currency,
        country: from.country,
    };
    session.methods = from.token.map(method).transpose()?.into_iter().collect();
    Ok(session)
}

/// A saved card.
pub(crate) fn method(from: Token) -> Result<ProviderMethod> {
    let mut token = TokenRef::new(from.id.ok_or_else(|| nameless("token"))?);
    token.customer.clone_from(&from.customer);
    let status = method_status(from.status.as_deref());
    let mut method = ProviderMethod::new(token, MethodKind::Card, "CARD", status);
    let number = from.number.unwrap_or_default();
    let brand = brand(&number).to_owned();
    method.display = Display { brand: Some(brand), last4: last_four(&number), ..Display::default() };
    method.fingerprint = from.fingerprint.map(SecretString::from);
    method.echo = Echo { reference: from.reference, customer: from.customer, ..Echo::default() };
    Ok(method)
}

/// What we do not know is not an end.
fn session_status(status: Option<&str>) -> ProviderSessionStatus {
    match status {
        Some("open") => ProviderSessionStatus::Active,
        Some("completed") => ProviderSessionStatus::Completed,
        Some("expired") => ProviderSessionStatus::Expired,
        Some("canceled") => ProviderSessionStatus::Canceled,
        _ => ProviderSessionStatus::Unknown,
    }
}

fn method_status(status: Option<&str>) -> ProviderMethodStatus {
    match status {
        Some("pending") => ProviderMethodStatus::Pending,
        Some("active") => ProviderMethodStatus::Active,
        Some("revoked") => ProviderMethodStatus::Revoked,
        _ => ProviderMethodStatus::Unknown,
    }
}

/// Acme Pay does not say it, but numbers begin with it.
fn brand(number: &str) -> &'static str {
    match number.as_bytes() {
        [b'4', ..] => "Visa",
        [b'5', b'1'..=b'5', ..] => "Mastercard",
        _ => "Card",
    }
}

fn nameless(what: &str) -> Error {
    Error::new(ErrorKind::GatewayProtocol, format!("the gateway's {what} has no id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_nobody_has_heard_of_are_not_an_end() {
        for (status, expected) in [
            (r#""open""#, ProviderSessionStatus::Active),
            (r#""completed""#, ProviderSessionStatus::Completed),
            (r#""canceled""#, ProviderSessionStatus::Canceled),
            (r#""OPEN""#, ProviderSessionStatus::Unknown),
            (r#""""#, ProviderSessionStatus::Unknown),
            ("null", ProviderSessionStatus::Unknown),
        ] {
            let body = format!(r#"{{"id": "ses-1", "status": {status}, "url": null, "new": 1}}"#);
            assert_eq!(session(serde_json::from_str(&body).unwrap()).unwrap().status, expected, "{status}");
        }
    }

    #[test]
    fn a_card_is_recognised() {
        let token = |number: Option<&str>| Token {
            id: Some("tok-1".to_owned()),
            number: number.map(str::to_owned),
            ..Token::default()
        };
        let display = method(token(Some("5200000000001096"))).unwrap().display;
        assert_eq!((display.brand.as_deref(), display.last4.as_deref()), (Some("Mastercard"), Some("1096")));
        let display = method(token(None)).unwrap().display;
        assert_eq!((display.brand.as_deref(), display.last4), (Some("Card"), None));
    }

    #[test]
    fn a_session_without_its_id_is_none() {
        assert_eq!(session(Session::default()).unwrap_err().kind(), ErrorKind::GatewayProtocol);
    }
}
