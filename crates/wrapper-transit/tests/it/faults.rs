//! What goes wrong on the way.

use std::time::{Duration, Instant};

use billfold_core::vault::WrapError;
use billfold_testkit::fake::Fault;
use billfold_testkit::fake_transit::FakeTransit;
use http::StatusCode;
use serde_json::json;

use crate::support::{build, context, engine, key, settings, wrapper};

/// What both calls end in.
async fn outcomes(fake: &FakeTransit, fault: Fault) -> [WrapError; 2] {
    let (wrapper, context) = (wrapper(fake), context());
    fake.set_fault(None);
    let wrapped = wrapper.wrap(&key(), &context).await.unwrap();
    fake.set_fault(Some(fault));
    let wrap = wrapper.wrap(&key(), &context).await.unwrap_err();
    let unwrap = wrapper.unwrap(&wrapped, &context).await.unwrap_err();
    [wrap, unwrap]
}

#[tokio::test]
async fn answers_that_are_none_make_it_unavailable() {
    let fake = engine().await;
    let empty = json!({"data": {}}).to_string();
    for fault in [
        Fault::Half,
        Fault::Oversize,
        Fault::page(StatusCode::OK),
        Fault::page(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::page(StatusCode::BAD_GATEWAY),
        Fault::Answer(StatusCode::OK, Vec::new(), String::new()),
        Fault::Answer(StatusCode::OK, Vec::new(), empty),
        Fault::Answer(
            StatusCode::OK,
            Vec::new(),
            json!({"data": {"ciphertext": "x", "plaintext": "?"}}).to_string(),
        ),
        Fault::Answer(StatusCode::NO_CONTENT, Vec::new(), String::new()),
    ] {
        for error in outcomes(&fake, fault.clone()).await {
            assert!(matches!(error, WrapError::Unavailable { .. }), "{fault:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_sealed_server_is_unavailable() {
    let fake = engine().await;
    let wrapper = wrapper(&fake);
    fake.set_sealed(true);
    let error = wrapper.check().await.unwrap_err();
    assert!(
        matches!(&error, WrapError::Unavailable { reason, .. } if reason.contains("sealed")),
        "{error:?}"
    );
    fake.set_sealed(false);
    wrapper.check().await.unwrap();
}

#[tokio::test]
async fn a_busy_server_says_how_long_to_wait() {
    let fake = engine().await;
    let headers = vec![("retry-after", "3".to_owned()), ("x-ratelimit-limit", "1".to_owned())];
    let body = json!({"errors": ["request path \"transit/decrypt/billfold\": rate limit quota exceeded"]});
    let fault = Fault::Answer(StatusCode::TOO_MANY_REQUESTS, headers, body.to_string());
    for error in outcomes(&fake, fault).await {
        let WrapError::Unavailable { retry_after, .. } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(3)));
    }
}

/// The token goes to the server that was configured, and nowhere else.
#[tokio::test]
async fn redirects_are_not_followed() {
    let (fake, elsewhere) = (engine().await, engine().await);
    for status in [StatusCode::MOVED_PERMANENTLY, StatusCode::TEMPORARY_REDIRECT] {
        let headers = vec![("location", format!("{}/v1/transit/encrypt/billfold", elsewhere.address()))];
        for error in outcomes(&fake, Fault::Answer(status, headers, String::new())).await {
            assert!(matches!(error, WrapError::Unavailable { .. }), "{error:?}");
        }
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time() {
    let fake = engine().await;
    let (key, context) = (key(), context());
    let wrapped = wrapper(&fake).wrap(&key, &context).await.unwrap();
    let impatient = build(&settings(&fake, &json!({"timeout_ms": 1_500})));
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
    // Long before the server itself ends its silence.
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_closed_port_is_unavailable() {
    let fake = engine().await;
    // Bound and not listening: nobody else can take the port, and connections are refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", socket.local_addr().unwrap());
    let wrapper = build(&settings(&fake, &json!({"address": address})));
    let error = wrapper.check().await.unwrap_err();
    assert!(
        matches!(&error, WrapError::Unavailable { reason, .. } if reason.contains("connection")),
        "{error:?}"
    );
}

/// Most of what is not a wrapped key is recognised without a call.
#[tokio::test]
async fn what_cannot_be_a_ciphertext_is_not_sent() {
    let fake = engine().await;
    let wrapper = wrapper(&fake);
    for bytes in [&b""[..], b"vault:v1:", b"vault:v0:AAAA", &[0xff; 60], &[b'A'; 10_000]] {
        assert_eq!(wrapper.unwrap(bytes, &context()).await.err(), Some(WrapError::Refused));
    }
    assert!(fake.received().is_empty());
}
