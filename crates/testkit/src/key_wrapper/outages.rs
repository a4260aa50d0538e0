//! What a wrapper says when its service is down or refuses, and that it comes back with the service.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::vault::{DataKey, KeyWrapper, WrapContext, WrapError};

use super::samples::{context, key};
use super::{Bench, Trial, Trouble, in_time, same};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("a service that is down is unavailable", |bench| Box::pin(down(bench))),
        ("a service that refuses us denies", |bench| Box::pin(denying(bench))),
        ("a wrapper comes back with its service", |bench| Box::pin(recovering(bench))),
        ("a call that is given up does no harm", |bench| Box::pin(given_up(bench))),
    ]
}

struct Wrapped {
    wrapper: Arc<dyn KeyWrapper>,
    key: DataKey,
    context: WrapContext,
    bytes: Vec<u8>,
}

impl Wrapped {
    async fn new(bench: &dyn Bench) -> Self {
        let (wrapper, key, context) = (bench.wrapper().await, key(), context());
        let bytes = in_time(bench, wrapper.wrap(&key, &context)).await.unwrap();
        Self { wrapper, key, context, bytes }
    }

    /// What wrapping, unwrapping and checking end in; each has to fail. They are under way at the same time: a silent
    /// service costs each of them the wrapper's whole time-out.
    async fn errors(&self, bench: &dyn Bench) -> Vec<(&'static str, WrapError)> {
        let (wrap, unwrap, check) = tokio::join!(
            in_time(bench, self.wrapper.wrap(&self.key, &self.context)),
            in_time(bench, self.wrapper.unwrap(&self.bytes, &self.context)),
            in_time(bench, self.wrapper.check()),
        );
        let ended = [("wrap", wrap.map(|_| ())), ("unwrap", unwrap.map(|_| ())), ("check", check)];
        let failed = |(call, outcome): (_, Result<(), _>)| match outcome {
            Err(error) => (call, error),
            Ok(()) => panic!("{call} worked without its service"),
        };
        ended.into_iter().map(failed).collect()
    }

    async fn opens(&self, bench: &dyn Bench) {
        let opened = in_time(bench, self.wrapper.unwrap(&self.bytes, &self.context)).await.unwrap();
        same(&opened, &self.key, "another key came back");
    }
}

/// Whether the service can do this; says so when it cannot.
pub(super) async fn arranged(bench: &dyn Bench, trouble: Trouble) -> bool {
    let arranged = bench.trouble(trouble).await;
    if !arranged {
        eprintln!("  SKIPPED: there is no service that could be {trouble:?}");
    }
    arranged
}

async fn down(bench: Arc<dyn Bench>) {
    let wrapped = Wrapped::new(&*bench).await;
    for trouble in [Trouble::Unreachable, Trouble::Silent, Trouble::Failing] {
        if !arranged(&*bench, trouble).await {
            continue;
        }
        for (call, error) in wrapped.errors(&*bench).await {
            assert!(matches!(error, WrapError::Unavailable { .. }), "{trouble:?}, {call}: {error:?}");
        }
    }
}

async fn denying(bench: Arc<dyn Bench>) {
    let wrapped = Wrapped::new(&*bench).await;
    if !arranged(&*bench, Trouble::Denying).await {
        return;
    }
    for (call, error) in wrapped.errors(&*bench).await {
        assert!(matches!(error, WrapError::Denied(_)), "{call}: {error:?}");
    }
}

async fn recovering(bench: Arc<dyn Bench>) {
    let wrapped = Wrapped::new(&*bench).await;
    for trouble in [Trouble::Unreachable, Trouble::Silent, Trouble::Failing, Trouble::Denying] {
        if !arranged(&*bench, trouble).await {
            continue;
        }
        wrapped.errors(&*bench).await;
        assert!(bench.trouble(Trouble::None).await, "the bench cannot end {trouble:?}");
        wrapped.opens(&*bench).await;
        in_time(&*bench, wrapped.wrapper.check()).await.unwrap();
    }
}

async fn given_up(bench: Arc<dyn Bench>) {
    let wrapped = Wrapped::new(&*bench).await;
    if !arranged(&*bench, Trouble::Silent).await {
        return;
    }
    for _ in 0..20 {
        let call = wrapped.wrapper.unwrap(&wrapped.bytes, &wrapped.context);
        let ended = tokio::time::timeout(Duration::from_millis(5), call).await;
        assert!(!matches!(ended, Ok(Ok(_))), "a silent service answered");
    }
    assert!(bench.trouble(Trouble::None).await, "the bench cannot end the silence");
    wrapped.opens(&*bench).await;
}
