//! Deleting a token: gone is gone, and not yet is not gone.

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use billfold_core::provider::{Deletion, ProviderMethodStatus, TokenRef};
use billfold_sandbox::CompleteSession;
use serde_json::json;

use crate::calls::TOKEN;
use crate::scripted::{Answer, Scripted};
use crate::support::{World, context, provider};

async fn deleted(world: &World, token: &str) -> billfold_core::Result<Deletion> {
    world.provider.delete_method(&world.cx, TokenRef::new(token)).await
}

#[tokio::test]
async fn an_active_token_is_deleted_once() {
    let world = World::start(json!({})).await;
    let (_, token) = world.completed(&CompleteSession::default()).await;
    assert_eq!(deleted(&world, &token).await.unwrap(), Deletion::Deleted);
    let method = world.provider.fetch_method(&world.cx, TokenRef::new(token.as_str())).await.unwrap();
    assert_eq!(method.status, ProviderMethodStatus::Revoked);
    assert_eq!(deleted(&world, &token).await.unwrap(), Deletion::AlreadyGone, "twice");
}

#[tokio::test]
async fn a_token_that_nobody_knows_is_gone() {
    let world = World::start(json!({})).await;
    for token in [TOKEN, "pt-661f87c6aaaaaaaaaaaaaaaa", "no id at all", ""] {
        assert_eq!(deleted(&world, token).await.unwrap(), Deletion::AlreadyGone, "{token}");
    }
}

/// Only an active token can be canceled. One that ended needs it no more; one that did not begin may yet.
#[tokio::test]
async fn what_is_not_active_is_gone_or_not_yet() {
    for (status, gone) in [
        ("FAILED", true),
        ("EXPIRED", true),
        ("CANCELED", true),
        ("INACTIVE", true),
        ("PENDING", false),
        ("REQUIRES_ACTION", false),
        ("SOMETHING_NEW", false),
    ] {
        let world = World::start(json!({})).await;
        let complete =
            CompleteSession { token_status: Some(status.to_owned()), ..CompleteSession::default() };
        let (_, token) = world.completed(&complete).await;
        let outcome = deleted(&world, &token).await;
        if gone {
            assert_eq!(outcome.unwrap(), Deletion::AlreadyGone, "{status}");
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::GatewayRejected, "{status}");
        assert_eq!(error.retry(), Retry::SameKey { after: None }, "{status}");
        world.control().set_token_status(&token, "ACTIVE", None);
        assert_eq!(deleted(&world, &token).await.unwrap(), Deletion::Deleted, "{status}, later");
    }
}

/// Two names for the same refusal; any other is about something else, and nothing is gone.
#[tokio::test]
async fn only_what_says_inactive_is_looked_at_again() {
    for (code, looked_at) in [
        ("INELIGIBLE_TRANSACTION_STATUS", true),
        ("INACTIVE_PAYMENT_REQUEST", true),
        ("API_VALIDATION_ERROR", false),
        ("TEMPORARILY_UNAVAILABLE", false),
    ] {
        let refusal = Answer::json(400, &json!({"error_code": code, "message": "no"}));
        let token = Answer::json(200, &json!({"payment_token_id": TOKEN, "status": "EXPIRED"}));
        let server = Scripted::start(vec![refusal, token]).await;
        let provider = provider(&server.url(), &json!({}));
        let outcome = provider.delete_method(&context("key-1"), TokenRef::new(TOKEN)).await;
        assert_eq!(outcome.ok(), looked_at.then_some(Deletion::AlreadyGone), "{code}");
        assert_eq!(server.seen().len(), if looked_at { 2 } else { 1 }, "{code}");
    }
}
