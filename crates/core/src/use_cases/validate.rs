//! Everything that is wrong with a request, at once, before anything is stored.

use std::collections::BTreeMap;

use url::Url;

use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::error::{Error, FieldError, Result};
use crate::gateway::Gateway;
use crate::provider::CreateSession;
use crate::transport::is_loopback;
use crate::use_cases::StartSession;

/// The longest text that a customer's reference may be.
const MAX_REFERENCE: usize = 255;

pub(super) fn request(
    billfold: &Billfold,
    gateway: &Gateway,
    request: &StartSession,
    create: &CreateSession,
) -> Result<()> {
    let mut problems = Problems::default();
    served(&mut problems, gateway, request);
    terms(&mut problems, gateway, request);
    lifetime(&mut problems, billfold.now(), gateway, create);
    metadata(&mut problems, gateway, &request.metadata);
    return_url(&mut problems, billfold, &request.return_url);
    consent(&mut problems, billfold.now(), request);
    let checked = gateway.contain("validate", || gateway.provider.validate(create));
    if let Err(error) = checked.unwrap_or_else(|| Err(Error::internal("the provider panicked"))) {
        if error.fields().is_empty() {
            return Err(error);
        }
        for field in error.fields() {
            problems.add_once(field);
        }
    }
    problems.into_result()
}

#[derive(Default)]
pub(super) struct Problems(Vec<FieldError>);

impl Problems {
    pub(super) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { pointer: pointer.into(), message: message.into() });
    }

    fn add_once(&mut self, field: &FieldError) {
        if !self.0.iter().any(|known| known.pointer == field.pointer) {
            self.0.push(field.clone());
        }
    }

    pub(super) fn into_result(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid_fields(self.0)) }
    }
}

fn served(problems: &mut Problems, gateway: &Gateway, request: &StartSession) {
    let capabilities = gateway.capabilities();
    if request.mode.is_some_and(|mode| mode != gateway.mode) {
        let mode = gateway.mode.as_str();
        problems.add("/mode", format!("gateway `{}` is in {mode} mode", gateway.name));
    }
    let (country, currency, usage) = (request.country, request.currency, request.usage);
    let in_country: Vec<_> =
        capabilities.channels.iter().filter(|channel| channel.country == country).collect();
    if in_country.is_empty() {
        let mut served: Vec<&str> =
            capabilities.channels.iter().map(|channel| channel.country.code()).collect();
        served.sort_unstable();
        served.dedup();
        problems.add(
            "/country",
            format!("{} saves nothing in {country}; it serves {}", capabilities.name, served.join(", ")),
        );
        return;
    }
    if !in_country.iter().any(|channel| channel.currencies.contains(&currency)) {
        problems.add("/currency", format!("{currency} is not offered in {country}"));
        return;
    }
    let usable: Vec<&str> =
        capabilities.channels_for(country, currency, usage).map(|channel| channel.code.as_str()).collect();
    if usable.is_empty() {
        problems.add("/usage", format!("no channel in {country} allows {}", usage.as_str()));
    }
    kinds(problems, gateway, request);
    for (index, code) in request.channels.iter().enumerate() {
        if !usable.contains(&code.as_str()) {
            let message = format!(
                "not a channel for {country}, {currency} and {}; there are: {}",
                usage.as_str(),
                usable.join(", ")
            );
            problems.add(format!("/channels/{index}"), message);
        }
    }
}

/// Kinds are another way of saying which channels to offer.
fn kinds(problems: &mut Problems, gateway: &Gateway, request: &StartSession) {
    let (country, currency, usage) = (request.country, request.currency, request.usage);
    if !request.kinds.is_empty() && !request.channels.is_empty() {
        problems.add("/kinds", "leave out either `kinds` or `channels`");
        return;
    }
    let usable: Vec<_> = gateway.capabilities().channels_for(country, currency, usage).collect();
    for (index, kind) in request.kinds.iter().enumerate().filter(|_| !usable.is_empty()) {
        if !usable.iter().any(|channel| channel.kind == *kind) {
            let message =
                format!("there is no {} for {country}, {currency} and {}", kind.as_str(), usage.as_str());
            problems.add(format!("/kinds/{index}"), message);
        }
    }
}

fn terms(problems: &mut Problems, gateway: &Gateway, request: &StartSession) {
    let needed =
        request.usage.is_merchant_initiated() && gateway.capabilities().merchant_initiated_needs_terms;
    match &request.recurring {
        None if needed => problems.add(
            "/recurring",
            format!(
                "usage {} needs the terms that the customer agrees to: frequency_days and ends_on",
                request.usage.as_str()
            ),
        ),
        Some(_) if !request.usage.is_merchant_initiated() => {
            problems.add("/recurring", "only for usage recurring or unscheduled_merchant");
        }
        Some(terms) => {
            if terms.frequency_days == 0 {
                problems.add("/recurring/frequency_days", "at least 1 day");
            }
            if terms.ends_on.parse::<jiff::civil::Date>().is_err() || terms.ends_on.len() != 10 {
                problems.add("/recurring/ends_on", "expected a date such as 2030-12-31");
            }
        }
        None => {}
    }
}

fn lifetime(problems: &mut Problems, now: Timestamp, gateway: &Gateway, create: &CreateSession) {
    let lifetime = gateway.capabilities().session_lifetime;
    let (earliest, latest) = (now.plus(lifetime.min), now.plus(lifetime.max));
    if create.expires_at < earliest || create.expires_at > latest {
        problems.add("/expires_at", format!("expected a moment between {earliest} and {latest}"));
    }
}

pub(super) fn metadata(problems: &mut Problems, gateway: &Gateway, metadata: &BTreeMap<String, String>) {
    let limits = gateway.capabilities().metadata;
    if metadata.len() > limits.keys {
        problems.add("/metadata", format!("at most {} keys", limits.keys));
    }
    for (key, value) in metadata {
        let pointer = format!("/metadata/{}", key.replace('~', "~0").replace('/', "~1"));
        if key.is_empty() || key.chars().count() > limits.key_length {
            problems.add(pointer, format!("keys have 1 to {} characters", limits.key_length));
        } else if value.chars().count() > limits.value_length {
            problems.add(pointer, format!("values have at most {} characters", limits.value_length));
        }
    }
}

pub(super) fn return_url(problems: &mut Problems, billfold: &Billfold, url: &Url) {
    let loopback = billfold.is_development() && url.host_str().is_some_and(is_loopback);
    let scheme_ok = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if !scheme_ok || url.host_str().is_none() {
        problems.add("/return_url", "expected an https URL");
    } else if !url.username().is_empty() || url.password().is_some() {
        problems.add("/return_url", "must not contain a user name or password");
    } else if url.as_str().len() > 2048 {
        problems.add("/return_url", "at most 2048 characters");
    }
}

fn consent(problems: &mut Problems, now: Timestamp, request: &StartSession) {
    let Some(given) = &request.consent else { return };
    let length = given.text_version.chars().count();
    if length == 0 || length > MAX_REFERENCE || given.text_version.chars().any(char::is_control) {
        let message = format!("expected 1 to {MAX_REFERENCE} printable characters");
        problems.add("/consent/text_version", message);
    }
    // A minute for clocks that differ.
    if given.agreed_at.is_some_and(|at| at > now.plus(std::time::Duration::from_mins(1))) {
        problems.add("/consent/agreed_at", "expected a moment that has come");
    }
}

/// Checks a reference that a merchant chose for a customer.
pub(super) fn customer_reference(pointer: &str, reference: &str) -> Result<()> {
    let length = reference.chars().count();
    if length == 0
        || length > MAX_REFERENCE
        || reference.chars().any(char::is_control)
        || reference.trim() != reference
    {
        let message =
            format!("expected 1 to {MAX_REFERENCE} printable characters without blanks at the ends");
        return Err(Error::invalid(pointer, message));
    }
    Ok(())
}
