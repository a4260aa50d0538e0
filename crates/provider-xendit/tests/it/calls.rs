//! Every request that the provider can make, each reached through the call that makes it.

use std::future::Future;
use std::pin::Pin;

use billfold_core::Result;
use billfold_core::capability::Usage;
use billfold_core::provider::{CallContext, ProviderSession, SessionRef, TokenRef, TokenizationProvider};
use serde_json::json;

use crate::scripted::Answer;
use crate::support::{CUSTOMER, REFERENCE, ensure, request};

pub(crate) const SESSION: &str = "ps-64aa00000000000000000011";
pub(crate) const TOKEN: &str = "pt-00000000-0000-4000-8000-000000000002";

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;

/// One request, and the way to it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the gateway answers before that request is made.
    pub(crate) before: Vec<Answer>,
    pub(crate) run: for<'a> fn(&'a dyn TokenizationProvider, &'a CallContext) -> Outcome<'a>,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) version: Option<&'static str>,
    /// Whether it makes something anew each time, so that it must not be repeated blindly.
    pub(crate) creates: bool,
    /// What comes of an answer that the object does not exist, where that is no error.
    pub(crate) not_found: Option<&'static str>,
}

pub(crate) fn all() -> Vec<Row> {
    let error = |status, code: &str| Answer::json(status, &json!({"error_code": code, "message": "CANARY"}));
    let read = |name, run, target: &str| Row {
        name,
        before: Vec::new(),
        run,
        method: "GET",
        target: target.to_owned(),
        version: None,
        creates: false,
        not_found: None,
    };
    let token = format!("/v3/payment_tokens/{TOKEN}");
    let session = format!("/sessions/{SESSION}");
    let tokens = Some("2024-11-11");
    let customers = Some("2020-10-31");
    let completed = json!({"payment_session_id": SESSION, "status": "COMPLETED", "payment_token_id": TOKEN});
    vec![
        Row { method: "POST", creates: true, ..read("create_session", create, "/sessions") },
        read("fetch_session", fetch_session, &session),
        Row {
            before: vec![Answer::json(200, &completed)],
            version: tokens,
            not_found: Some("Processing, 0 methods"),
            ..read("the token of fetch_session", fetch_session, &token)
        },
        Row { method: "POST", ..read("cancel_session", cancel, &format!("{session}/cancel")) },
        Row {
            before: vec![error(422, "INVALID_SESSION_STATUS")],
            ..read("the session after cancel_session", cancel, &session)
        },
        Row { version: tokens, ..read("fetch_method", fetch_method, &token) },
        Row {
            method: "POST",
            version: tokens,
            not_found: Some("AlreadyGone"),
            ..read("delete_method", delete, &format!("{token}/cancel"))
        },
        Row {
            before: vec![error(400, "INELIGIBLE_TRANSACTION_STATUS")],
            version: tokens,
            ..read("the token after delete_method", delete, &token)
        },
        Row {
            not_found: Some("the credentials work"),
            ..read("check", check, "/sessions/ps-000000000000000000000000")
        },
        Row { method: "POST", version: customers, ..read("ensure", ensure_customer, "/customers") },
        Row {
            before: vec![error(409, "DUPLICATE_ERROR")],
            version: customers,
            ..read(
                "the customer after ensure",
                ensure_customer,
                &format!("/customers?reference_id={CUSTOMER}"),
            )
        },
    ]
}

fn told(session: Result<ProviderSession>) -> Result<String> {
    session.map(|session| format!("{:?}, {} methods", session.status, session.methods.len()))
}

fn create<'a>(provider: &'a dyn TokenizationProvider, cx: &'a CallContext) -> Outcome<'a> {
    Box::pin(async move {
        let mut request = request(REFERENCE, Usage::OnSession);
        request.gateway_customer = Some("cust-00000000-0000-4000-8000-000000000001".to_owned());
        told(provider.create_session(cx, request).await)
    })
}

fn fetch_session<'a>(provider: &'a dyn TokenizationProvider, cx: &'a CallContext) -> Outcome<'a> {
    Box::pin(async move { told(provider.fetch_session(cx, SessionRef::new(SESSION)).await) })
}

fn cancel<'a>(provider: &'a dyn TokenizationProvider, cx: &'a CallContext) -> Outcome<'a> {
    Box::pin(async move { told(provider.cancel_session(cx, SessionRef::new(SESSION)).await) })
}

fn fetch_method<'a>(provider: &'a dyn TokenizationProvider, cx: &'a CallContext) -> Outcome<'a> {
    Box::pin(async move {
        let method = provider.fetch_method(cx, TokenRef::new(TOKEN)).await?;
        Ok(format!("{:?}", method.status))
    })
}

fn delete<'a>(provider: &'a dyn TokenizationProvider, cx: &'a CallContext) -> Outcome<'a> {
    Box::pin(async move { Ok(format!("{:?}", provider.delete_method(cx, TokenRef::new(TOKEN)).await?)) })
}

fn check<'a>(provider: &'a dyn TokenizationProvider, cx: &'a CallContext) -> Outcome<'a> {
    Box::pin(async move { provider.check(cx).await.map(|()| "the credentials work".to_owned()) })
}

fn ensure_customer<'a>(provider: &'a dyn TokenizationProvider, cx: &'a CallContext) -> Outcome<'a> {
    Box::pin(async move { provider.customers().unwrap().ensure(cx, ensure()).await })
}
