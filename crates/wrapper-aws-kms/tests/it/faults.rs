//! What goes wrong on the way.

use std::time::{Duration, Instant};

use billfold_core::vault::WrapError;
use billfold_testkit::fake::Fault;
use billfold_testkit::fake_kms::FakeKms;
use http::StatusCode;
use serde_json::json;

use crate::support::{context, key, service, wrapper_with};
use crate::wrapper;

/// What both calls end in.
async fn outcomes(fake: &FakeKms, arn: &str, fault: Fault) -> [WrapError; 2] {
    let (wrapper, context) = (wrapper(fake, arn), context());
    fake.set_fault(None);
    let wrapped = wrapper.wrap(&key(), &context).await.unwrap();
    fake.set_fault(Some(fault));
    let wrap = wrapper.wrap(&key(), &context).await.unwrap_err();
    let unwrap = wrapper.unwrap(&wrapped, &context).await.unwrap_err();
    [wrap, unwrap]
}

#[tokio::test]
async fn answers_that_are_none_make_it_unavailable() {
    let (fake, arn) = service().await;
    for fault in [
        Fault::Half,
        Fault::Hangup,
        Fault::page(StatusCode::OK),
        Fault::page(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::page(StatusCode::BAD_GATEWAY),
        Fault::Answer(StatusCode::OK, Vec::new(), String::new()),
        Fault::Answer(StatusCode::OK, Vec::new(), "{}".to_owned()),
        FakeKms::error(StatusCode::INTERNAL_SERVER_ERROR, "KMSInternalException", "CANARY"),
        FakeKms::error(StatusCode::INTERNAL_SERVER_ERROR, "KeyUnavailableException", "CANARY"),
        FakeKms::error(StatusCode::BAD_REQUEST, "DependencyTimeoutException", "CANARY"),
        FakeKms::error(StatusCode::BAD_REQUEST, "ThrottlingException", "CANARY"),
    ] {
        for error in outcomes(&fake, &arn, fault.clone()).await {
            assert!(matches!(error, WrapError::Unavailable { .. }), "{fault:?}: {error:?}");
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
}

/// One call is one request: the vault decides what is repeated.
#[tokio::test]
async fn nothing_is_repeated() {
    let (fake, arn) = service().await;
    let wrapper = wrapper(&fake, &arn);
    fake.set_fault(Some(FakeKms::error(StatusCode::BAD_REQUEST, "ThrottlingException", "slow down")));
    wrapper.wrap(&key(), &context()).await.unwrap_err();
    assert_eq!(fake.received().len(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let ((fake, arn), (elsewhere, _)) = (service().await, service().await);
    for status in [StatusCode::MOVED_PERMANENTLY, StatusCode::TEMPORARY_REDIRECT] {
        let fault = Fault::Answer(status, vec![("location", elsewhere.endpoint())], String::new());
        for error in outcomes(&fake, &arn, fault).await {
            assert!(matches!(error, WrapError::Unavailable { .. }), "{error:?}");
        }
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_silent_service_is_given_up_in_time() {
    let (fake, arn) = service().await;
    let (key, context) = (key(), context());
    let wrapped = wrapper(&fake, &arn).wrap(&key, &context).await.unwrap();
    let impatient = wrapper_with(&fake, &arn, &json!({"timeout_ms": 1_500}));
    fake.set_fault(Some(Fault::Silence));
    let began = Instant::now();
    let wrap = impatient.wrap(&key, &context).await.unwrap_err();
    let unwrap = impatient.unwrap(&wrapped, &context).await.unwrap_err();
    for error in [wrap, unwrap] {
        assert!(
            matches!(&error, WrapError::Unavailable { reason, .. } if reason.contains("timed out")),
            "{error:?}"
        );
    }
    // Long before the service itself ends its silence.
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_closed_port_is_unavailable() {
    let (fake, arn) = service().await;
    // Bound and not listening: nobody else can take the port, and connections are refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = format!("http://{}", socket.local_addr().unwrap());
    let wrapper = wrapper_with(&fake, &arn, &json!({"endpoint_url": endpoint}));
    let error = wrapper.check().await.unwrap_err();
    assert!(
        matches!(&error, WrapError::Unavailable { reason, .. } if reason.contains("connection")),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_no_service_made_is_not_sent() {
    let (fake, arn) = service().await;
    let wrapper = wrapper(&fake, &arn);
    for bytes in [Vec::new(), vec![0; 6145], vec![1; 1024 * 1024]] {
        assert_eq!(wrapper.unwrap(&bytes, &context()).await.err(), Some(WrapError::Refused));
    }
    assert!(fake.received().is_empty());
}
