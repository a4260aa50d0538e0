//! Everything that can go wrong with a request, for every request: what kind of error it is, whether it may
//! be repeated, and that no secret and no word of the gateway's is in it.

use std::time::Duration;

use billfold_core::error::Retry::{self, Never, OutcomeUnknown, SameKey};
use billfold_core::provider::CallContext;
use billfold_core::{Error, ErrorKind, Result};
use serde_json::json;

use crate::calls::{self, Row};
use crate::scripted::{Answer, Scripted, refusing};
use crate::support::{assert_error_is_quiet, context, provider};

const SOON: Retry = SameKey { after: None };
const LOOKUP: &str = "the customer after ensure";

fn after(seconds: u64) -> Retry {
    SameKey { after: Some(Duration::from_secs(seconds)) }
}

/// An answer, and the error that it is.
struct Fault {
    answer: Answer,
    kind: ErrorKind,
    /// For a request that may be repeated without harm.
    repeat: Retry,
    /// For one that makes something anew.
    create: Retry,
    status: Option<u16>,
    code: Option<&'static str>,
    /// Whether a search for customers reads it as "none", and the refusal stands that led to it.
    no_match: bool,
}

/// An error in the gateway's own form.
fn refusal(
    status: u16,
    code: &'static str,
    (kind, repeat, create): (ErrorKind, Retry, Retry),
    errors: bool,
) -> Fault {
    let mut body = json!({"error_code": code, "message": "CANARY words", "CANARY": "CANARY"});
    if errors {
        body["errors"] = json!([{"message": "CANARY", "path": "/body/customer/email"}, "CANARY", 7, null]);
    }
    let answer = Answer::json(status, &body).header("request-id", "req-1");
    let no_match = kind == ErrorKind::GatewayRejected && [400, 404].contains(&status);
    Fault { answer, kind, repeat, create, status: Some(status), code: Some(code), no_match }
}

fn limited(name: &'static str, value: &str, seconds: u64) -> Fault {
    let slow = (ErrorKind::GatewayRateLimited, after(seconds), after(seconds));
    let fault = refusal(429, "RATE_LIMIT_EXCEEDED", slow, false);
    Fault { answer: fault.answer.header(name, value), ..fault }
}

/// An answer that is not in the gateway's form at all.
fn foreign(status: u16, content_type: &str, body: &str, kind: ErrorKind, how: (Retry, Retry)) -> Fault {
    let answer = Answer::text(status, content_type, body).header("request-id", "req-1");
    let no_match = kind == ErrorKind::GatewayRejected;
    Fault { answer, kind, repeat: how.0, create: how.1, status: Some(status), code: None, no_match }
}

fn unreadable(body: &str) -> Fault {
    foreign(200, "application/json", body, ErrorKind::GatewayProtocol, (Never, OutcomeUnknown))
}

fn faults() -> Vec<Fault> {
    use ErrorKind::{
        GatewayAuthentication as Authentication, GatewayProtocol as Protocol, GatewayRejected as Rejected,
        GatewayUnavailable as Unavailable,
    };
    let refused = (Rejected, Never, Never);
    let locked_out = (Authentication, Never, Never);
    let broken = (Unavailable, SOON, OutcomeUnknown);
    let page = "<html><body>CANARY</body></html>";
    let mut faults = vec![
        refusal(400, "API_VALIDATION_ERROR", refused, true),
        refusal(400, "INVALID_CUSTOMER_ID", refused, false),
        refusal(400, "TEMPORARILY_UNAVAILABLE", broken, false),
        refusal(400, "UNAUTHORIZED_SENDER_IP", locked_out, false),
        refusal(401, "INVALID_API_KEY", locked_out, false),
        refusal(403, "REQUEST_FORBIDDEN_ERROR", locked_out, false),
        refusal(404, "NOT_FOUND", refused, false),
        refusal(404, "DATA_NOT_FOUND", refused, false),
        refusal(409, "DUPLICATE_ERROR", refused, false),
        refusal(422, "INVALID_SESSION_STATUS", refused, false),
        limited("rate-limit-reset", "12.5", 13),
        limited("retry-after", "7", 7),
        limited("x-nothing", "7", 1),
        refusal(500, "SERVER_ERROR", broken, false),
        refusal(503, "CHANNEL_UNAVAILABLE", broken, false),
        foreign(400, "application/json", "[]", Rejected, (Never, Never)),
        foreign(403, "text/html", page, Authentication, (Never, Never)),
        foreign(404, "text/html", page, Rejected, (Never, Never)),
        foreign(502, "text/html", page, Unavailable, (SOON, OutcomeUnknown)),
        foreign(200, "text/html", page, Protocol, (Never, OutcomeUnknown)),
        unreadable(r#"{"payment_session_id":"CANARY","#),
        unreadable(""),
        Fault { no_match: true, ..unreadable("[]") },
        unreadable("7"),
        unreadable("null"),
        unreadable("\"CANARY\""),
        Fault { answer: Answer::empty(204), status: Some(204), ..unreadable("") },
    ];
    let big = format!(r#"{{"payment_session_id":"CANARY","padding":"{}"}}"#, "x".repeat(1024 * 1024));
    let lost = |answer| Fault {
        answer,
        kind: Unavailable,
        repeat: OutcomeUnknown,
        create: OutcomeUnknown,
        status: None,
        code: None,
        no_match: false,
    };
    faults.push(lost(Answer::text(200, "application/json", &big)));
    faults.push(lost(Answer::json(200, &json!({"payment_session_id": "CANARY"})).broken_off()));
    faults
}

/// Runs the call; whatever it tells, it tells no secret.
async fn outcome(cx: &CallContext, row: &Row, base_url: &str) -> Result<String> {
    let provider = provider(base_url, &json!({}));
    let outcome = (row.run)(provider.as_ref(), cx).await;
    if let Err(error) = &outcome {
        assert_error_is_quiet(error, &row.name);
    }
    outcome
}

async fn answered(cx: &CallContext, row: &Row, answer: Answer) -> Result<String> {
    let server = Scripted::start(row.before.iter().cloned().chain([answer]).collect()).await;
    outcome(cx, row, &server.url()).await
}

fn assert_error(error: &Error, kind: ErrorKind, retry: Retry, what: &str) {
    assert_eq!((error.kind(), error.retry()), (kind, retry), "{what}: {error:?}");
    assert_eq!(error.fault().unwrap().gateway, "main", "{what}");
}

#[tokio::test]
async fn every_answer_that_is_no_good_is_an_error_of_the_right_kind() {
    let cx = context("key-1");
    for row in calls::all() {
        for fault in faults() {
            let what = format!("{}: {:?} {:?}", row.name, fault.status, fault.code);
            let outcome = answered(&cx, &row, fault.answer).await;
            match (row.not_found, fault.status, fault.code) {
                (Some(expected), Some(404), Some(_)) => assert_eq!(outcome.unwrap(), expected, "{what}"),
                _ if row.name == LOOKUP && fault.no_match => {
                    let error = outcome.unwrap_err();
                    assert_error(&error, ErrorKind::GatewayRejected, Never, &what);
                    assert_eq!(error.fault().unwrap().code.as_deref(), Some("DUPLICATE_ERROR"), "{what}");
                }
                _ => {
                    let error = outcome.unwrap_err();
                    let retry = if row.creates { fault.create } else { fault.repeat };
                    assert_error(&error, fault.kind, retry, &what);
                    let said = error.fault().unwrap();
                    assert_eq!(
                        (said.http_status, said.code.as_deref()),
                        (fault.status, fault.code),
                        "{what}"
                    );
                    let request_id = fault.status.filter(|status| *status != 204).map(|_| "req-1");
                    assert_eq!(said.request_id.as_deref(), request_id, "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let cx = context("key-1");
    let elsewhere = Scripted::start(vec![Answer::json(200, &json!({"payment_session_id": "CANARY"}))]).await;
    for row in calls::all() {
        for status in [301, 302, 303, 307, 308] {
            let what = format!("{}: {status}", row.name);
            let answer = Answer::empty(status).header("location", &elsewhere.url());
            let error = answered(&cx, &row, answer).await.unwrap_err();
            let retry = if row.creates { OutcomeUnknown } else { Never };
            assert_error(&error, ErrorKind::GatewayProtocol, retry, &what);
            assert_eq!(error.fault().unwrap().http_status, Some(status), "{what}");
        }
    }
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());
}

#[tokio::test]
async fn without_a_connection_nothing_happened() {
    let cx = context("key-1");
    let (_taken, url) = refusing();
    for row in calls::all().iter().filter(|row| row.before.is_empty()) {
        let error = outcome(&cx, row, &url).await.unwrap_err();
        assert_error(&error, ErrorKind::GatewayUnavailable, SOON, row.name);
        assert_eq!(error.fault().unwrap().http_status, None);
    }
}

#[tokio::test]
async fn without_an_answer_the_outcome_is_unknown() {
    let mut cx = context("key-1");
    cx.timeout = Duration::from_millis(150);
    for row in calls::all() {
        let server = Scripted::start(row.before.iter().cloned().chain([Answer::silence()]).collect()).await;
        let error = outcome(&cx, &row, &server.url()).await.unwrap_err();
        assert_error(&error, ErrorKind::GatewayUnavailable, OutcomeUnknown, row.name);
    }
}

#[tokio::test]
async fn fields_that_the_gateway_complains_about_are_in_the_log_alone() {
    let row = &calls::all()[0];
    let refused = (ErrorKind::GatewayRejected, Never, Never);
    let error = answered(&context("key-1"), row, refusal(400, "API_VALIDATION_ERROR", refused, true).answer)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the gateway refused the request (API_VALIDATION_ERROR)");
    assert!(error.log_line().contains("paths=/body/customer/email"), "{}", error.log_line());
}

/// Codes and ids are printed, so they are cut to what codes and ids are.
#[tokio::test]
async fn a_code_that_is_none_is_cut() {
    let row = &calls::all()[0];
    let long = format!("\u{1b}[31mCODE\r\n {}", "X".repeat(500));
    let body = json!({"error_code": long, "errors": [{"path": long}]});
    let error = answered(&context("key-1"), row, Answer::json(400, &body)).await.unwrap_err();
    let code = error.fault().unwrap().code.clone().unwrap();
    assert!(code.starts_with("[31mCODEX") && code.len() == 80, "{code}");
    assert!(error.log_line().chars().all(|c| !c.is_control()) && error.log_line().len() < 500);
}

/// An answer that says "made" and not what: it must not be repeated as if nothing had happened.
#[tokio::test]
async fn a_creation_that_names_nothing_may_have_happened() {
    let row = &calls::all()[0];
    for body in [json!({}), json!({"status": "ACTIVE"}), json!({"payment_session_id": null, "id": ""})] {
        let error = answered(&context("key-1"), row, Answer::json(201, &body)).await.unwrap_err();
        assert_error(&error, ErrorKind::GatewayProtocol, OutcomeUnknown, &body.to_string());
    }
}
