//! Ending a session early: an open one is ended, one that is over is told as it is.

use billfold_core::ErrorKind;
use billfold_core::capability::Usage;
use billfold_core::provider::{ProviderSession, ProviderSessionStatus, SessionRef};
use billfold_sandbox::CompleteSession;
use serde_json::{Value, json};

use crate::calls::{SESSION, TOKEN};
use crate::scripted::{Answer, Scripted};
use crate::support::{REFERENCE, World, context, provider, request};

async fn canceled(world: &World, session: &str) -> billfold_core::Result<ProviderSession> {
    world.provider.cancel_session(&world.cx, SessionRef::new(session)).await
}

#[tokio::test]
async fn an_open_session_is_canceled() {
    let world = World::start(json!({})).await;
    let session = world.create(request(REFERENCE, Usage::OnSession)).await.unwrap().reference;
    let ended = canceled(&world, &session).await.unwrap();
    assert_eq!((ended.status, ended.reference.as_str()), (ProviderSessionStatus::Canceled, session.as_str()));
    assert_eq!(world.fetch(&session).await.unwrap().status, ProviderSessionStatus::Canceled);
    assert_eq!(canceled(&world, &session).await.unwrap().status, ProviderSessionStatus::Canceled, "twice");
}

#[tokio::test]
async fn a_session_that_is_over_is_told_as_it_is() {
    let world = World::start(json!({})).await;
    let (session, _) = world.completed(&CompleteSession::default()).await;
    let ended = canceled(&world, &session).await.unwrap();
    assert_eq!((ended.status, ended.methods.len()), (ProviderSessionStatus::Completed, 1));

    let other =
        world.create(request("ses_018f0000000070008000000000000003", Usage::OnSession)).await.unwrap();
    world.control().expire(&other.reference);
    let ended = canceled(&world, &other.reference).await.unwrap();
    assert_eq!(ended.status, ProviderSessionStatus::Expired);
}

#[tokio::test]
async fn a_session_that_does_not_exist_is_an_error() {
    let world = World::start(json!({})).await;
    for id in ["ps-000000000000000000000000", "nonsense"] {
        let error = canceled(&world, id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::GatewayRejected);
        assert_eq!(error.fault().unwrap().http_status, Some(404));
        assert_eq!(error.fault().unwrap().code.as_deref(), Some("NOT_FOUND"));
    }
}

async fn answered(refusal: (u16, &str), then: Value) -> billfold_core::Result<ProviderSession> {
    let refusal = Answer::json(refusal.0, &json!({"error_code": refusal.1, "message": "no"}));
    let token = Answer::json(200, &json!({"payment_token_id": TOKEN, "status": "ACTIVE"}));
    let server = Scripted::start(vec![refusal, Answer::json(200, &then), token]).await;
    let provider = provider(&server.url(), &json!({}));
    provider.cancel_session(&context("key-1"), SessionRef::new(SESSION)).await
}

/// The gateway's documents call this refusal by several names.
#[tokio::test]
async fn each_spelling_of_over_is_understood() {
    use ProviderSessionStatus::{Canceled, Completed, Expired, Processing, Unknown};
    for refusal in
        [(422, "INVALID_SESSION_STATUS"), (403, "INELIGIBLE_SESSION_REQUEST"), (409, "SOMETHING_NEW")]
    {
        for (status, expected) in [
            ("CANCELED", Canceled),
            ("EXPIRED", Expired),
            ("COMPLETED", Completed),
            ("PENDING", Processing),
            ("SOMETHING_NEW", Unknown),
        ] {
            let session = json!({"payment_session_id": SESSION, "status": status, "payment_token_id": TOKEN});
            let ended = answered(refusal, session).await.unwrap();
            assert_eq!(ended.status, expected, "{refusal:?} {status}");
            assert_eq!(ended.methods.len(), usize::from(status == "COMPLETED"));
        }
    }
}

/// Then it was not refused for being over: a key without the permission to write reads on as before.
#[tokio::test]
async fn a_refusal_about_a_session_that_is_still_open_stands() {
    for (refusal, kind) in [
        ((403, "REQUEST_FORBIDDEN_ERROR"), ErrorKind::GatewayAuthentication),
        ((409, "SOMETHING_NEW"), ErrorKind::GatewayRejected),
        ((422, "SOMETHING_NEW"), ErrorKind::GatewayRejected),
    ] {
        let open = json!({"payment_session_id": SESSION, "status": "ACTIVE"});
        let error = answered(refusal, open).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{refusal:?}");
        let fault = error.fault().unwrap();
        assert_eq!((fault.http_status, fault.code.as_deref()), (Some(refusal.0), Some(refusal.1)));
    }
}
