//! What was wrapped for another place, or is not what was wrapped, does not open.

use std::sync::Arc;

use billfold_core::vault::{KeyWrapper, WrapContext, WrapError};

use super::samples::{context, foreign, key};
use super::{Bench, Trial, in_time};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("a key opens in its own context only", |bench| Box::pin(bound(bench))),
        ("a key opens under its own root key only", |bench| Box::pin(other_root_key(bench))),
        ("no truncation opens", |bench| Box::pin(truncated(bench))),
        ("no flipped bit opens", |bench| Box::pin(flipped(bench))),
        ("nothing else opens", |bench| Box::pin(garbage(bench))),
    ]
}

async fn bound(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let context = context();
    let wrapped = in_time(&*bench, wrapper.wrap(&key(), &context)).await.unwrap();
    for (difference, foreign) in foreign(&context) {
        let outcome = in_time(&*bench, wrapper.unwrap(&wrapped, &foreign)).await;
        assert_eq!(outcome.err(), Some(WrapError::Refused), "{difference}");
    }
}

async fn other_root_key(bench: Arc<dyn Bench>) {
    let (wrapper, other) = (bench.wrapper().await, bench.other_root_key().await);
    let context = context();
    let wrapped = in_time(&*bench, wrapper.wrap(&key(), &context)).await.unwrap();
    let outcome = in_time(&*bench, other.unwrap(&wrapped, &context)).await;
    assert_eq!(outcome.err(), Some(WrapError::Refused));
    in_time(&*bench, wrapper.unwrap(&wrapped, &context)).await.unwrap();
}

/// Something is wrong with what is asked, so asking again must not look promising.
async fn refuse(bench: &dyn Bench, wrapper: &dyn KeyWrapper, wrapped: &[u8], at: &WrapContext, what: &str) {
    match in_time(bench, wrapper.unwrap(wrapped, at)).await {
        Err(WrapError::Refused | WrapError::Denied(_)) => {}
        Err(error @ WrapError::Unavailable { .. }) => panic!("{what}: {error}, as if it could open later"),
        Ok(_) => panic!("{what} opened"),
    }
}

async fn truncated(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let context = context();
    let wrapped = in_time(&*bench, wrapper.wrap(&key(), &context)).await.unwrap();
    for length in 0..wrapped.len() {
        let what = format!("the first {length} of {} bytes", wrapped.len());
        refuse(&*bench, &*wrapper, &wrapped[..length], &context, &what).await;
    }
    refuse(&*bench, &*wrapper, &wrapped[1..], &context, "all but the first byte").await;
}

async fn flipped(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let context = context();
    let wrapped = in_time(&*bench, wrapper.wrap(&key(), &context)).await.unwrap();
    for bit in 0..wrapped.len() * 8 {
        let mut changed = wrapped.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let what = format!("a wrapped key of {} bytes with bit {bit} flipped", wrapped.len());
        refuse(&*bench, &*wrapper, &changed, &context, &what).await;
    }
}

async fn garbage(bench: Arc<dyn Bench>) {
    let wrapper = bench.wrapper().await;
    let context = context();
    let wrapped = in_time(&*bench, wrapper.wrap(&key(), &context)).await.unwrap();
    let and = |tail: &[u8]| [wrapped.as_slice(), tail].concat();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("one zero", vec![0]),
        ("zeros", vec![0; wrapped.len()]),
        ("ones", vec![0xff; wrapped.len()]),
        ("words", b"this is not a wrapped key".to_vec()),
        ("a key in the clear", key().expose().to_vec()),
        ("a wrapped key and a zero", and(&[0])),
        ("a wrapped key and a line end", and(b"\n")),
        ("a wrapped key twice", and(&wrapped)),
        ("a mebibyte of zeros", vec![0; 1024 * 1024]),
        ("a wrapped key and a mebibyte of letters", and(&vec![b'A'; 1024 * 1024])),
    ] {
        refuse(&*bench, &*wrapper, &bytes, &context, what).await;
    }
    in_time(&*bench, wrapper.unwrap(&wrapped, &context)).await.unwrap();
}
