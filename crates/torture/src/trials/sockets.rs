//! Clients that take their time, on purpose: none of them may keep the others out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::books::at_rest;
use crate::installation::{Installation, Options};
use crate::load::{People, open_sessions};
use crate::trial::{Backend, Plan, Verdict};

/// When the last of them has to be gone.
const GONE: Duration = Duration::from_secs(30);
/// When the server must have given up one that reads nothing more, after its buffers were full.
const GIVEN_UP: Duration = Duration::from_secs(22);
const GOOD: Duration = Duration::from_millis(500);

/// What a slow client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    /// Connects and says nothing.
    Silent,
    /// Sends a header a second.
    Headers,
    /// Sends a body a byte a second.
    Body,
    /// Asks and does not read the answers.
    Reader,
}

const KINDS: [Slow; 4] = [Slow::Silent, Slow::Headers, Slow::Body, Slow::Reader];
/// One in two hundred does not read: the server answers each of those until the buffers of the machine are full.
const fn kind(number: usize) -> Slow {
    if number % 200 == 199 { Slow::Reader } else { KINDS[number % 3] }
}

impl Slow {
    /// Lives until the server closes the connection.
    async fn live(self, port: u16) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        match self {
            Self::Silent => {}
            Self::Headers => stream.write_all(b"POST /webhooks/main HTTP/1.1\r\nhost: x\r\n").await?,
            Self::Body => {
                stream
                    .write_all(b"POST /webhooks/main HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
                    .await?;
            }
            Self::Reader => {
                let ask = b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
                // Until both sides' buffers are full of answers.
                for _ in 0..200 {
                    match timeout(Duration::from_millis(500), stream.write_all(&ask)).await {
                        Ok(Ok(())) => {}
                        _ => break,
                    }
                }
            }
        }
        let (mut reader, mut writer) = stream.into_split();
        let drip = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                let written = match self {
                    Self::Headers => writer.write_all(b"x-slow: 1\r\n").await,
                    Self::Body => writer.write_all(b"x").await,
                    Self::Silent | Self::Reader => Ok(()),
                };
                if written.is_err() {
                    return;
                }
            }
        };
        let end = async {
            let mut buffer = [0; 512];
            match self {
                // One that does not read does not see the end of the connection either: it looks when the server must
                // have given up, and finds some answers and then the end.
                Self::Reader => {
                    sleep(GIVEN_UP).await;
                    while reader.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                }
                Self::Silent | Self::Headers | Self::Body => {
                    while reader.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                }
            }
        };
        tokio::select! { () = drip => {}, () = end => {} }
        Ok(self)
    }
}

/// Slow clients of all kinds at once, and a good one among them.
pub(super) async fn slow(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let here = Installation::start(&backend, Options { max_connections: 8192, ..Options::default() }).await?;
    let people = People::of(&here);
    open_sessions(&people, 40, plan.seed).await?;
    let count = plan.count(400, 2000);
    let mut clients = JoinSet::new();
    let began = Instant::now();
    for number in 0..count as usize {
        clients.spawn(kind(number).live(here.port(0)));
    }
    let mut waits = Vec::new();
    let mut open: Vec<Slow> = (0..count as usize).map(kind).collect();
    while !open.is_empty() {
        let asked = Instant::now();
        here.get("/v1/sessions?limit=1").await?;
        waits.push(asked.elapsed());
        while let Some(ended) = clients.try_join_next() {
            let kind = ended??;
            if let Some(at) = open.iter().position(|open| *open == kind) {
                open.swap_remove(at);
            }
        }
        let left = KINDS.map(|kind| (kind, open.iter().filter(|open| **open == kind).count()));
        ensure!(
            began.elapsed() < plan.within(GONE) + Duration::from_secs(5),
            "slow connections are still open: {left:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
    let gone = began.elapsed();
    waits.sort();
    let p99 = waits.get(waits.len() * 99 / 100).or(waits.last()).copied().unwrap_or_default();
    ensure!(p99 < plan.within(GOOD), "a good client waited {p99:?}");
    at_rest(&here, &people.notes()).await?;
    Ok(Verdict::Held(format!(
        "{count} sockets, the last closed after {} s, good client p99 {} ms",
        gone.as_secs(),
        p99.as_millis()
    )))
}
