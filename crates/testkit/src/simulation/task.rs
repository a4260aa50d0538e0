//! Somebody's call of a use case, taken one step at a time: from one call to the outside to the next.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::scene::Gate;
use super::told::Told;

/// How often a task that waits for nothing outside is asked again: it may only have let others go first.
const PATIENCE: usize = 3;

/// A use case under way.
pub(super) struct Task {
    /// What it is, for the history.
    pub(super) name: String,
    /// Who does it: dies with that process.
    pub(super) process: usize,
    /// The webhook that it receives.
    pub(super) webhook: Option<usize>,
    future: Pin<Box<dyn Future<Output = Told>>>,
}

/// Where a task stands after a step.
pub(super) enum Step {
    /// Before or after a call to the outside.
    At(&'static str),
    /// Behind another task of its process.
    Waits,
    /// At its end.
    Done(Box<Told>),
}

impl Task {
    pub(super) fn new(
        name: String,
        process: usize,
        webhook: Option<usize>,
        future: impl Future<Output = Told> + 'static,
    ) -> Self {
        // The runtime's own fairness would make steps depend on how many there were before.
        Self { name, process, webhook, future: Box::pin(tokio::task::unconstrained(future)) }
    }

    /// Goes on until it stops at the gate again, or ends, or has to wait for another task.
    pub(super) async fn step(&mut self, gate: &Gate) -> Step {
        gate.open();
        let mut idle = 0;
        let step = poll_fn(|cx| {
            if let Poll::Ready(told) = self.future.as_mut().poll(cx) {
                return Poll::Ready(Step::Done(Box::new(told)));
            }
            if let Some(call) = gate.reached() {
                return Poll::Ready(Step::At(call));
            }
            if gate.is_working() {
                return Poll::Pending;
            }
            idle += 1;
            if idle > PATIENCE {
                return Poll::Ready(Step::Waits);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        gate.close();
        step
    }
}
