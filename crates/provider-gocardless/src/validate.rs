//! What the gateway would refuse, or would not do, said before anything is stored, all at once.

use billfold_core::error::FieldError;
use billfold_core::provider::CreateSession;
use billfold_core::{Error, Result};

use crate::map::SESSION;
use crate::options::Options;

/// The languages of the hosted pages.
pub(crate) const LANGUAGES: [&str; 11] = ["da", "de", "en", "es", "fr", "it", "nb", "nl", "pt", "sl", "sv"];

pub(crate) fn request(request: &CreateSession) -> Result<()> {
    let mut problems = Vec::new();
    let mut add = |pointer: &str, message: &str| {
        problems.push(FieldError { pointer: pointer.to_owned(), message: message.to_owned() });
    };
    let email = request.customer.email.as_deref();
    if email.is_some_and(|email| !email.contains('@') || email.contains(char::is_whitespace)) {
        add("/customer/email", "expected an e-mail address");
    }
    if request.locale.as_deref().is_some_and(|locale| !LANGUAGES.contains(&locale)) {
        add("/locale", &format!("this gateway's pages have {}", LANGUAGES.join(", ")));
    }
    if request.metadata.contains_key(SESSION) {
        add(&format!("/metadata/{SESSION}"), "this key is Billfold's own");
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
        let (currency, country) = ("GBP".parse().unwrap(), "GB".parse().unwrap());
        let at = Timestamp::from_millis(0);
        let mut create =
            CreateSession::new("s", "c", Usage::Recurring, currency, country, back.clone(), back, at);
        change(&mut create);
        let error = request(&create).err();
        error.iter().flat_map(|error| error.fields().iter().map(|field| field.pointer.clone())).collect()
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        assert!(pointers(|_| {}).is_empty());
        let wrong = pointers(|create| {
            create.customer.email = Some("nobody".to_owned());
            create.locale = Some("ja".to_owned());
            create.metadata.insert("billfold_session".to_owned(), String::new());
            create.provider_options = Some(json!({"verify": "CANARY"}));
        });
        let expected = ["/customer/email", "/locale", "/metadata/billfold_session", "/provider_options"];
        assert_eq!(wrong, expected);
        for (options, pointer) in [
            (json!({"colour": 1}), "/provider_options/colour"),
            (json!([]), "/provider_options"),
            (json!({"a/b": 1}), "/provider_options/a~1b"),
        ] {
            assert_eq!(pointers(|create| create.provider_options = Some(options)), [pointer]);
        }
        for verify in ["minimum", "recommended", "when_available", "always"] {
            assert!(pointers(|create| create.provider_options = Some(json!({"verify": verify}))).is_empty());
        }
        assert!(pointers(|create| create.locale = Some("de".to_owned())).is_empty());
    }
}
