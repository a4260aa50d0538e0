//! Form bodies with brackets, and the gateway's errors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::form_urlencoded::parse;

/// Status and body of an answer.
pub(super) type Answer = (u16, Value);

/// An error as the gateway words it.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let kind = if code == "idempotency_error" { code } else { "invalid_request_error" };
    (status, json!({"error": {"type": kind, "code": code, "message": message}}))
}

/// The fields of a body or query, by their whole names: `metadata[key]`.
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Refuses fields that are not among `known` (`name`, or `name[]` for everything below it), and doubled ones.
    pub(super) fn read(body: &[u8], known: &[&str]) -> Result<Self, Answer> {
        let mut fields = BTreeMap::new();
        for (name, value) in parse(body) {
            let is_known = |known: &&str| match known.strip_suffix("[]") {
                Some(above) => name.strip_prefix(above).is_some_and(|rest| rest.starts_with('[')),
                None => *known == name,
            };
            if !known.iter().any(is_known) {
                return Err(error(400, "parameter_unknown", &format!("Received unknown parameter: {name}")));
            }
            if fields.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(error(400, "parameter_invalid", "A parameter was given twice"));
            }
        }
        Ok(Self(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, Answer> {
        let missing = || error(400, "parameter_missing", &format!("Missing required param: {name}."));
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// The values of `name[0]`, `name[1]`, … in their order.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        (0..).map_while(|at: usize| self.get(&format!("{name}[{at}]")).map(str::to_owned)).collect()
    }

    /// The pairs below `name`, within the gateway's limits.
    pub(super) fn metadata(&self, name: &str) -> Result<Map<String, Value>, Answer> {
        let below = self.0.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            Some((key.to_owned(), value.clone()))
        });
        let pairs: Vec<(String, String)> = below.collect();
        let fits =
            |(key, value): &(String, String)| key.chars().count() <= 40 && value.chars().count() <= 500;
        if pairs.len() > 50 || !pairs.iter().all(fits) {
            return Err(error(
                400,
                "parameter_invalid",
                "Metadata holds up to 50 keys of 40 with values of 500",
            ));
        }
        Ok(pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect())
    }
}
