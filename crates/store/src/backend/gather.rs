//! One statement for many who ask at the same moment. Nobody waits for others to come: whoever finds a place free is
//! served at once, with those whose requests have arrived by then; what is asked while all places are taken is served
//! together, next.

use std::future::Future;
use std::sync::Arc;

use billfold_core::store::{StoreError, StoreResult};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// How often everything else that can go on does so, before the first who asked is served: answers to one statement make
/// many clients ask again at the same moment, and the first of them would have a statement, and a commit, alone.
const ROUNDS: usize = 2;

struct Job<Ask, Answer> {
    ask: Ask,
    reply: oneshot::Sender<StoreResult<Answer>>,
}

/// Where it is asked.
pub(crate) struct Gather<Ask, Answer> {
    queue: mpsc::Sender<Job<Ask, Answer>>,
}

impl<Ask: Send + 'static, Answer: Send + 'static> Gather<Ask, Answer> {
    /// Serves up to `largest` at once in each of so many places. `serve` gives an answer for each ask, in their
    /// order. It ends when the value is dropped.
    pub(crate) fn start<F, R>(places: usize, largest: usize, serve: F) -> Self
    where
        F: Fn(Vec<Ask>) -> R + Clone + Send + 'static,
        R: Future<Output = Vec<StoreResult<Answer>>> + Send,
    {
        let (queue, jobs) = mpsc::channel::<Job<Ask, Answer>>(4 * largest);
        let jobs = Arc::new(Mutex::new(jobs));
        let tasks = TaskTracker::new();
        for _ in 0..places {
            let (jobs, serve) = (jobs.clone(), serve.clone());
            tasks.spawn(async move {
                loop {
                    let taken = take(&mut *jobs.lock().await, largest).await;
                    if taken.is_empty() {
                        return;
                    }
                    let (asks, replies): (Vec<_>, Vec<_>) =
                        taken.into_iter().map(|job| (job.ask, job.reply)).unzip();
                    for (reply, answer) in replies.into_iter().zip(serve(asks).await) {
                        // Whoever asked may have gone away.
                        let _ = reply.send(answer);
                    }
                }
            });
        }
        Self { queue }
    }

    /// Asks, and waits for the answer. What was asked is done even if nobody waits any more.
    pub(crate) async fn ask(&self, ask: Ask) -> StoreResult<Answer> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job { ask, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Waits for one, and takes those that are there. None when there will be no more.
async fn take<T>(jobs: &mut mpsc::Receiver<T>, largest: usize) -> Vec<T> {
    let mut taken = Vec::new();
    if jobs.recv_many(&mut taken, largest).await == 0 {
        return taken;
    }
    for _ in 0..ROUNDS {
        if taken.len() == largest {
            break;
        }
        tokio::task::yield_now().await;
        taken.extend(std::iter::from_fn(|| jobs.try_recv().ok()).take(largest - taken.len()));
    }
    taken
}

fn stopped() -> StoreError {
    StoreError { message: "the store has stopped".to_owned(), transient: false }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_meanwhile_is_served_together_and_answered_one_by_one() {
        let (gate, rounds) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let serve = {
            let (gate, rounds) = (gate.clone(), rounds.clone());
            move |asks: Vec<u32>| {
                let (gate, rounds) = (gate.clone(), rounds.clone());
                async move {
                    gate.acquire().await.unwrap().forget();
                    rounds.fetch_add(1, Ordering::Relaxed);
                    let answer = |ask: u32| if ask == 7 { Err(stopped()) } else { Ok(ask * 2) };
                    asks.into_iter().map(answer).collect()
                }
            }
        };
        let gather = Arc::new(Gather::start(1, 8, serve));
        let asking = join_all((0..17).map(|ask| {
            let gather = gather.clone();
            async move { (ask, gather.ask(ask).await) }
        }));
        let opening = async {
            // The first is alone, for the others come while it is served.
            for _ in 0..4 {
                tokio::task::yield_now().await;
                gate.add_permits(1);
            }
        };
        let (answers, ()) = futures::join!(asking, opening);
        for (ask, answer) in answers {
            assert_eq!(answer.ok(), (ask != 7).then_some(ask * 2), "{ask}");
        }
        assert!(rounds.load(Ordering::Relaxed) <= 4, "17 asks, 8 at once: {rounds:?} rounds");
    }

    #[tokio::test]
    async fn requests_that_have_arrived_are_served_with_the_first() {
        let rounds = Arc::new(AtomicUsize::new(0));
        let serve = {
            let rounds = rounds.clone();
            move |asks: Vec<u32>| {
                rounds.fetch_add(1, Ordering::Relaxed);
                async move { asks.into_iter().map(Ok).collect() }
            }
        };
        let gather = Arc::new(Gather::start(3, 8, serve));
        // The place waits before anybody asks.
        tokio::task::yield_now().await;
        let tasks = TaskTracker::new();
        let asking = (0..8).map(|ask| {
            let gather = gather.clone();
            tasks.spawn(async move {
                // All but the first have something to read before they ask.
                if ask > 0 {
                    tokio::task::yield_now().await;
                }
                gather.ask(ask).await
            })
        });
        for (ask, answer) in join_all(asking).await.into_iter().enumerate() {
            assert_eq!(answer.unwrap().ok(), u32::try_from(ask).ok());
        }
        assert_eq!(rounds.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn whoever_goes_away_is_served_all_the_same() {
        let served = Arc::new(AtomicUsize::new(0));
        let serve = {
            let served = served.clone();
            move |asks: Vec<()>| {
                let served = served.clone();
                async move {
                    tokio::task::yield_now().await;
                    served.fetch_add(asks.len(), Ordering::Relaxed);
                    asks.into_iter().map(Ok).collect()
                }
            }
        };
        let gather = Gather::start(1, 8, serve);
        assert!(gather.ask(()).now_or_never().is_none(), "it was given up before the answer came");
        gather.ask(()).await.unwrap();
        assert_eq!(served.load(Ordering::Relaxed), 2);
    }
}
