//! A connection whose other end has to take what it is sent.
//!
//! A time-out for single writes does not do it: a reader that takes a few bytes now and then makes each of them a
//! success, for ever. Here the time runs from the moment that a write has to wait until everything is out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Fails writes with [`io::ErrorKind::TimedOut`] once something has waited for `limit` to be sent.
#[derive(Debug)]
pub(super) struct Patience<S> {
    stream: S,
    limit: Duration,
    /// Since a write had to wait, until everything was sent.
    over: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, over: None }
    }

    fn waits(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let over = self.over.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + self.limit)));
        ready!(over.as_mut().poll(cx));
        Poll::Ready(io::Error::from(io::ErrorKind::TimedOut))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Pending => self.waits(cx).map(Err),
            Poll::Ready(written) => Poll::Ready(written),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, slices) {
            Poll::Pending => self.waits(cx).map(Err),
            Poll::Ready(written) => Poll::Ready(written),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when nothing is left to be written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => self.waits(cx).map(Err),
            Poll::Ready(flushed) => {
                self.over = None;
                Poll::Ready(flushed)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    async fn send(stream: &mut Patience<tokio::io::DuplexStream>, count: usize) -> io::Result<()> {
        stream.write_all(&vec![0; count]).await?;
        stream.flush().await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_a_byte_now_and_then_is_given_up() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = Patience::new(ours, LIMIT);
        let drip = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                let _ = theirs.read_u8().await;
            }
        };
        tokio::select! {
            () = drip => {}
            sent = send(&mut ours, 100) => assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_everything_in_time_may_take_long_between_answers() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = Patience::new(ours, LIMIT);
        let take = async {
            for _ in 0..5 {
                sleep(LIMIT / 2).await;
                theirs.read_exact(&mut [0; 12]).await.unwrap();
                sleep(LIMIT * 3).await;
            }
        };
        let give = async {
            for _ in 0..5 {
                send(&mut ours, 12).await.unwrap();
                sleep(LIMIT * 3).await;
            }
        };
        tokio::join!(take, give);
    }
}
