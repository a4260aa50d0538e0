//! `GET /sessions/{id}`: each status, each way of saying nothing, and the token of a completed session.

use billfold_core::ErrorKind;
use billfold_core::capability::{MethodKind, Usage};
use billfold_core::provider::{
    NextAction, ProviderMethodStatus, ProviderSession, ProviderSessionStatus, SessionRef,
};
use billfold_core::secret::ExposeSecret as _;
use billfold_core::{Error, Result};
use billfold_sandbox::CompleteSession;
use serde_json::{Value, json};

use crate::calls::{SESSION, TOKEN};
use crate::scripted::{Answer, Scripted};
use crate::support::{REFERENCE, World, assert_error_is_quiet, changed, context, provider, request};

const BUSINESS: &str = "5f27a14a9bf05c73dd040bc8";

/// What is made of these answers, the first being that to `GET /sessions/{id}`.
async fn fetched(settings: &Value, answers: &[&Value]) -> Result<ProviderSession> {
    let answers = answers.iter().map(|body| Answer::json(200, body)).collect();
    let server = Scripted::start(answers).await;
    let provider = provider(&server.url(), settings);
    provider.fetch_session(&context("key-1"), SessionRef::new(SESSION)).await
}

fn session(changes: &Value) -> Value {
    changed(json!({"payment_session_id": SESSION, "status": "ACTIVE", "business_id": BUSINESS}), changes)
}

fn token(changes: &Value) -> Value {
    changed(json!({"payment_token_id": TOKEN, "status": "ACTIVE", "business_id": BUSINESS}), changes)
}

#[tokio::test]
async fn statuses_are_what_they_mean() {
    use ProviderSessionStatus::{Active, Canceled, Expired, Processing, Unknown};
    for (status, expected) in [
        (json!("ACTIVE"), Active),
        (json!("PENDING"), Processing),
        // Completed without a token: the customer is done and the gateway is not.
        (json!("COMPLETED"), Processing),
        (json!("EXPIRED"), Expired),
        (json!("CANCELED"), Canceled),
        (json!("CANCELLED"), Canceled),
        // What is not known is not the end.
        (json!("FAILED"), Unknown),
        (json!("active"), Unknown),
        (json!("SOMETHING_NEW"), Unknown),
        (json!(""), Unknown),
        (json!(7), Unknown),
        (json!({"is": "ACTIVE"}), Unknown),
    ] {
        let mut body = session(&json!({}));
        body["status"] = status.clone();
        let found = fetched(&json!({}), &[&body]).await.unwrap();
        assert_eq!((found.status, found.methods.len()), (expected, 0), "{status}");
        assert_eq!(found.reference, SESSION);
    }
    let body = json!({"payment_session_id": SESSION});
    assert_eq!(fetched(&json!({}), &[&body]).await.unwrap().status, Unknown);
}

/// The real gateway leaves out what is null; its documents show it as null.
#[tokio::test]
async fn null_and_absent_are_the_same() {
    let optional = [
        "created",
        "updated",
        "reference_id",
        "customer_id",
        "session_type",
        "currency",
        "amount",
        "country",
        "mode",
        "channel_properties",
        "allowed_payment_channels",
        "expires_at",
        "locale",
        "metadata",
        "items",
        "description",
        "success_return_url",
        "cancel_return_url",
        "payment_link_url",
        "payment_token_id",
        "payment_id",
        "payment_request_id",
        "business_id",
        "components_sdk_key",
        "subscription",
    ];
    let absent = json!({"payment_session_id": SESSION, "status": "ACTIVE"});
    let mut null = absent.clone();
    for field in optional {
        null[field] = Value::Null;
    }
    for body in [absent, null] {
        let found = fetched(&json!({"business_id": BUSINESS}), &[&body]).await.unwrap();
        assert_eq!(found.status, ProviderSessionStatus::Active);
        assert!(found.next.is_none() && found.expires_at.is_none() && found.methods.is_empty());
        assert_eq!(found.echo, billfold_core::provider::Echo::default());
    }
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_not_known() {
    for (text, known) in
        [("2026-03-01T08:30:00.000Z", true), ("2026-03-01T08:30:00+07:00", true), ("soon", false)]
    {
        let found = fetched(&json!({}), &[&session(&json!({"expires_at": text}))]).await.unwrap();
        assert_eq!(found.expires_at.is_some(), known, "{text}");
    }
}

#[tokio::test]
async fn a_completed_session_comes_with_its_token() {
    let world = World::start(json!({"business_id": BUSINESS})).await;
    let (session, token) = world.completed(&CompleteSession::default()).await;
    world.control().clear_requests();
    let found = world.fetch(&session).await.unwrap();
    assert_eq!(found.status, ProviderSessionStatus::Completed);
    let [method] = found.methods.as_slice() else { panic!("{found:?}") };
    assert_eq!(method.token.token.expose_secret(), token);
    assert_eq!((method.status, method.kind), (ProviderMethodStatus::Active, MethodKind::Card));
    assert_eq!(
        (&method.echo.reference, &method.echo.customer),
        (&found.echo.reference, &found.echo.customer)
    );
    assert_eq!(method.echo.reference.as_deref(), Some(REFERENCE));
    let requests = world.control().requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, [format!("/sessions/{session}"), format!("/v3/payment_tokens/{token}")]);
    let versions = requests.iter().map(|request| request.headers.get("api-version").map(String::as_str));
    assert_eq!(versions.collect::<Vec<_>>(), [None, Some("2024-11-11")]);
}

#[tokio::test]
async fn a_token_may_be_behind_its_session() {
    use ProviderMethodStatus::{Active, Expired, Failed, Pending, Revoked, Unknown};
    for (status, expected) in [
        ("ACTIVE", Active),
        ("PENDING", Pending),
        ("REQUIRES_ACTION", Pending),
        ("FAILED", Failed),
        ("EXPIRED", Expired),
        ("CANCELED", Revoked),
        ("INACTIVE", Revoked),
        ("SOMETHING_NEW", Unknown),
    ] {
        let world = World::start(json!({})).await;
        let complete =
            CompleteSession { token_status: Some(status.to_owned()), ..CompleteSession::default() };
        let (session, _) = world.completed(&complete).await;
        let found = world.fetch(&session).await.unwrap();
        assert_eq!(found.status, ProviderSessionStatus::Completed, "{status}");
        assert_eq!(found.methods[0].status, expected, "{status}");
    }
}

#[tokio::test]
async fn a_session_ends_by_time_and_by_cancel() {
    let world = World::start(json!({})).await;
    let expired = world.create(request(REFERENCE, Usage::OnSession)).await.unwrap().reference;
    assert!(world.control().fail(&expired, "CARD_DECLINED"));
    assert_eq!(
        world.fetch(&expired).await.unwrap().status,
        ProviderSessionStatus::Active,
        "a failed attempt"
    );
    world.control().expire(&expired);
    assert_eq!(world.fetch(&expired).await.unwrap().status, ProviderSessionStatus::Expired);
}

async fn refused(settings: &Value, answers: &[&Value]) -> Error {
    let error = fetched(settings, answers).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GatewayProtocol, "{error:?}");
    assert_error_is_quiet(&error, &answers);
    error
}

/// Answers that do not belong together, or to us.
#[tokio::test]
async fn what_contradicts_is_refused() {
    let ours = json!({"business_id": BUSINESS});
    let another = json!({"business_id": "CANARY-business"});
    let completed = session(&json!({"status": "COMPLETED", "payment_token_id": TOKEN}));
    fetched(&ours, &[&completed, &token(&json!({}))]).await.unwrap();
    refused(&ours, &[&session(&another)]).await;
    refused(&ours, &[&completed, &token(&another)]).await;
    refused(&json!({}), &[&completed, &token(&json!({"payment_token_id": "pt-CANARY"}))]).await;
    refused(&json!({}), &[&completed, &token(&json!({"payment_token_id": null}))]).await;
    refused(&json!({}), &[&json!({"status": "ACTIVE"})]).await;
    // Without a configured business id nothing is compared.
    fetched(&json!({}), &[&session(&another)]).await.unwrap();
}

/// Tokens are called by several kinds of id, so their form is not looked at.
#[tokio::test]
async fn ids_are_taken_as_they_come() {
    for id in ["pt-661f87c6aaaaaaaaaaaaaaaa", "ptkn-00000000-0000-4000-8000-000000000002", "7"] {
        let completed = session(&json!({"status": "COMPLETED", "payment_token_id": id}));
        let found =
            fetched(&json!({}), &[&completed, &token(&json!({"payment_token_id": id}))]).await.unwrap();
        assert_eq!(found.methods[0].token.token.expose_secret(), id);
    }
}

/// Hosts of links differ between test and live, so none is wanted in particular.
#[tokio::test]
async fn links_are_taken_as_they_come_and_not_printed() {
    for host in ["checkout.xendit.co/sessions", "xen.to", "dev.xen.to", "checkout-staging.xendit.co/sessions"]
    {
        let link = format!("https://{host}/CANARY");
        let found = fetched(&json!({}), &[&session(&json!({"payment_link_url": link}))]).await.unwrap();
        let Some(NextAction::Redirect(url)) = &found.next else { panic!("{found:?}") };
        assert_eq!(url.expose_secret(), link);
        assert!(!format!("{found:?} {found:#?}").contains("CANARY"));
    }
}
