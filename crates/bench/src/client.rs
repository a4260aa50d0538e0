//! A client that costs next to nothing: one kept connection, requests written as they are, bodies read by
//! their length. The machine's two cores are the server's.

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    key: String,
}

impl Client {
    pub(crate) async fn connect(port: u16, key: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096), key: key.to_owned() })
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<String> {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n", self.key);
        self.send(&request).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<String> {
        self.send_json("POST", path, body).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: &str) -> anyhow::Result<String> {
        self.send_json("PUT", path, body).await
    }

    async fn send_json(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        self.send(&request).await
    }

    async fn send(&mut self, request: &str) -> anyhow::Result<String> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            if let Some(body) = complete(&self.buffer)? {
                return Ok(body);
            }
        }
    }
}

/// The body, once all of it is there.
fn complete(answer: &[u8]) -> anyhow::Result<Option<String>> {
    let text = std::str::from_utf8(answer).context("the answer is not UTF-8")?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.context("the answer has no length")?;
    if body.len() < length {
        return Ok(None);
    }
    if !head.starts_with("HTTP/1.1 2") {
        bail!("{}: {body}", head.lines().next().unwrap_or_default());
    }
    Ok(Some(body.to_owned()))
}
