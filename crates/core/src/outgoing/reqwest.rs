//! The sender for real receivers: reqwest over rustls, with a resolver that refuses what must not be called. The
//! addresses that were checked are those that are connected to, so a name cannot lead elsewhere in between.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::{AddressPolicy, SendError, SentAnswer, WebhookSender};
use crate::error::{Error, ErrorKind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the whole attempt, the answer's head included.
const TIMEOUT: Duration = Duration::from_secs(15);
/// As much of an answer's body as is read so that its connection can be used again, in bytes.
const MAX_DRAINED: usize = 16 * 1024;

/// Sends webhooks over HTTPS to addresses of the public internet, and to others as the policy says.
#[derive(Debug, Clone)]
pub struct ReqwestSender {
    client: reqwest::Client,
    policy: AddressPolicy,
}

impl ReqwestSender {
    /// A sender with a policy.
    pub fn new(policy: AddressPolicy) -> Result<Self, Error> {
        // The first call in a process decides; a provider installed earlier by the embedder stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("Billfold/", env!("CARGO_PKG_VERSION"), " (webhooks)"))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .https_only(!policy.plain_http_to_loopback)
            .dns_resolver(CheckedResolver { policy })
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Configuration, "the HTTPS client for webhooks could not start")
                    .with_source(error)
            })?;
        Ok(Self { client, policy })
    }
}

#[async_trait]
impl WebhookSender for ReqwestSender {
    fn check_url(&self, url: &Url) -> Result<(), String> {
        self.policy.check_url(url)
    }

    async fn send(&self, request: http::Request<Bytes>) -> Result<SentAnswer, SendError> {
        let request = reqwest::Request::try_from(request).map_err(|_| SendError::Broken)?;
        // An address in the URL is not resolved, and a policy may have become stricter since the URL was stored.
        self.policy.check_url(request.url()).map_err(|_| SendError::ForbiddenAddress)?;
        let mut response = self.client.execute(request).await.map_err(|error| classify(&error))?;
        let retry_after = response.headers().get(http::header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let answer = SentAnswer { status: response.status().as_u16(), retry_after };
        let mut drained = 0;
        // The status is all that counts: a body that breaks off changes nothing.
        while let Ok(Some(chunk)) = response.chunk().await {
            drained += chunk.len();
            if drained > MAX_DRAINED {
                break;
            }
        }
        Ok(answer)
    }
}

/// Resolves a name as the system does, and gives its addresses only if every one may be called: a name that leads
/// both outside and inside is a trick.
#[derive(Debug, Clone, Copy)]
struct CheckedResolver {
    policy: AddressPolicy,
}

/// At least one of a name's addresses must not be called.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that must not be called")]
struct Forbidden;

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name could not be resolved")]
struct Unresolved;

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unresolved)?;
            checked(policy, found.collect())
        })
    }
}

fn checked(policy: AddressPolicy, found: Vec<SocketAddr>) -> Result<Addrs, Box<dyn StdError + Send + Sync>> {
    if found.is_empty() {
        return Err(Unresolved.into());
    }
    if !found.iter().all(|address| policy.allows(address.ip())) {
        return Err(Forbidden.into());
    }
    Ok(Box::new(found.into_iter()))
}

fn classify(error: &reqwest::Error) -> SendError {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return SendError::ForbiddenAddress;
        }
        if error.is::<Unresolved>() {
            return SendError::Dns;
        }
        if is_tls(error) {
            return SendError::Tls;
        }
        cause = error.source();
    }
    if error.is_timeout() {
        SendError::Timeout
    } else if error.is_connect() {
        SendError::Connect
    } else {
        SendError::Broken
    }
}

/// rustls hands its errors on inside of those of the connection, which may lie in one another.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inside.is_some_and(|inside| is_tls(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn one_address_inside_spoils_a_name() {
        let policy = AddressPolicy::default();
        let good = checked(policy, addresses(&["1.1.1.1", "2606:4700::1"])).unwrap();
        assert_eq!(good.count(), 2);
        for spoilt in [&["10.0.0.1", "1.1.1.1"][..], &["1.1.1.1", "::ffff:127.0.0.1"], &["169.254.169.254"]] {
            let error = checked(policy, addresses(spoilt)).err().unwrap();
            assert!(error.is::<Forbidden>(), "{spoilt:?}");
        }
        assert!(checked(policy, Vec::new()).err().unwrap().is::<Unresolved>());
    }

    fn post(url: &str) -> http::Request<Bytes> {
        http::Request::post(url).body(Bytes::from_static(b"{}")).unwrap()
    }

    /// A listener that must not be reached; gives its port.
    async fn tripwire() -> (tokio::net::TcpListener, u16) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_called() {
        let (listener, port) = tripwire().await;
        let sender = ReqwestSender::new(AddressPolicy::default()).unwrap();
        for host in ["localhost", "127.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"] {
            let sent = sender.send(post(&format!("https://{host}:{port}/"))).await;
            assert_eq!(sent, Err(SendError::ForbiddenAddress), "{host}");
        }
        // The resolver alone refuses as well: a name is not always known by its spelling.
        let sent = sender.client.post(format!("https://localhost:{port}/")).send().await;
        assert_eq!(classify(&sent.unwrap_err()), SendError::ForbiddenAddress);
        let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(nobody.is_err(), "somebody was called");
    }

    #[tokio::test]
    async fn trouble_has_a_name() {
        let policy = AddressPolicy { plain_http_to_loopback: true, ..AddressPolicy::default() };
        let sender = ReqwestSender::new(policy).unwrap();
        let (listener, port) = tripwire().await;
        drop(listener);
        assert_eq!(sender.send(post(&format!("http://127.0.0.1:{port}/"))).await, Err(SendError::Connect));
        let (listener, port) = tripwire().await;
        let url = format!("http://localhost:{port}/");
        let hang_up = async { drop(listener.accept().await.unwrap()) };
        let (sent, ()) = tokio::join!(sender.send(post(&url)), hang_up);
        assert_eq!(sent, Err(SendError::Broken));
        let (listener, port) = tripwire().await;
        let url = format!("https://127.0.0.1:{port}/");
        let no_tls = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Read first: closing on unread bytes would reset the connection.
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await.unwrap();
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        };
        let (sent, ()) = tokio::join!(sender.send(post(&url)), no_tls);
        assert_eq!(sent, Err(SendError::Tls));
    }
}
