//! How many requests one source may make: a bound for each address, so that a stranger who guesses keys, or one that
//! went wild, leaves room for the others.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        counted(source)
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

/// Whom an address stands for; `None` for this machine itself, which is not counted.
fn counted(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    (!address.is_loopback()).then(|| network(address))
}

/// How many connections one address holds open, so that nobody takes all of them.
pub(crate) struct Connections {
    most: usize,
    trusted: Vec<IpAddr>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that is counted until it is dropped.
pub(crate) struct Held {
    all: Arc<Connections>,
    source: Option<IpAddr>,
}

impl Connections {
    /// `most` 0 is any number. Proxies in `trusted` speak for many and are not counted.
    pub(crate) fn new(most: usize, trusted: Vec<IpAddr>) -> Self {
        Self { most, trusted, open: Mutex::default() }
    }

    /// Counts a connection; `None` when its source has as many as it may have.
    pub(crate) fn hold(self: &Arc<Self>, peer: IpAddr) -> Option<Held> {
        let counts = self.most > 0 && !self.trusted.contains(&peer.to_canonical());
        let source = counted(peer).filter(|_| counts);
        if let Some(source) = source {
            let mut open = self.open();
            let held = open.entry(source).or_default();
            if *held >= self.most {
                return None;
            }
            *held += 1;
        }
        Some(Held { all: self.clone(), source })
    }

    /// Nothing in here panics half-way through a change.
    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(source) = self.source else { return };
        let mut open = self.all.open();
        if let Some(held) = open.get_mut(&source) {
            *held -= 1;
            if *held == 0 {
                open.remove(&source);
            }
        }
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
    // A gateway may want another status than 401 for a webhook that does not prove its origin.
    let unproven = response.extensions().get::<Problem>().is_some_and(Problem::is_unproven);
    if unproven || response.status() == StatusCode::UNAUTHORIZED {
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

    #[test]
    fn one_source_holds_so_many_connections_and_no_more() {
        let all = Arc::new(Connections::new(2, vec!["192.0.2.9".parse().unwrap()]));
        let hold = |peer: &str| all.hold(peer.parse().unwrap());
        let held = [hold("192.0.2.1"), hold("192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(hold("192.0.2.1").is_none());
        assert!(hold("::ffff:192.0.2.1").is_none(), "the same in another spelling");
        assert!(hold("192.0.2.2").is_some(), "others have room");
        drop(held);
        assert!(hold("192.0.2.1").is_some());
        assert!(all.open().is_empty(), "whoever left is forgotten");
        let network: Vec<_> = (1..=3).map(|host| hold(&format!("2001:db8:0:1::{host}"))).collect();
        assert!(network[1].is_some() && network[2].is_none(), "a whole network is one source");
        for unbound in ["127.0.0.1", "::1", "192.0.2.9"] {
            let many: Vec<_> = (0..9).map(|_| hold(unbound)).collect();
            assert!(many.iter().all(Option::is_some), "{unbound}");
        }
    }

    #[tokio::test]
    async fn a_forged_webhook_counts_whatever_its_gateway_wants_to_hear() {
        let limit = SourceLimit::new(60, Vec::new());
        let forged = || {
            let error = billfold_core::Error::new(billfold_core::ErrorKind::Unauthenticated, "wrong");
            Problem::from(error).with_status(StatusCode::from_u16(498).unwrap()).into_response()
        };
        let mut answered = Vec::new();
        for _ in 0..4 {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(Peer("192.0.2.1".parse().unwrap()));
            answered.push(per_source(&limit, request, async |_| forged()).await.status().as_u16());
        }
        assert_eq!(answered, [498, 498, 498, 429]);
    }

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
