//! Gateways' answers. An input is a line with a call and what it is about, and after each line `%%` an answer: its
//! status, and in the lines after it the body.
//!
//! Calls: `session ID[?QUERY]` (what the browser brought), `cancel ID`, `method TOKEN`, `delete TOKEN`, `create [OPTIONS]`,
//! `customer`, `check`, and those about money, see `charges.rs`.
//!
//! Requests go to the gateway alone, whatever an id looks like. Nothing is made of answers that say nothing, and what was
//! perhaps made is not forgotten. What is read can be shown, and no part of it or of an error tells a secret.

use std::sync::Arc;

use billfold_core::clock::ManualClock;
use billfold_core::error::Retry;
use billfold_core::payment_method::Display;
use billfold_core::provider::{
    CallContext, CustomerProfile, EnsureCustomer, NextAction, ProviderMethod, ProviderSession, ReturnRequest,
    SessionRef, TokenRef, TokenizationProvider,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::{Error, ErrorKind, Result};
use bytes::Bytes;
use futures::executor::block_on;
use http::Response;

use crate::accounts::{Account, NOW, SESSION};
use crate::charges;
use crate::transport::Scripted;

/// More calls than a provider can have a reason for.
const MOST_CALLS: usize = 20;
/// As long as a text may be that is shown.
const LONGEST: usize = 110;

/// What was sent, and the status with which it was answered.
pub(crate) type Seen = [(http::Request<Bytes>, Option<u16>)];

/// Checks one call and the answers to it.
pub fn check(account: &Account, provider: &dyn TokenizationProvider, data: &[u8]) {
    if account.is_marked(data) {
        return;
    }
    let mut parts = split(data);
    let call = parts.next().unwrap_or_default();
    let Ok(call) = std::str::from_utf8(call) else { return };
    let (call, about) = call.trim_end().split_once(' ').unwrap_or((call.trim_end(), ""));
    let transport = Arc::new(Scripted::new(parts.take(12).map(answer)));
    let clock = Arc::new(ManualClock::new(NOW));
    let cx = CallContext::new(transport.clone(), clock, "main", SESSION);
    let outcome = block_on(make(account, provider, &cx, call, about));
    let seen = transport.seen();
    assert!(seen.len() <= MOST_CALLS, "{call} took {} calls", seen.len());
    for (request, _) in &seen {
        check_request(account, request);
    }
    match outcome {
        Outcome::None => {}
        Outcome::Error(error) => check_error(account, call, &error, &seen),
        Outcome::Session(session) => check_session(account, call, &session, &seen),
        Outcome::Method(method) => {
            check_method(account, &method);
            assert!(any_success(&seen), "a method was read where no answer was a success");
        }
        Outcome::Money(outcome) => charges::check(account, &outcome, &seen),
        Outcome::Text(text) => {
            assert!(!text.is_empty() && any_success(&seen), "a customer without an id");
        }
    }
}

enum Outcome {
    None,
    Session(Box<ProviderSession>),
    Method(Box<ProviderMethod>),
    Text(String),
    Money(charges::Outcome),
    Error(Error),
}

async fn make(
    account: &Account,
    provider: &dyn TokenizationProvider,
    cx: &CallContext,
    call: &str,
    about: &str,
) -> Outcome {
    let token = || {
        let mut token = TokenRef::new(about.to_owned());
        token.customer = Some(SESSION.to_owned());
        token
    };
    let session = |outcome: Result<ProviderSession>| outcome.map(|session| Outcome::Session(session.into()));
    let outcome = match call {
        "session" => {
            let (id, query) = about.split_once('?').unwrap_or((about, ""));
            let mut reference = SessionRef::new(id);
            reference.evidence = provider.read_return(&ReturnRequest::new(query)).evidence;
            session(provider.fetch_session(cx, reference).await)
        }
        "cancel" => session(provider.cancel_session(cx, SessionRef::new(about)).await),
        "method" => provider.fetch_method(cx, token()).await.map(|method| Outcome::Method(method.into())),
        "delete" => provider.delete_method(cx, token()).await.map(|_| Outcome::None),
        "create" => {
            let mut request = account.request();
            request.provider_options = serde_json::from_str(about).ok();
            match provider.validate(&request) {
                Ok(()) => session(provider.create_session(cx, request).await),
                Err(_) => Ok(Outcome::None),
            }
        }
        "customer" => match provider.customers() {
            Some(customers) => {
                let customer = EnsureCustomer::new("cus_1", CustomerProfile::default());
                customers.ensure(cx, customer).await.map(Outcome::Text)
            }
            None => Ok(Outcome::None),
        },
        "check" => provider.check(cx).await.map(|()| Outcome::None),
        _ => match provider.charging() {
            Some(charging) => match charges::make(account, charging, cx, call, about).await {
                Some(outcome) => outcome.map(Outcome::Money),
                None => Ok(Outcome::None),
            },
            None => Ok(Outcome::None),
        },
    };
    outcome.unwrap_or_else(Outcome::Error)
}

/// The parts between lines of `%%`.
fn split(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let now = rest?;
        let at = now.windows(4).position(|part| part == b"\n%%\n");
        rest = at.map(|at| &now[at + 4..]);
        Some(at.map_or(now, |at| &now[..at]))
    })
}

/// An answer. In every object the gateway also says something in its own words, which nobody may repeat.
fn answer(part: &[u8]) -> Response<Bytes> {
    let (head, body) = part.split_at(part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len()));
    let body = body.strip_prefix(b"\n").unwrap_or_default();
    let status = std::str::from_utf8(head).ok().and_then(|head| head.trim().parse::<u16>().ok());
    let status = status.filter(|status| (200..=599).contains(status)).unwrap_or(200);
    let words = br#"{"message":"CANARY-words","#;
    let body = match body.strip_prefix(b"{") {
        Some(rest) if rest.trim_ascii_start().starts_with(b"\"") => [words, rest].concat(),
        _ => body.to_vec(),
    };
    Response::builder().status(status).body(Bytes::from(body)).expect("an answer")
}

fn check_request(account: &Account, request: &http::Request<Bytes>) {
    let uri = request.uri();
    assert_eq!(uri.host(), Some(account.host), "a request went elsewhere: {uri}");
    assert_eq!(uri.scheme_str(), Some("https"), "a request went in clear: {uri}");
    let strange = uri.path().split('/').skip(1).any(|part| part.is_empty() || part.starts_with('.'));
    assert!(!strange, "an id has become a part of the path: {uri}");
    account.assert_quiet(&uri.to_string(), "an address");
    account.assert_quiet(&format!("{:?}", request.headers()), "a request's headers");
}

fn check_error(account: &Account, call: &str, error: &Error, seen: &Seen) {
    let texts = format!("{error} {error:?} {} {:?} {:?}", error.message(), error.context(), error.fault());
    account.assert_quiet(&texts, "an error");
    assert!(!error.message().chars().any(char::is_control), "an error's message has control characters");
    assert!(error.message().len() < 400, "an error's message is long: {}", error.message());
    assert_ne!(error.kind(), ErrorKind::Internal, "an answer was an internal error: {error:?}");
    // What may be there is not given up: the gateway answered that it made it, or not at all. Where money moves, a
    // server's error is no answer.
    let money = matches!(call, "charge" | "refund");
    let unclear = |status: u16| (200..300).contains(&status) || (money && status >= 500);
    let unclear = seen.first().is_some_and(|(_, status)| status.is_none_or(unclear));
    if (money || call == "create") && unclear && seen.len() == 1 {
        assert_eq!(error.retry(), Retry::OutcomeUnknown, "{error:?} forgets what may have been made");
    }
}

pub(crate) fn any_success(seen: &Seen) -> bool {
    seen.iter().any(|(_, status)| status.is_some_and(|status| (200..300).contains(&status)))
}

fn check_session(account: &Account, call: &str, session: &ProviderSession, seen: &Seen) {
    assert!(any_success(seen), "a session was read where no answer was a success");
    assert!(!session.reference.is_empty(), "a session without an id");
    if call == "create" && session.methods.is_empty() && session.next.is_none() {
        let ended = session.status != billfold_core::provider::ProviderSessionStatus::Active;
        assert!(ended || account.kind == "xendit" || account.kind == "stripe", "nobody can go on");
    }
    let secret = match &session.next {
        Some(NextAction::Redirect(secret) | NextAction::ClientSecret(secret)) => secret.expose_secret(),
        None => "",
    };
    let printed = format!("{session:?}");
    // Short ones may stand there for other reasons.
    let echoed = format!("{:?} {:?}", session.echo, session.reference);
    let others = || {
        session
            .methods
            .iter()
            .any(|method| format!("{:?}{:?}", method.display, method.channel).contains(secret))
    };
    let shown = secret.len() >= 8 && printed.contains(secret);
    assert!(!shown || echoed.contains(secret) || others(), "a session prints its link: {printed}");
    account.assert_quiet(&printed, "a session");
    for method in &session.methods {
        check_method(account, method);
    }
}

fn check_method(account: &Account, method: &ProviderMethod) {
    let token = method.token.token.expose_secret();
    assert!(!token.is_empty(), "a method without a token");
    assert!(method.replaces.as_ref().is_none_or(|old| old.expose_secret() != token), "it replaces itself");
    check_text(&method.channel, "channel");
    let Display { brand, last4, expiry_month, expiry_year, funding, issuer, country } = &method.display;
    for (what, text) in [("brand", brand), ("funding", funding), ("issuer", issuer), ("country", country)] {
        if let Some(text) = text {
            check_text(text, what);
        }
    }
    // Some gateways show fewer of an account's number.
    let few = |last: &str| (1..=4).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_digit());
    assert!(last4.as_deref().is_none_or(few), "{last4:?} are not the last digits");
    assert!(expiry_month.is_none_or(|month| (1..=12).contains(&month)), "a month {expiry_month:?}");
    assert!(expiry_year.is_none_or(|year| (1000..=9999).contains(&year)), "a year {expiry_year:?}");
    let _ = method.display.ends_at();
    // What seals it gives it back.
    let sealed = method.token.to_secret_bytes().expect("a token that can be sealed");
    let back = TokenRef::from_secret_bytes(&sealed).expect("a token that can be read");
    assert_eq!(back.token.expose_secret(), token, "a token changes when it is sealed");
    account.assert_quiet(&format!("{method:?}"), "a method");
}

/// A text that is shown to people.
pub(crate) fn check_text(text: &str, what: &str) {
    let shown =
        !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    assert!(shown, "a {what} that nobody can show: {text:?}");
}
