//! Ids and answers that nobody expects of a gateway that charges.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use billfold_core::ErrorKind;
use billfold_core::charge::RefundReason;
use billfold_core::provider::{CreateRefund, RefundRef};
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::super::Trial;
use super::super::hostile::{HOSTILE_IDS, collect};
use super::super::world::World;
use super::{cannot, driver, named, paid, saved};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("an id of a charge is never more than an id", |world| Box::pin(ids(world))).unless(cannot),
        Trial::new("no answer about a charge makes the provider panic", |world| Box::pin(answers(world)))
            .unless(cannot),
    ]
}

/// A webhook may bring any text as an id.
async fn ids(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
    let charging = world.provider.charging().expect("a provider that charges");
    let cx = world.context("ids");
    // The empty one is as good as none.
    for id in HOSTILE_IDS.into_iter().filter(|id| !id.is_empty()) {
        let mut charge = named(&world, paid.id).await;
        let known = RefundRef::new(charge.clone(), "rfd_018f0000000070008000000000000001", charge.money);
        charge.reference = Some(id.to_owned());
        world.wire.take_seen();
        let money = charge.money;
        let _ = charging.fetch_charge(&cx, charge.clone()).await;
        let captured = charging.capture_charge(&cx, charge.clone(), money).await;
        let canceled = charging.cancel_charge(&cx, charge.clone()).await;
        assert!(captured.is_err() && canceled.is_err(), "there is no charge {id:?}");
        let reason = RefundReason::RequestedByCustomer;
        let create = CreateRefund::new(charge.clone(), "rfd_018f0000000070008000000000000001", money, reason);
        assert!(charging.refund_charge(&cx, create).await.is_err(), "there is no charge {id:?}");
        let mut refund = known.clone();
        refund.reference = Some(id.to_owned());
        let _ = charging.fetch_refund(&cx, refund).await;
        let mut refund = known;
        refund.charge = charge;
        let _ = charging.fetch_refund(&cx, refund).await;
        let seen = world.wire.take_seen();
        assert!(seen.is_empty(), "{id:?} was put into {seen:?}");
    }
}

/// Every member of the gateway's answers in turn is missing, null, or of another type.
async fn answers(world: World) {
    let method = saved(&world).await;
    let paid = paid(&world, &method).await;
    let charging = world.provider.charging().expect("a provider that charges");
    let (cx, charge) = (world.context("fetch"), named(&world, paid.id).await);
    let reason = RefundReason::RequestedByCustomer;
    let create =
        CreateRefund::new(charge.clone(), "rfd_018f0000000070008000000000000001", charge.money, reason);
    let mut refund = RefundRef::new(charge.clone(), create.reference.clone(), charge.money);
    world.wire.take_answers();
    if charging.abilities().refunds {
        let made = charging.refund_charge(&cx, create).await.expect("the money goes back");
        refund.reference = Some(made.reference);
    }
    let mut nameless = charge.clone();
    nameless.reference = None;
    let calls = || async {
        let one = charging.fetch_charge(&cx, charge.clone()).await;
        let two = charging.fetch_charge(&cx, nameless.clone()).await;
        let three = charging.fetch_refund(&cx, refund.clone()).await;
        [one.err(), two.err(), three.err()]
    };
    let errors = calls().await;
    assert!(errors.iter().all(Option::is_none), "a charge that is there: {errors:?}");
    let mut pointers = Vec::new();
    for answer in world.wire.take_answers() {
        collect(&answer, "", &mut pointers);
    }
    pointers.sort();
    pointers.dedup();
    for pointer in pointers {
        for other in [Value::Null, json!(7), json!(-1.5), json!("\u{0}"), json!([]), json!({}), json!(true)] {
            let (pointer, value) = (pointer.clone(), other.clone());
            let change = move |mut answer: Value| {
                if let Some(found) = answer.pointer_mut(&pointer) {
                    *found = value.clone();
                }
                answer
            };
            world.wire.rewrite(Some(Arc::new(change)));
            let outcome = AssertUnwindSafe(calls()).catch_unwind().await;
            let errors = outcome.unwrap_or_else(|_| panic!("an answer makes the provider panic"));
            for error in errors.into_iter().flatten() {
                assert_ne!(error.kind(), ErrorKind::Internal, "an answer is no defect of ours: {error:?}");
            }
        }
    }
    assert_eq!(driver(&world).books().await.len(), 1, "something was charged");
}
