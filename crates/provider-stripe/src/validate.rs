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
