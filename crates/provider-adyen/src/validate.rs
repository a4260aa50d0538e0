//! What the gateway would refuse, or would not do, said before anything is stored, all at once.

use billfold_core::error::FieldError;
use billfold_core::provider::CreateSession;
use billfold_core::{Error, Result};

use crate::options::Options;

pub(crate) fn request(request: &CreateSession) -> Result<()> {
    let mut problems = Vec::new();
    let mut add = |pointer: &str, message: &str| {
        problems.push(FieldError { pointer: pointer.to_owned(), message: message.to_owned() });
    };
    let email = request.customer.email.as_deref();
    if email.is_some_and(|email| !email.contains('@') || email.contains(char::is_whitespace)) {
        add("/customer/email", "expected an e-mail address");
    }
    let plain = |locale: &str| locale.len() == 2 && locale.bytes().all(|byte| byte.is_ascii_lowercase());
    if request.locale.as_deref().is_some_and(|locale| !plain(locale)) {
        add("/locale", "expected an ISO 639-1 code, such as en");
    }
    if request.description.is_some() {
        add("/description", "this gateway shows none on its page; leave it out");
    }
    if let Err(problem) = Options::read(request.provider_options.as_ref()) {
        add(&problem.pointer, &problem.message);
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::invalid_fields(problems)) }
}

#[cfg(test)]
mod tests {
    use billfold_core::capability::Usage;
    use billfold_core::clock::Timestamp;
    use serde_json::json;

    use super::*;

    fn pointers(change: impl FnOnce(&mut CreateSession)) -> Vec<String> {
        let back: url::Url = "https://pay.shop.example/return/1".parse().unwrap();
        let (currency, country) = ("EUR".parse().unwrap(), "DE".parse().unwrap());
        let at = Timestamp::from_millis(0);
        let mut create =
            CreateSession::new("s", "c", Usage::Recurring, currency, country, back.clone(), back, at);
        change(&mut create);
        let error = request(&create).err();
        error.iter().flat_map(|error| error.fields().iter().map(|field| field.pointer.clone())).collect()
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        assert!(pointers(|create| create.locale = Some("de".to_owned())).is_empty());
        let wrong = pointers(|create| {
            create.customer.email = Some("nobody".to_owned());
            create.locale = Some("de-DE".to_owned());
            create.description = Some("for you".to_owned());
            create.provider_options = Some(json!({"flow": "CANARY"}));
        });
        assert_eq!(wrong, ["/customer/email", "/locale", "/description", "/provider_options"]);
        for (options, pointer) in [
            (json!({"colour": 1}), "/provider_options/colour"),
            (json!([]), "/provider_options"),
            (json!({"a/b": 1}), "/provider_options/a~1b"),
        ] {
            assert_eq!(pointers(|create| create.provider_options = Some(options)), [pointer]);
        }
        for flow in ["hosted", "embedded"] {
            assert!(pointers(|create| create.provider_options = Some(json!({"flow": flow}))).is_empty());
        }
    }
}
