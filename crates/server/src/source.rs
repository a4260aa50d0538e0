//! How many requests one source may make: a bound for each address, so that a stranger who guesses keys, or one that
//! went wild, leaves room for the others.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::problem::Problem;

/// What one refused proof counts: guessing a key is slower than using one.
const REFUSED: u32 = 20;
/// When buckets that are full again are thrown away.
const MANY: usize = 10_000;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// One bucket for each source.
pub(crate) struct SourceLimit {
    buckets: Option<DefaultKeyedRateLimiter<IpAddr>>,
    per_minute: u32,
    trusted: Vec<IpAddr>,
    clock: DefaultClock,
}

impl SourceLimit {
    /// `per_minute` 0 counts nothing. `trusted` are proxies, whose `x-forwarded-for` is believed.
    pub(crate) fn new(per_minute: u32, trusted: Vec<IpAddr>) -> Self {
        let buckets = NonZeroU32::new(per_minute).map(|count| RateLimiter::keyed(Quota::per_minute(count)));
        Self { buckets, per_minute, trusted, clock: DefaultClock::default() }
    }

    /// Who asks: the peer, or whom a trusted proxy names: the last address that is not a trusted proxy's, for what
    /// stands before it was written by strangers. `None` for this machine itself, which is not counted.
    fn source(&self, peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
        let Peer(peer) = peer;
        let mut source = peer.to_canonical();
        if self.trusted.contains(&source) {
            let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
            let named = named.flat_map(|value| value.split(',')).map(|name| name.trim().parse::<IpAddr>());
            let named: Vec<_> = named.collect();
            for name in named.into_iter().rev() {
                // What cannot be read was not written by a proxy of ours: the proxy itself is counted.
                let Ok(name) = name else { break };
                source = name.to_canonical();
                if !self.trusted.contains(&source) {
                    break;
                }
            }
        }
        (!source.is_loopback()).then(|| network(source))
    }

    fn take(&self, source: IpAddr) -> Result<(), Problem> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        if buckets.len() > MANY {
            buckets.retain_recent();
        }
        buckets.check_key(&source).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
            let detail = format!("one address may make {} requests in a minute", self.per_minute);
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(wait)
        })
    }
}

/// IPv6 customers have a whole network each, of which any address is theirs.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

impl fmt::Debug for SourceLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceLimit").field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}

/// Counts a request of its source, and a refused proof more than once.
pub(crate) async fn per_source<F>(
    limit: &SourceLimit,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let peer = request.extensions().get::<Peer>().copied();
    let Some(source) = peer.and_then(|peer| limit.source(peer, request.headers())) else {
        return answer(request).await;
    };
    if let Err(problem) = limit.take(source) {
        return problem.into_response();
    }
    let response = answer(request).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        let _ = (1..REFUSED).try_for_each(|_| limit.take(source));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const GOOD: StatusCode = StatusCode::OK;
    const UNPROVEN: StatusCode = StatusCode::UNAUTHORIZED;

    async fn ask(limit: &SourceLimit, peer: &str, forwarded: &[&str], answer: StatusCode) -> StatusCode {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        for value in forwarded {
            request.headers_mut().append("x-forwarded-for", value.parse().unwrap());
        }
        per_source(limit, request, async |_| answer.into_response()).await.status()
    }

    async fn answered(
        limit: &SourceLimit,
        peer: &str,
        forwarded: &[&str],
        answer: StatusCode,
        times: usize,
    ) -> usize {
        let mut good = 0;
        for _ in 0..times {
            good += usize::from(ask(limit, peer, forwarded, answer).await != StatusCode::TOO_MANY_REQUESTS);
        }
        good
    }

    #[tokio::test]
    async fn each_source_has_its_own_bound() {
        let limit = SourceLimit::new(30, Vec::new());
        assert_eq!(answered(&limit, "203.0.113.1", &[], GOOD, 60).await, 30);
        assert_eq!(answered(&limit, "203.0.113.2", &[], GOOD, 60).await, 30);
        // Any address of one's network is oneself, and an IPv4 address is one in every spelling.
        assert_eq!(answered(&limit, "2001:db8:1:2::1", &[], GOOD, 20).await, 20);
        assert_eq!(answered(&limit, "2001:db8:1:2::ffff", &[], GOOD, 20).await, 10);
        assert_eq!(answered(&limit, "::ffff:203.0.113.1", &[], GOOD, 5).await, 0);
        // This machine is the operator's.
        assert_eq!(answered(&limit, "127.0.0.1", &[], GOOD, 60).await, 60);
    }

    #[tokio::test]
    async fn a_refused_proof_counts_more() {
        let limit = SourceLimit::new(100, Vec::new());
        assert_eq!(answered(&limit, "203.0.113.1", &[], UNPROVEN, 60).await, 5);
    }

    #[tokio::test]
    async fn only_a_trusted_proxy_is_believed() {
        let proxies = ["10.0.0.1", "10.0.0.2"].map(|proxy| proxy.parse().unwrap());
        let limit = SourceLimit::new(30, proxies.to_vec());
        let one = ["198.51.100.1"];
        assert_eq!(answered(&limit, "10.0.0.1", &one, GOOD, 60).await, 30);
        // What a stranger wrote stands before what the proxies wrote.
        let pretended = ["198.51.100.77, 198.51.100.1, 10.0.0.2"];
        assert_eq!(answered(&limit, "10.0.0.1", &pretended, GOOD, 10).await, 0);
        assert_eq!(answered(&limit, "10.0.0.1", &["198.51.100.2"], GOOD, 60).await, 30);
        // A stranger who names somebody else is counted as what it is.
        assert_eq!(answered(&limit, "203.0.113.9", &["198.51.100.3"], GOOD, 20).await, 20);
        assert_eq!(answered(&limit, "203.0.113.9", &["198.51.100.4"], GOOD, 20).await, 10);
        // So is a proxy that names nobody.
        assert_eq!(answered(&limit, "10.0.0.2", &["nonsense"], GOOD, 60).await, 30);
    }

    #[tokio::test]
    async fn without_a_bound_nothing_is_counted() {
        let limit = SourceLimit::new(0, Vec::new());
        assert_eq!(answered(&limit, "203.0.113.1", &[], GOOD, 200).await, 200);
    }
}
