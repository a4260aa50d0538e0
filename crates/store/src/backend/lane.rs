//! Where a blocking statement runs. A thread of its own costs more than a look-up by key takes, so what is
//! short runs on the thread that asks, and what may be long, or waits for the disk, does not.

use std::error::Error;

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

/// Where the statements of one connection run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lane {
    /// On the thread that asks: look-ups by an index, of a page at most; or a whole transaction that is
    /// already on a thread that may wait.
    Here,
    /// On a thread that may wait.
    Elsewhere,
}

impl SpawnBlocking for Lane {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        match self {
            Self::Here => ready(Ok(task())).boxed(),
            Self::Elsewhere => {
                let task = tokio::task::spawn_blocking(task);
                async { task.await.map_err(Into::into) }.boxed()
            }
        }
    }

    fn get_runtime() -> Self {
        Self::Elsewhere
    }
}
