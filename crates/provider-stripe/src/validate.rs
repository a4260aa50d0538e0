//! What the gateway would refuse, or would not do, said before anything is stored, all at once.

use billfold_core::error::FieldError;
use billfold_core::provider::CreateSession;
use billfold_core::{Error, Result};

use crate::map::OUR_METADATA;
use crate::options::Options;

pub(crate) fn request(request: &CreateSession) -> Result<()> {
    let mut problems = Vec::new();
    let mut add = |pointer: &str, message: &str| {
        problems.push(FieldError { pointer: pointer.to_owned(), message: message.to_owned() });
    };
    let customer = &request.customer;
    let email = customer.email.as_deref();
    if email.is_some_and(|email| !email.contains('@') || email.contains(char::is_whitespace)) {
        add("/customer/email", "expected an e-mail address");
    }
    if request.locale.is_some() {
        add("/locale", "this gateway takes the language from the customer's browser; leave it out");
    }
    if request.description.is_some() {
        add("/description", "this gateway shows none on its page; leave it out");
    }
    if let Some(key) = request.metadata.keys().find(|key| OUR_METADATA.contains(&key.as_str())) {
        add(&format!("/metadata/{key}"), "this key is Billfold's own");
    }
    if let Some(key) = request.metadata.keys().find(|key| key.contains(['[', ']'])) {
        let pointer = key.replace('~', "~0").replace('/', "~1");
        add(&format!("/metadata/{pointer}"), "this gateway's keys hold no square brackets");
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
        assert!(pointers(|_| {}).is_empty());
        let wrong = pointers(|create| {
            create.customer.email = Some("nobody".to_owned());
            create.locale = Some("de".to_owned());
            create.description = Some("for you".to_owned());
            create.metadata.insert("a[b]".to_owned(), String::new());
            create.metadata.insert("billfold_flow".to_owned(), String::new());
            create.provider_options = Some(json!({"flow": "CANARY"}));
        });
        let expected =
            ["/customer/email", "/locale", "/description", "/metadata/billfold_flow", "/metadata/a[b]"];
        assert_eq!(wrong, [&expected[..], &["/provider_options"]].concat());
        for (options, pointer) in [
            (json!({"colour": 1}), "/provider_options/colour"),
            (json!([]), "/provider_options"),
            (json!({"a/b": 1}), "/provider_options/a~1b"),
        ] {
            assert_eq!(pointers(|create| create.provider_options = Some(options)), [pointer]);
        }
        for flow in ["checkout", "setup_intent"] {
            assert!(pointers(|create| create.provider_options = Some(json!({"flow": flow}))).is_empty());
        }
    }
}
