//! Errors, by status first and by the gateway's code second; and none of its words.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::error::Retry;
use billfold_core::provider::SessionRef;
use serde_json::json;

use crate::support::{Scripted, provider, refusal, request};

#[tokio::test]
async fn every_status_is_an_error_of_its_kind() {
    let (never, again) = (Retry::Never, Retry::SameKey { after: None });
    let minute = Retry::SameKey { after: Some(Duration::from_mins(1)) };
    for (status, kind, reading, creating) in [
        (400, ErrorKind::GatewayRejected, never, never),
        (404, ErrorKind::GatewayRejected, never, never),
        (409, ErrorKind::GatewayRejected, never, never),
        (422, ErrorKind::GatewayRejected, never, never),
        (401, ErrorKind::GatewayAuthentication, never, never),
        (403, ErrorKind::GatewayAuthentication, never, never),
        (429, ErrorKind::GatewayRateLimited, minute, minute),
        (500, ErrorKind::GatewayUnavailable, again, Retry::OutcomeUnknown),
        (503, ErrorKind::GatewayUnavailable, again, Retry::OutcomeUnknown),
        (302, ErrorKind::GatewayProtocol, never, Retry::OutcomeUnknown),
        (200, ErrorKind::GatewayProtocol, never, Retry::OutcomeUnknown),
    ] {
        let body = refusal("some_type", json!({"reason": "some_reason", "message": "CANARY"}));
        let scripted = Scripted::new([(status, body.clone()), (status, body)]);
        let read = provider().fetch_session(&scripted.cx(), SessionRef::new("BRQ1")).await.unwrap_err();
        assert_eq!((read.kind(), read.retry()), (kind, reading), "{status}");
        let made = provider().create_session(&scripted.cx(), request()).await.unwrap_err();
        assert_eq!((made.kind(), made.retry()), (kind, creating), "{status}");
        for error in [read, made] {
            let fault = error.fault().unwrap();
            assert_eq!((fault.http_status, fault.code.as_deref()), (Some(status), Some("some_reason")));
            assert_eq!(fault.request_id.as_deref(), Some("req-1"));
            assert!(!format!("{error} {error:?} {}", error.log_line()).contains("CANARY"));
        }
    }
}

#[tokio::test]
async fn the_type_is_the_code_where_there_is_no_reason() {
    let body = refusal("invalid_api_usage", json!({"message": "CANARY"}));
    let scripted = Scripted::new([(404, body)]);
    let error = provider().fetch_session(&scripted.cx(), SessionRef::new("BRQ1")).await.unwrap_err();
    assert_eq!(error.fault().unwrap().code.as_deref(), Some("invalid_api_usage"));
}

/// A 404 proves the credentials only when the gateway itself says it.
#[tokio::test]
async fn the_check_believes_the_gateway_alone() {
    let own = Scripted::new([(404, refusal("invalid_api_usage", json!({"reason": "resource_not_found"})))]);
    assert!(provider().check(&own.cx()).await.is_ok());
    for answer in [(404, json!({})), (401, json!({})), (500, json!({})), (302, json!({}))] {
        let scripted = Scripted::new([answer.clone()]);
        assert!(provider().check(&scripted.cx()).await.is_err(), "{answer:?}");
    }
    assert!(provider().check(&Scripted::new([]).cx()).await.is_err(), "no answer");
}
