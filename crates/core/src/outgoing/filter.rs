//! Which events an endpoint wants.

use serde::{Deserialize, Serialize};

use crate::error::{Error, FieldError, Result};

/// Every type of event there is.
pub const EVENT_TYPES: [&str; 24] = [
    "charge.authorized",
    "charge.canceled",
    "charge.declined",
    "charge.needs_attention",
    "charge.processing",
    "charge.refund_failed",
    "charge.refund_succeeded",
    "charge.requires_action",
    "charge.succeeded",
    "charge.unknown",
    "customer.erased",
    "payment_method.default_changed",
    "payment_method.deleted",
    "payment_method.expired",
    "payment_method.expiring",
    "payment_method.needs_attention",
    "payment_method.revoked",
    "payment_method.saved",
    "payment_method.updated",
    "session.canceled",
    "session.completed",
    "session.expired",
    "session.failed",
    "webhook_endpoint.disabled",
];

const MAX_PATTERNS: usize = 32;

/// Patterns: a type as it is, the types of one kind of object as `payment_method.*`, or all as `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventFilter(Vec<String>);

impl EventFilter {
    /// Everything, types that will be added later included.
    pub fn all() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// Refuses a pattern that matches no event: it is misspelt, and nothing would ever be sent.
    ///
    /// Errors: [`crate::ErrorKind::InvalidRequest`] with pointers below `/events`.
    pub fn parse(patterns: Vec<String>) -> Result<Self> {
        if patterns.is_empty() || patterns.len() > MAX_PATTERNS {
            return Err(Error::invalid("/events", format!("expected 1 to {MAX_PATTERNS} types or patterns")));
        }
        let mut fields = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let pointer = format!("/events/{index}");
            if !EVENT_TYPES.iter().any(|name| matches(pattern, name)) {
                let message =
                    format!("expected *, a prefix such as session.*, or one of {}", EVENT_TYPES.join(", "));
                fields.push(FieldError { pointer, message });
            } else if patterns[..index].contains(pattern) {
                fields.push(FieldError { pointer, message: "given twice".to_owned() });
            }
        }
        if fields.is_empty() { Ok(Self(patterns)) } else { Err(Error::invalid_fields(fields)) }
    }

    /// Whether an event of this type is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, name))
    }
}

/// The star stands for whatever follows a dot, or for everything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.ends_with('.') && name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(patterns: &[&str]) -> Result<EventFilter> {
        EventFilter::parse(patterns.iter().map(|&pattern| pattern.to_owned()).collect())
    }

    #[test]
    fn a_filter_wants_what_its_patterns_say() {
        let sessions = filter(&["session.*", "payment_method.saved"]).unwrap();
        assert!(sessions.wants("session.completed") && sessions.wants("payment_method.saved"));
        assert!(!sessions.wants("payment_method.deleted") && !sessions.wants("sessions.completed"));
        assert!(EVENT_TYPES.iter().all(|name| EventFilter::all().wants(name)));
    }

    #[test]
    fn what_matches_nothing_is_named() {
        for wrong in
            ["", "session", "session.", "session*", "session.done", "Session.*", "*.completed", "**", "."]
        {
            let error = filter(&["session.completed", wrong]).unwrap_err();
            assert_eq!(error.fields()[0].pointer, "/events/1", "{wrong:?}");
        }
        assert_eq!(filter(&["session.*", "session.*"]).unwrap_err().fields()[0].message, "given twice");
        assert_eq!(filter(&[]).unwrap_err().fields()[0].pointer, "/events");
    }
}
