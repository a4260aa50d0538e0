//! What each call makes of each answer, against a gateway that answers by a script.

use billfold_core::error::Retry;
use billfold_core::provider::{
    Deletion, NextAction, ProviderMethodStatus, ProviderSessionStatus, SessionRef, TokenRef,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::{ErrorKind, Result};
use serde_json::{Value, json};

use crate::support::{
    Scripted, account, mandate, missing, not_cancelled, provider, refusal, replaced, request,
};

fn pending() -> Value {
    json!({"billing_requests": {"id": "BRQ1", "status": "pending", "links": {"customer": "CU9"},
        "metadata": {"billfold_session": "ses_1"}, "mandate_request": {"currency": "GBP"}}})
}

fn fulfilled() -> Value {
    let mut fulfilled = pending();
    fulfilled["billing_requests"]["status"] = "fulfilled".into();
    fulfilled["billing_requests"]["links"]["mandate_request_mandate"] = "MD1".into();
    fulfilled
}

fn flow(expires_at: &str) -> Value {
    let url = "https://pay.gocardless.example/flow/BRF1";
    json!({"billing_request_flows": {"id": "BRF1", "authorisation_url": url, "expires_at": expires_at}})
}

fn conflict(id: &str) -> (u16, Value) {
    let links = json!({"conflicting_resource_id": id});
    (409, refusal("invalid_state", json!({"reason": "idempotent_creation_conflict", "links": links})))
}

fn token(id: &str) -> TokenRef {
    TokenRef::new(id.to_owned())
}

#[tokio::test]
async fn the_customer_is_sent_through_a_flow() {
    let scripted = Scripted::new([(201, pending()), (201, flow("2026-06-04T00:00:00.000Z"))]);
    let made = provider().create_session(&scripted.cx(), request()).await.unwrap();
    assert_eq!((made.reference.as_str(), made.status), ("BRQ1", ProviderSessionStatus::Active));
    let Some(NextAction::Redirect(url)) = made.next else { panic!("a redirect was expected") };
    assert_eq!(url.expose_secret(), "https://pay.gocardless.example/flow/BRF1");
    assert_eq!(made.expires_at, None, "the link lasts longer than what was asked for");
    assert_eq!(made.echo.reference.as_deref(), Some("ses_1"));
    assert_eq!(made.echo.customer, None, "nobody is a customer before the end");
    let short = Scripted::new([(201, pending()), (201, flow("2026-01-01T00:00:00.000Z"))]);
    let made = provider().create_session(&short.cx(), request()).await.unwrap();
    assert_eq!(made.expires_at.unwrap().to_string(), "2026-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn a_repeated_creation_finds_what_was_made() {
    let scripted = Scripted::new([conflict("BRQ1"), (200, pending()), (201, flow(""))]);
    let found = provider().create_session(&scripted.cx(), request()).await.unwrap();
    assert_eq!(found.reference, "BRQ1");
    assert!(found.next.is_some());
    let paths = ["POST /billing_requests", "GET /billing_requests/BRQ1", "POST /billing_request_flows"];
    assert_eq!(scripted.paths(), paths);
    // It was completed meanwhile: there is nothing left to do for the customer.
    let scripted = Scripted::new([
        conflict("BRQ1"),
        (200, fulfilled()),
        (200, mandate("MD1", "submitted")),
        (200, account()),
    ]);
    let found = provider().create_session(&scripted.cx(), request()).await.unwrap();
    assert_eq!((found.status, found.methods.len()), (ProviderSessionStatus::Completed, 1));
    assert!(found.next.is_none());
    // An id that is none is not put into a path.
    let scripted = Scripted::new([conflict("../creditors")]);
    let error = provider().create_session(&scripted.cx(), request()).await.unwrap_err();
    assert_eq!((error.kind(), scripted.paths().len()), (ErrorKind::GatewayRejected, 1));
}

#[tokio::test]
async fn a_creation_that_stops_half_way_may_have_happened() {
    for (second, kind) in [
        (None, ErrorKind::GatewayUnavailable),
        (Some((500, json!({}))), ErrorKind::GatewayUnavailable),
        (Some((201, json!({}))), ErrorKind::GatewayProtocol),
        (Some((201, json!({"billing_request_flows": {"id": "BRF1"}}))), ErrorKind::GatewayProtocol),
        (Some((302, json!({}))), ErrorKind::GatewayProtocol),
    ] {
        let scripted = Scripted::new([Some((201, pending())), second.clone()].into_iter().flatten());
        let error = provider().create_session(&scripted.cx(), request()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, Retry::OutcomeUnknown), "{second:?}");
    }
    let refused = (422, refusal("validation_failed", json!({"field": "redirect_uri", "message": "CANARY"})));
    let scripted = Scripted::new([(201, pending()), refused]);
    let error = provider().create_session(&scripted.cx(), request()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::GatewayRejected, Retry::Never));
    assert!(error.log_line().contains("fields=redirect_uri") && !error.log_line().contains("CANARY"));
}

#[tokio::test]
async fn a_fulfilled_request_has_its_mandate() {
    for (status, expected) in [
        ("pending_submission", ProviderMethodStatus::Pending),
        ("active", ProviderMethodStatus::Active),
        ("failed", ProviderMethodStatus::Failed),
    ] {
        let scripted = Scripted::new([(200, fulfilled()), (200, mandate("MD1", status)), (200, account())]);
        let found = provider().fetch_session(&scripted.cx(), SessionRef::new("BRQ1")).await.unwrap();
        assert_eq!((found.methods[0].status, found.echo.customer.as_deref()), (expected, Some("CU9")));
        assert_eq!(found.methods[0].display.last4.as_deref(), Some("11"));
    }
    // The mandate was replaced before anybody asked: the new one is saved.
    let answers = [
        (200, fulfilled()),
        (200, replaced("MD1", "MD2")),
        (200, mandate("MD2", "active")),
        (200, account()),
    ];
    let scripted = Scripted::new(answers);
    let found = provider().fetch_session(&scripted.cx(), SessionRef::new("BRQ1")).await.unwrap();
    assert_eq!(found.methods[0].token.token.expose_secret(), "MD2");
    // Fulfilled, and its mandate not yet named.
    let mut without = fulfilled();
    without["billing_requests"]["links"] = json!({});
    let found = Scripted::new([(200, without)]);
    let found = provider().fetch_session(&found.cx(), SessionRef::new("BRQ1")).await.unwrap();
    assert!(found.methods.is_empty());
    // The mandate cannot be asked about: nothing is said of the session.
    let scripted = Scripted::new([(200, fulfilled()), (503, json!({}))]);
    let error = provider().fetch_session(&scripted.cx(), SessionRef::new("BRQ1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GatewayUnavailable);
}

#[tokio::test]
async fn a_cancellation_that_comes_too_late_says_how_it_ended() {
    let scripted = Scripted::new([
        not_cancelled(),
        (200, fulfilled()),
        (200, mandate("MD1", "active")),
        (200, account()),
    ]);
    let found = provider().cancel_session(&scripted.cx(), SessionRef::new("BRQ1")).await.unwrap();
    assert_eq!((found.status, found.methods.len()), (ProviderSessionStatus::Completed, 1));
    // Something else was refused: it is still open.
    let scripted = Scripted::new([not_cancelled(), (200, pending())]);
    let error = provider().cancel_session(&scripted.cx(), SessionRef::new("BRQ1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GatewayRejected);
}

#[tokio::test]
async fn a_replaced_mandate_leads_to_its_successor() {
    let scripted = Scripted::new([
        (200, replaced("MD1", "MD2")),
        (200, replaced("MD2", "MD3")),
        (200, mandate("MD3", "pending_submission")),
        (200, account()),
    ]);
    let found = provider().fetch_method(&scripted.cx(), token("MD1")).await.unwrap();
    assert_eq!(found.token.token.expose_secret(), "MD3");
    assert_eq!(found.replaces.unwrap().expose_secret(), "MD1", "the one that was asked about");
    assert_eq!(found.status, ProviderMethodStatus::Pending);
    let same = Scripted::new([(200, mandate("MD1", "active")), (200, account())]);
    assert!(provider().fetch_method(&same.cx(), token("MD1")).await.unwrap().replaces.is_none());
}

#[tokio::test]
async fn what_makes_no_sense_is_not_believed() {
    let circle = (0..9)
        .map(|number| (200, replaced(&format!("MD{}", number % 2), &format!("MD{}", (number + 1) % 2))));
    let elsewhere = || vec![(200, mandate("MD7", "active")), (200, account())];
    for answers in [circle.collect(), elsewhere(), vec![(200, replaced("MD0", "../creditors"))]] {
        let scripted = Scripted::new(answers);
        let error = provider().fetch_method(&scripted.cx(), token("MD0")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::GatewayProtocol, "{error:?}");
        assert!(scripted.paths().iter().all(|path| !path.contains("creditors")));
    }
}

/// Its account may be removed once a mandate is over.
#[tokio::test]
async fn an_account_that_is_gone_is_no_error() {
    let scripted = Scripted::new([(200, mandate("MD1", "cancelled")), missing()]);
    let found = provider().fetch_method(&scripted.cx(), token("MD1")).await.unwrap();
    assert_eq!((found.status, found.display.last4), (ProviderMethodStatus::Revoked, None));
}

async fn delete(answers: impl IntoIterator<Item = (u16, Value)>) -> (Result<Deletion>, Vec<String>) {
    let scripted = Scripted::new(answers);
    (provider().delete_method(&scripted.cx(), token("MD1")).await, scripted.paths())
}

#[tokio::test]
async fn deleting_cancels_what_can_still_be_charged() {
    let deleted = |outcome: Result<Deletion>| outcome.unwrap();
    assert_eq!(deleted(delete([(200, mandate("MD1", "cancelled"))]).await.0), Deletion::Deleted);
    assert_eq!(deleted(delete([missing()]).await.0), Deletion::AlreadyGone);
    for status in ["cancelled", "failed", "expired", "consumed", "blocked"] {
        let (outcome, _) = delete([not_cancelled(), (200, mandate("MD1", status))]).await;
        assert_eq!(deleted(outcome), Deletion::AlreadyGone, "{status}");
    }
    for status in ["active", "submitted", "suspended_by_payer", "new_word"] {
        let (outcome, _) = delete([not_cancelled(), (200, mandate("MD1", status))]).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::GatewayRejected, "{status} is not gone");
    }
    assert_eq!(deleted(delete([not_cancelled(), missing()]).await.0), Deletion::AlreadyGone);
    // A proxy's 404 is nobody's word.
    assert!(delete([(404, json!({}))]).await.0.is_err());
}

#[tokio::test]
async fn deleting_reaches_the_mandate_in_its_place() {
    let (outcome, paths) =
        delete([not_cancelled(), (200, replaced("MD1", "MD2")), (200, mandate("MD2", "cancelled"))]).await;
    assert_eq!(outcome.unwrap(), Deletion::Deleted);
    let expected =
        ["POST /mandates/MD1/actions/cancel", "GET /mandates/MD1", "POST /mandates/MD2/actions/cancel"];
    assert_eq!(paths, expected);
    let gone =
        [not_cancelled(), (200, replaced("MD1", "MD2")), not_cancelled(), (200, mandate("MD2", "expired"))];
    assert_eq!(delete(gone).await.0.unwrap(), Deletion::AlreadyGone);
    let unknown = [not_cancelled(), (200, replaced("MD1", "MD2")), (503, json!({}))];
    assert_eq!(delete(unknown).await.0.unwrap_err().kind(), ErrorKind::GatewayUnavailable);
}
