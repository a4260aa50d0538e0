//! The schema of `POST /sessions`: which fields there are, of what type and length.

use serde_json::{Map, Value};

use super::is_null;
use crate::xendit::error::ApiError;

const FIELDS: [&str; 22] = [
    "reference_id",
    "session_type",
    "mode",
    "amount",
    "currency",
    "country",
    "customer_id",
    "customer",
    "allow_save_payment_method",
    "capture_method",
    "channel_properties",
    "allowed_payment_channels",
    "expires_at",
    "locale",
    "metadata",
    "description",
    "items",
    "success_return_url",
    "cancel_return_url",
    "components_configuration",
    "notification_channels",
    "payment_link_configuration",
];
const CUSTOMER: [&str; 5] = ["type", "reference_id", "individual_detail", "email", "mobile_number"];
const CARDS: [&str; 4] = ["card_on_file_type", "recurring_configuration", "skip_three_ds", "mid_label"];

/// Everything that is wrong comes at once.
pub(super) fn check(body: &Map<String, Value>, strict_recurring: bool) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    for field in ["reference_id", "session_type", "mode", "amount", "currency", "country"] {
        if is_null(body.get(field)) {
            problems.missing("/body", field);
        }
    }
    problems.unknown("/body", body, &FIELDS);
    problems.text("/body", body, "reference_id", 1, 64);
    problems.text("/body", body, "description", 1, 1000);
    problems.text("/body", body, "locale", 2, 2);
    if body.get("amount").is_some_and(|amount| !amount.is_null() && !amount.is_number()) {
        problems.add("/body/amount", "must be number");
    }
    problems.texts(body, "allowed_payment_channels", |_| true);
    problems.texts(body, "notification_channels", |channel| channel == "EMAIL");
    if let Some(customer) = problems.object("/body", body, "customer") {
        problems.customer(customer);
    }
    let channels = problems.object("/body", body, "channel_properties");
    let path = "/body/channel_properties";
    if let Some(cards) = channels.and_then(|channels| problems.object(path, channels, "cards")) {
        problems.cards(cards, strict_recurring);
    }
    problems.end()
}

/// Where something is wrong, and what.
#[derive(Default)]
pub(super) struct Problems(Vec<(String, String)>);

impl Problems {
    /// The error that tells of all of them, if there are any.
    pub(super) fn end(&self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::schema(&self.0)) }
    }

    fn add(&mut self, path: &str, problem: &str) {
        self.0.push((path.to_owned(), problem.to_owned()));
    }

    pub(super) fn missing(&mut self, path: &str, field: &str) {
        self.add(&format!("{path}/{field}"), &format!("must have required property '{field}'"));
    }

    pub(super) fn unknown(&mut self, path: &str, object: &Map<String, Value>, known: &[&str]) {
        for field in object.keys().filter(|field| !known.contains(&field.as_str())) {
            self.add(&format!("{path}/{field}"), "must NOT have additional properties");
        }
    }

    /// A field that is a text, if it is there.
    pub(super) fn text(
        &mut self,
        path: &str,
        object: &Map<String, Value>,
        field: &str,
        min: usize,
        max: usize,
    ) {
        let problem = format!("must be a string of {min} to {max} characters");
        self.form(path, object, field, &problem, |text| (min..=max).contains(&text.chars().count()));
    }

    pub(super) fn one_of(&mut self, path: &str, object: &Map<String, Value>, field: &str, allowed: &[&str]) {
        let problem = "must be equal to one of the allowed values";
        self.form(path, object, field, problem, |text| allowed.contains(&text));
    }

    /// A field that is a text of some form, if it is there.
    pub(super) fn form(
        &mut self,
        path: &str,
        object: &Map<String, Value>,
        field: &str,
        problem: &str,
        fits: impl Fn(&str) -> bool,
    ) {
        let value = object.get(field).filter(|value| !value.is_null());
        if value.is_some_and(|value| !value.as_str().is_some_and(fits)) {
            self.add(&format!("{path}/{field}"), problem);
        }
    }

    pub(super) fn object<'a>(
        &mut self,
        path: &str,
        object: &'a Map<String, Value>,
        field: &str,
    ) -> Option<&'a Map<String, Value>> {
        let value = object.get(field).filter(|value| !value.is_null())?;
        if !value.is_object() {
            self.add(&format!("{path}/{field}"), "must be object");
        }
        value.as_object()
    }

    fn texts(&mut self, body: &Map<String, Value>, field: &str, fits: impl Fn(&str) -> bool) {
        let Some(value) = body.get(field).filter(|value| !value.is_null()) else { return };
        let Some(items) = value.as_array() else {
            return self.add(&format!("/body/{field}"), "must be array");
        };
        for (index, item) in items.iter().enumerate() {
            if !item.as_str().is_some_and(&fits) {
                let path = format!("/body/{field}/{index}");
                self.add(&path, "must be equal to one of the allowed values");
            }
        }
    }

    fn customer(&mut self, customer: &Map<String, Value>) {
        let path = "/body/customer";
        for field in ["type", "reference_id"] {
            if is_null(customer.get(field)) {
                self.missing(path, field);
            }
        }
        self.unknown(path, customer, &CUSTOMER);
        self.one_of(path, customer, "type", &["INDIVIDUAL"]);
        self.text(path, customer, "reference_id", 1, 255);
        let email = |text: &str| text.chars().count() <= 50 && text.contains('@');
        self.form(path, customer, "email", "must match format \"email\"", email);
        self.form(path, customer, "mobile_number", "must match the E.164 format", is_e164);
        let person =
            customer.get("individual_detail").and_then(Value::as_object).cloned().unwrap_or_default();
        let path = "/body/customer/individual_detail";
        if is_null(person.get("given_names")) {
            self.missing(path, "given_names");
        }
        self.text(path, &person, "given_names", 1, 50);
        self.text(path, &person, "nationality", 2, 2);
        self.text(path, &person, "place_of_birth", 1, 60);
        self.form(path, &person, "date_of_birth", "must match format \"date\"", is_date);
        self.one_of(path, &person, "gender", &["MALE", "FEMALE", "OTHER"]);
    }

    fn cards(&mut self, cards: &Map<String, Value>, strict_recurring: bool) {
        let path = "/body/channel_properties/cards";
        self.unknown(path, cards, &CARDS);
        self.usage(path, cards, strict_recurring);
    }

    /// What a card is used for, and the terms of that.
    pub(super) fn usage(&mut self, path: &str, cards: &Map<String, Value>, strict_recurring: bool) {
        let merchants = ["RECURRING", "MERCHANT_UNSCHEDULED"];
        let all = [merchants[0], merchants[1], "CUSTOMER_UNSCHEDULED"];
        self.one_of(path, cards, "card_on_file_type", &all);
        let usage = cards.get("card_on_file_type").and_then(Value::as_str);
        let terms = self.object(path, cards, "recurring_configuration");
        if is_null(cards.get("recurring_configuration"))
            && usage.is_some_and(|usage| merchants.contains(&usage))
            && strict_recurring
        {
            self.missing(path, "recurring_configuration");
        }
        let Some(terms) = terms else { return };
        let path = &format!("{path}/recurring_configuration");
        if terms.get("recurring_frequency").and_then(Value::as_u64).is_none_or(|days| days == 0) {
            self.add(&format!("{path}/recurring_frequency"), "must be integer");
        }
        if !terms.get("recurring_expiry").and_then(Value::as_str).is_some_and(is_date) {
            self.add(&format!("{path}/recurring_expiry"), "must match format \"date\"");
        }
    }
}

/// HTTPS, or plain HTTP to this machine, of the length that the gateway takes.
pub(super) fn is_return_url(text: &str) -> bool {
    (11..=255).contains(&text.len()) && super::is_https_or_local(text)
}

fn is_e164(number: &str) -> bool {
    number
        .strip_prefix('+')
        .is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}
