//! What the gateway would refuse, said before anything is stored, all at once.

use billfold_core::error::FieldError;
use billfold_core::provider::CreateSession;
use billfold_core::{Error, Result};

use crate::options::Options;

const MAX_NAME: usize = 50;
const MAX_EMAIL: usize = 50;

pub(crate) fn request(request: &CreateSession) -> Result<()> {
    let mut problems = Vec::new();
    let mut add =
        |pointer: &str, message: String| problems.push(FieldError { pointer: pointer.to_owned(), message });
    let customer = &request.customer;
    match customer.given_names.as_deref().map(str::trim) {
        None | Some("") => {
            add("/customer/given_names", "this gateway needs the customer's given names".to_owned());
        }
        Some(names) if too_long(names, MAX_NAME) => {
            add("/customer/given_names", format!("at most {MAX_NAME} characters"));
        }
        Some(_) => {}
    }
    if customer.surname.as_deref().is_some_and(|name| too_long(name, MAX_NAME)) {
        add("/customer/surname", format!("at most {MAX_NAME} characters"));
    }
    if customer.email.as_deref().is_some_and(|email| too_long(email, MAX_EMAIL) || !looks_like_email(email)) {
        add("/customer/email", format!("expected an e-mail address of at most {MAX_EMAIL} characters"));
    }
    if customer.mobile_number.as_deref().is_some_and(|number| !is_e164(number)) {
        add("/customer/mobile_number", "expected E.164 form, such as +628123456789".to_owned());
    }
    if request.description.as_deref().is_some_and(|text| text.is_empty() || too_long(text, 1000)) {
        add("/description", "expected 1 to 1000 characters".to_owned());
    }
    if request
        .locale
        .as_deref()
        .is_some_and(|locale| locale.len() != 2 || !locale.bytes().all(|b| b.is_ascii_lowercase()))
    {
        add("/locale", "expected an ISO 639-1 code, such as en".to_owned());
    }
    match Options::read(request.provider_options.as_ref()) {
        Err(problem) => add(&problem.pointer, problem.message),
        Ok(options) => {
            let strange =
                options.primary_payment_channels.iter().any(|code| !request.channels.contains(code));
            if strange {
                add("/provider_options/primary_payment_channels", "must be a part of channels".to_owned());
            }
            if options.notification_channels.iter().any(|channel| channel != "EMAIL") {
                add("/provider_options/notification_channels", "only EMAIL is known".to_owned());
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::invalid_fields(problems)) }
}

fn too_long(text: &str, most: usize) -> bool {
    text.chars().count() > most
}

fn looks_like_email(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    plain
        && text
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
}

fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses() {
        for (number, good) in [
            ("+628123456789", true),
            ("+6212345678", true),
            ("0812", false),
            ("+0812345678", false),
            ("+12", false),
        ] {
            assert_eq!(is_e164(number), good, "{number}");
        }
        for (email, good) in
            [("a@b.co", true), ("a@b", false), ("@b.co", false), ("a b@c.co", false), ("a@b@c.co", false)]
        {
            assert_eq!(looks_like_email(email), good, "{email}");
        }
    }
}
