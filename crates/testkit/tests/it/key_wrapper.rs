//! The suite passes core's own wrapper, and each flawed one is caught by the trials that should catch it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::entropy::SystemEntropy;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::vault::{KeyWrapper, LocalWrapper};
use billfold_testkit::key_wrapper::{Bench, Trouble, run, trials};
use futures::FutureExt as _;

use crate::mutants::{Flaw, MutantBench};

struct LocalBench {
    root: SecretString,
    other: SecretString,
}

#[async_trait]
impl Bench for LocalBench {
    async fn wrapper(&self) -> Arc<dyn KeyWrapper> {
        Arc::new(LocalWrapper::from_base64(&self.root).unwrap())
    }

    async fn other_root_key(&self) -> Arc<dyn KeyWrapper> {
        Arc::new(LocalWrapper::from_base64(&self.other).unwrap())
    }

    async fn trouble(&self, _trouble: Trouble) -> bool {
        false
    }

    async fn rotate(&self) -> bool {
        false
    }

    fn canaries(&self) -> Vec<String> {
        vec![self.root.expose_secret().to_owned(), self.other.expose_secret().to_owned()]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_wrapper_keeps_the_contract() {
    run(|| async {
        let key = || LocalWrapper::generate(&SystemEntropy).unwrap();
        Arc::new(LocalBench { root: key(), other: key() }) as Arc<dyn Bench>
    })
    .await;
}

const ROUND_TRIP: &str = "a key comes back as it was";
const CHECK: &str = "the root key can be checked";
const ID: &str = "the id is stable and names one root key";
const FRESH: &str = "two wraps of one key differ";
const HIDDEN: &str = "a wrapped key does not show the key";
const ROTATED: &str = "what an older version of the root key wrapped still opens";
const TOGETHER: &str = "a hundred round trips at once";
const CONTEXT: &str = "a key opens in its own context only";
const ROOT_KEY: &str = "a key opens under its own root key only";
const TRUNCATION: &str = "no truncation opens";
const FLIP: &str = "no flipped bit opens";
const GARBAGE: &str = "nothing else opens";
const DOWN: &str = "a service that is down is unavailable";
const DENYING: &str = "a service that refuses us denies";
const RECOVERY: &str = "a wrapper comes back with its service";
const GIVEN_UP: &str = "a call that is given up does no harm";
const SECRETS: &str = "nothing prints a secret";

/// The trials that a wrapper with this flaw fails.
async fn failures(flaw: Flaw) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for (name, trial) in trials() {
        let bench = Arc::new(MutantBench::new(flaw));
        if AssertUnwindSafe(trial(bench)).catch_unwind().await.is_err() {
            failed.push(name);
        }
    }
    failed
}

// One thread and a clock that runs only while everybody waits: which trials see a flaw does not depend on how busy the
// machine is.
async fn check(flaw: Flaw, expected: &[&str]) {
    assert_eq!(failures(flaw).await, expected, "{flaw:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wrapper_without_flaw_passes() {
    check(Flaw::None, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_bound_is_caught() {
    check(Flaw::IgnoresKeyId, &[CONTEXT, SECRETS]).await;
    check(Flaw::IgnoresTenant, &[CONTEXT, SECRETS]).await;
    check(Flaw::IgnoresSubject, &[CONTEXT, SECRETS]).await;
    check(Flaw::IgnoresPurpose, &[CONTEXT, SECRETS]).await;
    check(Flaw::JoinsTenantAndSubject, &[CONTEXT, SECRETS]).await;
    check(Flaw::IgnoresRootKey, &[ROOT_KEY, SECRETS]).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_wraps_are_caught() {
    let opening = [ROUND_TRIP, ID, ROTATED, TOGETHER, RECOVERY, GIVEN_UP];
    check(Flaw::OpensToAConstant, &opening).await;
    check(Flaw::WrapsAlike, &[FRESH]).await;
    check(Flaw::ShowsTheKey, &[HIDDEN, FLIP]).await;
    check(Flaw::ForgetsOlderVersions, &[ROTATED]).await;
    check(Flaw::MixesCallers, &[TOGETHER]).await;
    check(Flaw::ChangesItsId, &[ID]).await;
}

#[tokio::test(start_paused = true)]
async fn open_doors_are_caught() {
    check(Flaw::PadsWhatIsTruncated, &[TRUNCATION]).await;
    check(Flaw::IgnoresTheLastByte, &[FLIP]).await;
    check(Flaw::IgnoresTrailingBytes, &[GARBAGE]).await;
    check(Flaw::PanicsOnShortInput, &[TRUNCATION, GARBAGE]).await;
    check(Flaw::HopesForGarbage, &[TRUNCATION, FLIP, GARBAGE]).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_words_about_the_service_are_caught() {
    check(Flaw::DeniesWhenDown, &[DOWN]).await;
    check(Flaw::RefusesWhenDown, &[DOWN]).await;
    check(Flaw::HopesWhenDenied, &[DENYING]).await;
    check(Flaw::ChecksNothing, &[DOWN, DENYING, RECOVERY, SECRETS]).await;
    check(Flaw::FailsItsCheck, &[CHECK, DENYING, RECOVERY]).await;
    check(Flaw::StaysDown, &[RECOVERY, GIVEN_UP]).await;
    check(Flaw::StaysBusyWhenGivenUp, &[GIVEN_UP]).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrapper_that_waits_for_ever_is_caught() {
    check(Flaw::WaitsForEver, &[DOWN, RECOVERY, SECRETS]).await;
}

#[tokio::test(start_paused = true)]
async fn leaks_are_caught() {
    check(Flaw::PrintsTheLastKey, &[SECRETS]).await;
    check(Flaw::PrintsTheTokenInErrors, &[SECRETS]).await;
    check(Flaw::PrintsTheTokenInItsId, &[SECRETS]).await;
}
