//! What is wrapped comes back, to every wrapper of the root key and however many ask at once.

use std::sync::Arc;

use billfold_core::vault::{KeyPurpose, WrapContext};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::samples::{context, context_of, key};
use super::secrets::spellings;
use super::{Bench, Trial, in_time, same};

/// How many round trips are made at once.
const TOGETHER: usize = 100;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("a key comes back as it was", |bench| Box::pin(round_trip(bench))),
        ("the root key can be checked", |bench| Box::pin(checked(bench))),
        ("the id is stable and names one root key", |bench| Box::pin(stable_id(bench))),
        ("two wraps of one key differ", |bench| Box::pin(fresh_wraps(bench))),
        ("a wrapped key does not show the key", |bench| Box::pin(hidden(bench))),
        ("what an older version of the root key wrapped still opens", |bench| Box::pin(rotated(bench))),
        ("a hundred round trips at once", |bench| Box::pin(together(bench))),
    ]
}

async fn round_trip(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let long = "s".repeat(200);
    for subject in ["", "cus_1", "Zoë / 顧客 \"1\"\n", &long] {
        for purpose in [KeyPurpose::Data, KeyPurpose::Fingerprint, KeyPurpose::Audit, KeyPurpose::Check] {
            let (key, context) = (key(), WrapContext { purpose, ..context_of(subject) });
            let wrapped = in_time(&*bench, wrapper.wrap(&key, &context)).await.unwrap();
            let opened = in_time(&*bench, wrapper.unwrap(&wrapped, &context)).await.unwrap();
            same(&opened, &key, &format!("another key came back for {context:?}"));
            let again = in_time(&*bench, wrapper.unwrap(&wrapped, &context)).await.unwrap();
            same(&again, &key, "another key came back the second time");
        }
    }
}

async fn checked(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    in_time(&*bench, wrapper.check()).await.unwrap();
    in_time(&*bench, wrapper.check()).await.unwrap();
}

async fn stable_id(bench: Arc<dyn Bench>) {
    let (wrapper, rebuilt, other) =
        (bench.wrapper().await, bench.wrapper().await, bench.other_root_key().await);
    let id = wrapper.id().clone();
    assert_eq!(&id, rebuilt.id(), "the id changed with a restart");
    assert_ne!(&id, other.id(), "two root keys share an id");
    let (kind, name) = id.as_str().split_once(':').expect("an id of the form kind:name");
    assert!(!kind.is_empty() && !name.is_empty(), "the id {id} lacks a part");
    let (key, context) = (key(), context());
    let wrapped = in_time(&*bench, wrapper.wrap(&key, &context)).await.unwrap();
    let opened = in_time(&*bench, rebuilt.unwrap(&wrapped, &context)).await.unwrap();
    same(&opened, &key, "another key came back");
    assert_eq!(&id, wrapper.id(), "the id changed with use");
}

async fn fresh_wraps(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let (key, context) = (key(), context());
    let one = in_time(&*bench, wrapper.wrap(&key, &context)).await.unwrap();
    let two = in_time(&*bench, wrapper.wrap(&key, &context)).await.unwrap();
    assert_ne!(one, two, "equal keys can be told from their wrapped bytes");
}

async fn hidden(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let key = key();
    let wrapped = in_time(&*bench, wrapper.wrap(&key, &context())).await.unwrap();
    let raw = wrapped.windows(key.expose().len()).any(|window| window == key.expose());
    assert!(!raw, "the key lies in its wrapped bytes");
    let text = String::from_utf8_lossy(&wrapped);
    for spelling in spellings(key.expose()) {
        assert!(!text.contains(&spelling), "the key can be read in its wrapped bytes");
    }
}

async fn rotated(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let (key, context) = (key(), context());
    let older = in_time(&*bench, wrapper.wrap(&key, &context)).await.unwrap();
    if !bench.rotate().await {
        eprintln!("  SKIPPED: root keys have no versions here");
        return;
    }
    let newer = in_time(&*bench, wrapper.wrap(&key, &context)).await.unwrap();
    for wrapped in [older, newer] {
        let opened = in_time(&*bench, wrapper.unwrap(&wrapped, &context)).await.unwrap();
        same(&opened, &key, "another key came back");
    }
}

async fn together(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let mut trips = JoinSet::new();
    let start = Arc::new(Barrier::new(TOGETHER));
    for number in 0..TOGETHER {
        let (wrapper, start) = (wrapper.clone(), start.clone());
        trips.spawn(async move {
            let (key, context) = (key(), context_of(&format!("cus_{number}")));
            // On a busy machine each trip would otherwise be over before the next is spawned.
            start.wait().await;
            let wrapped = wrapper.wrap(&key, &context).await.unwrap();
            let opened = wrapper.unwrap(&wrapped, &context).await.unwrap();
            same(&opened, &key, "another caller's key came back");
        });
    }
    while let Some(ended) = in_time(&*bench, trips.join_next()).await {
        ended.unwrap();
    }
}
