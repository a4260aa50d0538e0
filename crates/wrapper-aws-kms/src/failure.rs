//! What goes wrong, by the service's own code first and by HTTP status second. The service's words stay out of
//! messages: they name accounts and users.
//!
//! Only two codes say that ciphertext, context and key do not belong together. A key that is disabled or about to
//! be deleted is a denial, because waiting does not help; a key that is "unavailable" is not, because the service
//! says that it does.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use billfold_core::vault::WrapError;

/// The longest time that the service can make us wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The error of a call.
pub(crate) fn from_sdk<E>(error: &SdkError<E, HttpResponse>) -> WrapError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let raw = context.raw();
            let wait = raw.headers().get("retry-after").and_then(|value| value.trim().parse().ok());
            from_code(context.err().code(), raw.status().as_u16(), wait)
        }
        SdkError::TimeoutError(_) => unavailable("timed out", None),
        SdkError::ResponseError(_) => unreadable(),
        _ => match credentials_error(error) {
            Some(error) => from_credentials(error),
            None => unavailable("the connection could not be made, or broke", None),
        },
    }
}

fn from_code(code: Option<&str>, status: u16, wait: Option<u64>) -> WrapError {
    let code = plain(code.unwrap_or_default());
    let said = if code.is_empty() { status.to_string() } else { format!("{status} {code}") };
    let wait = wait.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    match code.as_str() {
        "InvalidCiphertextException" | "IncorrectKeyException" => WrapError::Refused,
        "DependencyTimeoutException"
        | "KMSInternalException"
        | "KeyUnavailableException"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "RequestTimeoutException"
        | "ServiceUnavailableException"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException" => unavailable(&said, wait),
        _ if status == 429 || !(400..500).contains(&status) => unavailable(&said, wait),
        "DisabledException" | "KMSInvalidStateException" => {
            denied(&format!("the key is not in use ({said})"))
        }
        "NotFoundException" => denied(&format!("there is no such key ({said})")),
        "InvalidKeyUsageException" => denied(&format!("the key is not one for encryption ({said})")),
        _ => denied(&format!("it refuses our credentials, their permissions or the request ({said})")),
    }
}

/// Finding out who we are is a call to somebody too, and may fail in the same ways.
fn from_credentials(error: &CredentialsError) -> WrapError {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => denied("no credentials were found"),
        CredentialsError::InvalidConfiguration(_) => denied("the configuration of the credentials is wrong"),
        CredentialsError::ProviderTimedOut(_) => unavailable("finding credentials timed out", None),
        _ => unavailable("credentials could not be had", None),
    }
}

fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A 200 that does not hold what it should.
pub(crate) fn unreadable() -> WrapError {
    unavailable("its answer could not be read", None)
}

fn denied(problem: &str) -> WrapError {
    WrapError::Denied(format!("aws-kms: {problem}"))
}

fn unavailable(problem: &str, retry_after: Option<Duration>) -> WrapError {
    WrapError::Unavailable { reason: format!("aws-kms: {problem}"), retry_after }
}

/// Codes are plain words; anything longer or stranger is cut.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, status: u16, expected: &str) {
        let class = match from_code(Some(code).filter(|code| !code.is_empty()), status, None) {
            WrapError::Refused => "refused",
            WrapError::Denied(_) => "denied",
            WrapError::Unavailable { .. } => "unavailable",
        };
        assert_eq!(class, expected, "{status} {code}");
    }

    #[test]
    fn codes_say_who_has_to_act() {
        for code in ["InvalidCiphertextException", "IncorrectKeyException"] {
            check(code, 400, "refused");
        }
        for code in [
            "AccessDeniedException",
            "DisabledException",
            "ExpiredTokenException",
            "IncompleteSignatureException",
            "InvalidClientTokenId",
            "InvalidGrantTokenException",
            "InvalidKeyUsageException",
            "InvalidSignatureException",
            "KMSInvalidStateException",
            "MissingAuthenticationTokenException",
            "NotFoundException",
            "OptInRequired",
            "UnrecognizedClientException",
            "ValidationException",
            "SomethingNewException",
            "",
        ] {
            check(code, 400, "denied");
            check(code, 403, "denied");
        }
        for code in [
            "ThrottlingException",
            "LimitExceededException",
            "DependencyTimeoutException",
            "KMSInternalException",
            "KeyUnavailableException",
        ] {
            check(code, 400, "unavailable");
            check(code, 500, "unavailable");
        }
        for status in [302, 429, 500, 502, 503] {
            check("", status, "unavailable");
            check("SomethingNewException", status, "unavailable");
        }
    }

    #[test]
    fn messages_hold_the_code_and_nothing_stranger() {
        let error = from_code(Some("AccessDenied\u{1b}[31m arn:aws:iam"), 400, None);
        let expected = "aws-kms: it refuses our credentials, their permissions or the request (400 AccessDenied31marnawsiam)";
        assert_eq!(error, WrapError::Denied(expected.to_owned()));
        let error = from_code(Some("ThrottlingException"), 400, Some(99_999_999));
        let WrapError::Unavailable { retry_after, .. } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, Some(LONGEST_WAIT));
    }

    #[test]
    fn credentials_are_found_or_not() {
        let class = |error: CredentialsError| from_credentials(&error).to_string();
        assert!(class(CredentialsError::not_loaded("CANARY")).contains("no credentials"));
        assert!(class(CredentialsError::provider_timed_out(Duration::from_secs(1))).contains("timed out"));
        assert!(class(CredentialsError::invalid_configuration("CANARY")).contains("configuration"));
        let unhandled = class(CredentialsError::provider_error("CANARY"));
        assert!(unhandled.contains("could not be had") && !unhandled.contains("CANARY"));
    }
}
