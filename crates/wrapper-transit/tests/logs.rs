//! Neither keys nor the token reach a log, at any level, of any crate. A program of its own, because it logs
//! all that happens in it.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

#[path = "it/support.rs"]
#[expect(dead_code, reason = "this program needs a part of it")]
mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use billfold_testkit::fake::Fault;
use billfold_testkit::key_wrapper::spellings;
use http::StatusCode;
use serde_json::json;

use support::{build, context, engine, key, settings};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process: connections are driven by tasks of their own.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let fake = engine().await;
    let wrapper = build(&settings(&fake, &json!({"timeout_ms": 5_000})));
    let (key, context) = (key(), context());
    let wrapped = wrapper.wrap(&key, &context).await.unwrap();
    let refusal = json!({"errors": [fake.token()]}).to_string();
    for fault in [
        None,
        Some(Fault::Hangup),
        Some(Fault::Silence),
        Some(Fault::Half),
        Some(Fault::page(StatusCode::BAD_GATEWAY)),
        Some(Fault::Answer(StatusCode::FORBIDDEN, Vec::new(), refusal)),
    ] {
        fake.set_fault(fault);
        let _ = wrapper.wrap(&key, &context).await;
        let _ = wrapper.unwrap(&wrapped, &context).await;
        let _ = wrapper.check().await;
    }

    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("TRACE"), "nothing was logged, so nothing is shown by this test");
    let mut secrets = spellings(key.expose());
    secrets.extend(spellings(fake.token().as_bytes()));
    let hits = secrets.iter().filter(|secret| text.contains(secret.as_str())).count();
    assert_eq!(hits, 0, "spellings of secrets in the log");
}
