//! [`Error`] is what every use case and every provider call returns.
//! Small enums of their own (`InvalidId`, `SealError`, `TransportError`, …) stay inside the modules that raise them.
//! `anyhow` appears only in the programs, never here.

use std::fmt;
use std::time::Duration;

/// The result of a use case or a provider call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Characters of a message that a provider or its gateway made up.
const MAX_FOREIGN_MESSAGE: usize = 500;

/// What went wrong, in the few classes that callers decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is wrong; [`Error::fields`] says where.
    InvalidRequest,
    /// There is no such object for this tenant.
    NotFound,
    /// It existed once and was used up.
    Gone,
    /// The caller did not prove who it is.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The object's state does not allow this.
    Conflict,
    /// The gateway cannot do this at all, by its declared capabilities.
    Unsupported,
    /// The gateway understood the request and refused it.
    GatewayRejected,
    /// The gateway did not accept our credentials or their permissions.
    GatewayAuthentication,
    /// The gateway asked us to slow down.
    GatewayRateLimited,
    /// The gateway could not be reached, timed out, or answered with a server error.
    GatewayUnavailable,
    /// The gateway's answer could not be understood or contradicts what was asked.
    GatewayProtocol,
    /// The configuration is wrong; the message names the key.
    Configuration,
    /// The database could not serve the request.
    Store,
    /// A sealed value did not open.
    Vault,
    /// The key service cannot be asked, so nothing can be sealed or opened now.
    KeysUnavailable,
    /// A defect in Billfold or in a provider.
    Internal,
}

/// Whether doing it again helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again.
    Never,
    /// The same request, under the same idempotency key, may succeed later.
    SameKey {
        /// How long to wait at least, when the other side said so.
        after: Option<Duration>,
    },
    /// It may have happened. Fetch before anything else; never repeat it under a new key.
    OutcomeUnknown,
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldError {
    /// RFC 6901 pointer into the request's JSON, such as `/customer/email`.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// What a gateway said when it failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// The gateway's configured name.
    pub gateway: String,
    /// The HTTP status, when there was an answer.
    pub http_status: Option<u16>,
    /// The gateway's own error code.
    pub code: Option<String>,
    /// The id that the gateway's support asks for.
    pub request_id: Option<String>,
}

/// An error with a public part (kind, message, fields) and a private part for logs (context, fault,
/// source). `Display` prints the public part alone; no part ever holds a secret.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: String,
    fields: Vec<FieldError>,
    context: Vec<(&'static str, String)>,
    fault: Option<Fault>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that is not worth repeating. `message` is shown to API clients.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            retry: Retry::Never,
            message: message.into(),
            fields: Vec::new(),
            context: Vec::new(),
            fault: None,
            source: None,
        }))
    }

    /// A request with one wrong field.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { pointer: pointer.into(), message: message.into() }])
    }

    /// A request with several wrong fields.
    pub fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let mut error = Self::new(ErrorKind::InvalidRequest, "the request is not valid");
        match fields.as_slice() {
            // The empty pointer is the whole request.
            [only] if only.pointer.is_empty() => error.0.message.clone_from(&only.message),
            [only] => error.0.message = format!("{}: {}", only.pointer, only.message),
            _ => {}
        }
        error.0.fields = fields;
        error
    }

    /// No object of this kind (`"session"`) for this tenant.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("there is no such {what}"))
    }

    /// The object's state does not allow the request.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// A defect; the message stays generic, `detail` goes to the log.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, "an internal error occurred").with_context("detail", detail)
    }

    /// Says it in other words to API clients.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Says whether repeating helps.
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Adds a private pair for logs.
    pub fn with_context(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Adds what the gateway said.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.0.fault = Some(fault);
        self
    }

    /// Adds the cause, for logs.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The class.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether repeating helps.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What API clients are told.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The wrong fields of an invalid request.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// What the gateway said, if it was asked.
    pub fn fault(&self) -> Option<&Fault> {
        self.0.fault.as_ref()
    }

    /// Private pairs for logs.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// Whether the same call may be made again later without harm.
    pub fn is_retryable(&self) -> bool {
        !matches!(self.0.retry, Retry::Never)
    }

    /// The same with a message that is one line of bounded length, for what did not come from Billfold itself: no control
    /// characters, which some databases refuse and logs would obey.
    #[must_use]
    pub(crate) fn in_one_line(mut self) -> Self {
        let is_harmless = |c: char| matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1;
        let message = &self.0.message;
        if message.len() > MAX_FOREIGN_MESSAGE || !message.chars().all(is_harmless) {
            let start = message.chars().take(MAX_FOREIGN_MESSAGE);
            let message = start.map(|c| if is_harmless(c) { c } else { ' ' }).collect();
            self.0.message = message;
        }
        self
    }

    /// Everything worth logging, on one line. Holds no secret because no part does.
    pub fn log_line(&self) -> String {
        use std::fmt::Write as _;
        let mut line = format!("{:?}: {}", self.0.kind, self.0.message);
        if let Some(fault) = &self.0.fault {
            let status = fault.http_status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            let _ = write!(line, "; gateway={} http_status={status}", fault.gateway);
            for (key, value) in [("code", &fault.code), ("request_id", &fault.request_id)] {
                if let Some(value) = value {
                    let _ = write!(line, " {key}={}", value.escape_debug());
                }
            }
        }
        for (key, value) in &self.0.context {
            let _ = write!(line, "; {key}={}", value.escape_debug());
        }
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let _ = write!(line, "; caused by: {}", cause.to_string().escape_debug());
            source = cause.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.log_line())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

impl From<crate::entropy::EntropyError> for Error {
    fn from(error: crate::entropy::EntropyError) -> Self {
        Self::internal("random numbers").with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gateway_says_is_one_line_of_bounded_length() {
        let said = |message: &str| {
            Error::new(ErrorKind::GatewayRejected, message).in_one_line().message().to_owned()
        };
        assert_eq!(said("it's \"no\", Łódź 東京"), "it's \"no\", Łódź 東京");
        assert_eq!(said("a\0b\r\nc\u{1b}[31m\u{202e}d"), "a b  c [31m d");
        assert_eq!(said(&"é\n".repeat(100_000)).chars().count(), MAX_FOREIGN_MESSAGE);
    }
}
