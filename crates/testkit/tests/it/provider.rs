//! The suite for providers passes the HTTP reference, and each flawed one is caught by the trials that should
//! catch it.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use billfold_testkit::provider::{Driver, Outcome, Trial, run, trials};
use billfold_testkit::reference_http::{HttpReference, Proof};
use futures::FutureExt as _;

use crate::charge_mutants::CHARGE_FLAWS;
use crate::provider_mutants::{FLAWS, Flaw, MutantDriver};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_keeps_the_contract() {
    for proof in [Proof::Token, Proof::Signature, Proof::Items] {
        run(|| async move { Arc::new(HttpReference::new(proof)) as Arc<dyn Driver> }).await;
    }
}

#[tokio::test]
async fn what_a_gateway_does_not_have_is_ignored_with_a_reason() {
    let mut ignored = BTreeSet::new();
    for trial in trials() {
        if let Outcome::Ignored(reason) = trial.run(Arc::new(HttpReference::new(Proof::Token))).await {
            ignored.insert((trial.name(), reason));
        }
    }
    let expected = [
        ("a webhook from the future is refused", "its webhooks sign no time"),
        ("an old webhook is refused", "its webhooks sign no time"),
        ("clocks may differ a little", "its webhooks sign no time"),
        ("one forged item spoils the delivery", "its deliveries carry one event each"),
    ];
    assert_eq!(ignored, BTreeSet::from(expected));
}

/// The trials that a provider with this flaw fails, over all ways of proving webhooks that matter to it.
async fn failures(flaw: Flaw, proof: Proof) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for trial in trials() {
        let driver = Arc::new(MutantDriver::new(flaw, proof));
        if AssertUnwindSafe(trial.run(driver)).catch_unwind().await.is_err() {
            failed.push(trial.name());
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flaw_is_caught_and_every_trial_catches_one() {
    // Panics are what is looked for here; two hundred of them would hide what is wrong.
    std::panic::set_hook(Box::new(|_| {}));
    let mut problems = Vec::new();
    let mut caught = BTreeSet::new();
    let charging = CHARGE_FLAWS.iter().map(|(flaw, proof, seen)| (Flaw::Charging(*flaw), *proof, *seen));
    for (flaw, proof, expected) in FLAWS.iter().copied().chain(charging) {
        let failed = failures(flaw, proof).await;
        if failed != expected {
            problems.push(format!("{flaw:?} fails {failed:#?} and not {expected:#?}"));
        }
        if failed.len() <= FEW {
            caught.extend(failed);
        }
    }
    let _ = std::panic::take_hook();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let blind: Vec<_> = trials().iter().map(Trial::name).filter(|name| !caught.contains(name)).collect();
    assert!(blind.is_empty(), "no flaw is caught by these, or only with many others: {blind:?}");
}

/// A trial earns its place by a flaw that this many trials see at most.
const FEW: usize = 8;
