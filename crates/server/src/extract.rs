//! Bodies and queries, read strictly: whatever is wrong is named by its JSON pointer.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use billfold_core::idempotency::Intent;
use billfold_core::name::TenantId;
use billfold_core::settings::without_values;
use billfold_core::store::Page;
use billfold_core::{Error, Principal};
use serde::de::{Deserialize as _, DeserializeOwned, IgnoredAny};

use crate::problem::Problem;
use crate::secret::forget;

/// The largest body of an API request, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;
const MAX_DEPTH: usize = 32;
/// For the whole of a body: whoever sends a byte a second is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_PAGE: u32 = 100;
const DEFAULT_PAGE: u32 = 20;

/// A JSON body of at most `MAX` bytes.
pub(crate) struct JsonBody<T, const MAX: usize = MAX_BODY>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync, const MAX: usize> FromRequest<S> for JsonBody<T, MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail = "expected a body of Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        let bytes = read_body(request.into_body(), MAX).await?;
        let parsed = parse(&bytes);
        // It may have held a secret.
        forget(bytes);
        Ok(Self(parsed?))
    }
}

/// Reads a body, and no more of it than `limit` bytes, nor for longer than ten seconds.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<bytes::Bytes, Problem> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, limit)).await {
        Ok(read) => read.map_err(|_| {
            let detail = format!("the body is larger than {limit} bytes, or incomplete");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
        }),
        Err(_elapsed) => {
            let detail = "the body did not come within 10 seconds";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timed_out", detail))
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if depth(bytes) > MAX_DEPTH {
        return Err(Error::invalid("", format!("the body is nested deeper than {MAX_DEPTH} levels")));
    }
    well_formed(bytes)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_syntax() {
            // What serde_json says of a number or a list where a name belongs.
            return Error::invalid(path, "expected another kind of value");
        }
        let message = inner.to_string();
        // Our own position in the text helps nobody who builds JSON with a library.
        let message = message.split(" at line ").next().unwrap_or_default();
        let field = |what: &str| message.strip_prefix(what)?.strip_suffix('`');
        if let Some(field) = field("missing field `") {
            return Error::invalid(format!("{path}/{field}"), "this field is required");
        }
        if let Some(field) = field("duplicate field `") {
            return Error::invalid(format!("{path}/{field}"), "given twice");
        }
        Error::invalid(path, without_values(message))
    })
}

/// Refuses what is not exactly one JSON object, before anyone asks what is in it.
fn well_formed(bytes: &[u8]) -> Result<(), Error> {
    let not_json = |problem: String| Error::invalid("", format!("the body is not JSON: {problem}"));
    std::str::from_utf8(bytes).map_err(|_| not_json("it is not UTF-8".to_owned()))?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    IgnoredAny::deserialize(&mut json).map_err(|error| not_json(error.to_string()))?;
    json.end().map_err(|_| Error::invalid("", "there is something after the JSON body"))?;
    // A derived reader would take a list for an object whose names were left out.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::invalid("", "expected a JSON object"));
    }
    Ok(())
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } | Segment::Enum { variant: key } => escaped(key),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

/// A key as part of an RFC 6901 pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The deepest nesting of brackets outside strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut deepest, mut now, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Who calls.
pub(crate) struct Caller(pub(crate) Principal);

impl Caller {
    /// The tenant that the request acts for.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Principal>().cloned().map(Self).ok_or_else(|| {
            Error::new(billfold_core::ErrorKind::Unauthenticated, "an API key is required").into()
        })
    }
}

/// What every attempt at this request has in common, where it came with an idempotency key.
pub(crate) struct SameIntent(pub(crate) Option<Intent>);

impl<S: Send + Sync> FromRequestParts<S> for SameIntent {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<Intent>().cloned()))
    }
}

/// An id in the path. One that cannot be an id is answered like one that does not exist.
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: std::str::FromStr, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let missing = || Problem::from(Error::not_found("object"));
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing())?;
        text.parse().map(Self).map_err(|_| missing())
    }
}

/// Two ids in the path, of which the same holds.
pub(crate) struct PathIds<A, B>(pub(crate) A, pub(crate) B);

impl<A: std::str::FromStr, B: std::str::FromStr, S: Send + Sync> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let missing = || Problem::from(Error::not_found("object"));
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((one, two)) = path.map_err(|_| missing())?;
        one.parse().ok().zip(two.parse().ok()).map(|(one, two)| Self(one, two)).ok_or_else(missing)
    }
}

/// The query's pairs, each key at most once and only known ones.
pub(crate) struct QueryPairs(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Ok(Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect()))
    }
}

impl QueryPairs {
    /// Refuses keys that are not in `known`, and repeated ones.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, Error> {
        for (index, (key, _)) in self.0.iter().enumerate() {
            if !known.contains(&key.as_str()) {
                return Err(Error::invalid(
                    format!("/{}", escaped(key)),
                    format!("unknown parameter; known: {}", known.join(", ")),
                ));
            }
            if self.0[..index].iter().any(|(other, _)| other == key) {
                return Err(Error::invalid(format!("/{key}"), "given twice"));
            }
        }
        Ok(self)
    }

    /// A parameter, parsed.
    pub(crate) fn get<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, Error>
    where
        T::Err: std::fmt::Display,
    {
        let found = self.0.iter().find(|(name, _)| name == key);
        let parsed = found.map(|(_, value)| {
            value.parse().map_err(|error| Error::invalid(format!("/{key}"), format!("{error}")))
        });
        parsed.transpose()
    }

    /// A parameter that must be there.
    pub(crate) fn required<T: std::str::FromStr>(&self, key: &str) -> Result<T, Error>
    where
        T::Err: std::fmt::Display,
    {
        self.get(key)?.ok_or_else(|| Error::invalid(format!("/{key}"), "this parameter is required"))
    }

    /// A parameter of several values, parted by commas; none when it is left out.
    pub(crate) fn several<T: std::str::FromStr>(&self, key: &str) -> Result<Vec<T>, Error>
    where
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.get::<String>(key)? else { return Ok(Vec::new()) };
        if text.split(',').any(str::is_empty) {
            return Err(Error::invalid(
                format!("/{key}"),
                "expected values parted by commas, none of them empty",
            ));
        }
        let parse =
            |part: &str| part.parse().map_err(|error| Error::invalid(format!("/{key}"), format!("{error}")));
        text.split(',').map(parse).collect()
    }

    /// `limit` and `after`; the page asks for one row more, which tells whether there are more.
    pub(crate) fn page<K: std::str::FromStr>(&self) -> Result<(Page<K>, usize), Error>
    where
        K::Err: std::fmt::Display,
    {
        let limit = self.limit()?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok((Page { after: self.get("after")?, limit: limit + 1 }, size))
    }

    pub(crate) fn limit(&self) -> Result<u32, Error> {
        let limit = self.get("limit")?.unwrap_or(DEFAULT_PAGE);
        if limit == 0 || limit > MAX_PAGE {
            return Err(Error::invalid("/limit", format!("expected 1 to {MAX_PAGE}")));
        }
        Ok(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "email")]
        _email: String,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "customer")]
        _customer: Inner,
        #[serde(default, rename = "channels")]
        _channels: Vec<String>,
    }

    fn check(body: &str, expected: (&str, &str)) {
        let error = parse::<Outer>(body.as_bytes()).unwrap_err();
        let field = &error.fields()[0];
        assert_eq!(field.pointer, expected.0, "{body}");
        assert!(field.message.contains(expected.1), "{body}: {}", field.message);
    }

    #[test]
    fn pointers_name_the_field() {
        check(r#"{"customer":{}}"#, ("/customer/email", "required"));
        check(r#"{"customer":{"email":7}}"#, ("/customer/email", "invalid type, expected a string"));
        check(r#"{"customer":{"email":"x","emial":"y"}}"#, ("/customer/emial", "unknown field"));
        check(r#"{"customer":{"email":"x"},"channels":["A",1]}"#, ("/channels/1", "expected a string"));
        check(r#"{"customer":{"email":"x"}"#, ("", "not JSON"));
        check(r#"{"customer":{"email":"x"}} {}"#, ("", "after the JSON"));
        check(&format!("{}{}", "[".repeat(40), "]".repeat(40)), ("", "deeper than 32"));
        check("", ("", "not JSON"));
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert_eq!(depth(br#"{"a":"[[[\"[["}"#), 1);
        assert_eq!(depth(b"[[{}]]"), 3);
    }
}
