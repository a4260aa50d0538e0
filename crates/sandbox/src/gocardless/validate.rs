//! What the API takes: every field that it does not know is refused.

use serde_json::{Map, Value};
use url::Url;

use super::error::{Answer, field};

/// Schemes with their currencies.
pub(super) const SCHEMES: [(&str, &str); 8] = [
    ("ach", "USD"),
    ("autogiro", "SEK"),
    ("bacs", "GBP"),
    ("becs", "AUD"),
    ("becs_nz", "NZD"),
    ("betalingsservice", "DKK"),
    ("pad", "CAD"),
    ("sepa_core", "EUR"),
];
const LANGUAGES: [&str; 11] = ["da", "de", "en", "es", "fr", "it", "nb", "nl", "pt", "sl", "sv"];

/// The object at a key, with no fields but these; none when it is left out.
pub(super) fn object(parent: &Value, key: &str, known: &[&str]) -> Result<Map<String, Value>, Answer> {
    match parent.get(key) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(field(unknown, "is not a known field")),
            None => Ok(fields.clone()),
        },
        Some(_) => Err(field(key, "must be an object")),
    }
}

pub(super) fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Answer> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(field(key, "must be a string")),
    }
}

/// Up to three pairs.
pub(super) fn metadata(fields: &Map<String, Value>) -> Result<Value, Answer> {
    let pairs = match fields.get("metadata") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(pairs)) => pairs.clone(),
        Some(_) => return Err(field("metadata", "must be an object")),
    };
    let long = |(key, value): (&String, &Value)| {
        key.chars().count() > 50 || value.as_str().is_none_or(|value| value.chars().count() > 500)
    };
    if pairs.len() > 3 || pairs.iter().any(long) {
        return Err(field("metadata", "has up to 3 keys of up to 50 characters and values of up to 500"));
    }
    Ok(Value::Object(pairs))
}

/// Scheme and currency, of which one may be left out.
pub(super) fn scheme(
    scheme: Option<&str>,
    currency: Option<&str>,
) -> Result<(&'static str, &'static str), Answer> {
    let fits = |(known, of): &&(&str, &str)| {
        scheme.is_none_or(|scheme| scheme == *known) && currency.is_none_or(|currency| currency == *of)
    };
    match (scheme, currency, SCHEMES.iter().find(fits)) {
        (None, None, _) => Err(field("currency", "is required without a scheme")),
        (_, _, Some(found)) => Ok(*found),
        (Some(_), _, None) => Err(field("scheme", "is not one, or not of this currency")),
        (None, _, None) => Err(field("currency", "is not supported")),
    }
}

pub(super) fn url(fields: &Map<String, Value>, key: &str) -> Result<String, Answer> {
    let given = text(fields, key)?.unwrap_or_default();
    let good = Url::parse(given).is_ok_and(|url| {
        let local = ["127.0.0.1", "localhost", "[::1]"].contains(&url.host_str().unwrap_or_default());
        url.scheme() == "https" || (url.scheme() == "http" && local)
    });
    if good { Ok(given.to_owned()) } else { Err(field(key, "must be an https URL")) }
}

pub(super) fn one_of(fields: &Map<String, Value>, key: &str, known: &[&str]) -> Result<(), Answer> {
    match text(fields, key)? {
        Some(given) if !known.contains(&given) => Err(field(key, "is not one of the known values")),
        _ => Ok(()),
    }
}

pub(super) fn language(fields: &Map<String, Value>) -> Result<(), Answer> {
    one_of(fields, "language", &LANGUAGES)
}
