//! The contract of key wrappers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::vault::KeyWrapper;
use billfold_testkit::fake::Fault;
use billfold_testkit::fake_transit::FakeTransit;
use billfold_testkit::key_wrapper::{Bench, Trouble, run};
use http::StatusCode;
use serde_json::json;

use crate::support::{KEY, build, engine, settings};

const OTHER: &str = "other";

/// The same wrapper is answered, on a machine that may be busy, and meets silence, which takes as long as this.
const TIMEOUT_MS: u32 = 10_000;

struct TransitBench {
    fake: FakeTransit,
    /// The token's file, when it is read from one.
    sink: Option<PathBuf>,
    _folder: tempfile::TempDir,
}

impl TransitBench {
    async fn start(with_sink: bool) -> Arc<dyn Bench> {
        let (fake, folder) = (engine().await, tempfile::tempdir().unwrap());
        fake.add_key(OTHER);
        let sink = with_sink.then(|| folder.path().join("token"));
        if let Some(sink) = &sink {
            std::fs::write(sink, fake.token() + "\n").unwrap();
        }
        Arc::new(Self { fake, sink, _folder: folder })
    }

    fn build(&self, key: &str) -> Arc<dyn KeyWrapper> {
        let changes = match &self.sink {
            Some(sink) => {
                json!({"key": key, "token": null, "token_sink": sink, "timeout_ms": TIMEOUT_MS})
            }
            None => json!({"key": key, "timeout_ms": TIMEOUT_MS}),
        };
        build(&settings(&self.fake, &changes))
    }
}

#[async_trait]
impl Bench for TransitBench {
    async fn wrapper(&self) -> Arc<dyn KeyWrapper> {
        self.build(KEY)
    }

    async fn other_root_key(&self) -> Arc<dyn KeyWrapper> {
        self.build(OTHER)
    }

    async fn trouble(&self, trouble: Trouble) -> bool {
        let denial = || {
            let body = json!({"errors": ["permission denied"]}).to_string();
            Fault::Answer(StatusCode::FORBIDDEN, Vec::new(), body)
        };
        self.fake.set_fault(match trouble {
            Trouble::None => None,
            Trouble::Unreachable => Some(Fault::Hangup),
            Trouble::Silent => Some(Fault::Silence),
            Trouble::Failing => Some(Fault::page(StatusCode::BAD_GATEWAY)),
            Trouble::Denying => Some(denial()),
        });
        true
    }

    async fn rotate(&self) -> bool {
        self.fake.rotate(KEY);
        true
    }

    fn canaries(&self) -> Vec<String> {
        vec![self.fake.token()]
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_kept_with_a_token() {
    run(|| TransitBench::start(false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_kept_with_a_token_sink() {
    run(|| TransitBench::start(true)).await;
}
