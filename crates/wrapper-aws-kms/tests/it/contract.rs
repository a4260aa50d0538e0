//! The contract of key wrappers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::vault::KeyWrapper;
use billfold_testkit::fake::Fault;
use billfold_testkit::fake_kms::FakeKms;
use billfold_testkit::key_wrapper::{Bench, Trouble, run};
use http::StatusCode;
use serde_json::json;

use crate::support::{ALIAS, SECRET, SESSION, service, wrapper_with};

/// The same wrapper is answered, on a machine that may be busy, and meets silence, which takes as long as this.
const TIMEOUT_MS: u32 = 10_000;

struct KmsBench {
    fake: FakeKms,
    arn: String,
    other: String,
}

impl KmsBench {
    async fn start() -> Arc<dyn Bench> {
        let (fake, arn) = service().await;
        fake.demand_session_token(SESSION);
        let other = fake.add_key("other");
        Arc::new(Self { fake, arn, other })
    }

    fn build(&self, key_id: &str) -> Arc<dyn KeyWrapper> {
        let changes = json!({"session_token": SESSION, "timeout_ms": TIMEOUT_MS});
        wrapper_with(&self.fake, key_id, &changes)
    }
}

#[async_trait]
impl Bench for KmsBench {
    async fn wrapper(&self) -> Arc<dyn KeyWrapper> {
        self.build(&self.arn)
    }

    async fn other_root_key(&self) -> Arc<dyn KeyWrapper> {
        self.build(&self.other)
    }

    async fn trouble(&self, trouble: Trouble) -> bool {
        self.fake.set_allowed(trouble != Trouble::Denying);
        let internal = || FakeKms::error(StatusCode::INTERNAL_SERVER_ERROR, "KMSInternalException", "");
        self.fake.set_fault(match trouble {
            Trouble::None | Trouble::Denying => None,
            Trouble::Unreachable => Some(Fault::Hangup),
            Trouble::Silent => Some(Fault::Silence),
            Trouble::Failing => Some(internal()),
        });
        true
    }

    async fn rotate(&self) -> bool {
        self.fake.rotate(ALIAS);
        true
    }

    fn canaries(&self) -> Vec<String> {
        vec![SECRET.to_owned(), SESSION.to_owned()]
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_kept() {
    run(KmsBench::start).await;
}
