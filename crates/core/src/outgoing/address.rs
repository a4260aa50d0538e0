//! Which addresses webhooks may go to: those of the public internet, unless the operator says otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::{Host, Url};

const MAX_URL: usize = 2048;

/// What is not of the public internet, from IANA's registries of special-purpose addresses.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// Private networks, where an operator may have receivers. Link-local addresses are not among them: cloud machines
/// find their credentials there.
const PRIVATE_V4: [Ipv4Net; 5] = [
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
];

/// The only global unicast addresses that are given out, and what of them is special: IETF protocols with Teredo,
/// documentation, 6to4.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);
const SPECIAL_V6: [Ipv6Net; 4] =
    [v6([0x2001, 0], 23), v6([0x2001, 0xdb8], 32), v6([0x2002, 0], 16), v6([0x3fff, 0], 20)];
const PRIVATE_V6: Ipv6Net = v6([0xfc00, 0], 7);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(head: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], 0, 0, 0, 0, 0, 0), prefix)
}

/// What may be called beside the public internet over HTTPS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Private networks and this machine, over HTTPS.
    pub private_networks: bool,
    /// This machine, also over plain HTTP: for development.
    pub plain_http_to_loopback: bool,
}

impl AddressPolicy {
    /// Whether an address may be called.
    pub fn allows(&self, address: IpAddr) -> bool {
        // An IPv4 address is the same in an IPv6 one's clothes.
        match address.to_canonical() {
            IpAddr::V4(address) => {
                !SPECIAL_V4.iter().any(|net| net.contains(&address))
                    || (self.private_networks && PRIVATE_V4.iter().any(|net| net.contains(&address)))
                    || (self.plain_http_to_loopback && address.is_loopback())
            }
            IpAddr::V6(address) => {
                (GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address)))
                    || (self.private_networks && (PRIVATE_V6.contains(&address) || address.is_loopback()))
                    || (self.plain_http_to_loopback && address.is_loopback())
            }
        }
    }

    /// Whether an endpoint may have this URL, before its name is resolved. The error says what would be right.
    pub fn check_url(&self, url: &Url) -> Result<(), String> {
        let refused = |message: &str| Err(message.to_owned());
        if url.as_str().len() > MAX_URL {
            return Err(format!("expected at most {MAX_URL} characters"));
        }
        let Some(host) = url.host().filter(|_| ["http", "https"].contains(&url.scheme())) else {
            return refused("expected an https URL");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("expected no user name and no password; deliveries are signed");
        }
        if url.fragment().is_some() {
            return refused("expected no fragment");
        }
        let (loopback, allowed) = match host {
            Host::Ipv4(address) => (address.is_loopback(), self.allows(address.into())),
            Host::Ipv6(address) => {
                let canonical = IpAddr::V6(address).to_canonical();
                (canonical.is_loopback(), self.allows(canonical))
            }
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                let local = name == "localhost" || name.ends_with(".localhost");
                (local, !local || self.allows(Ipv4Addr::LOCALHOST.into()))
            }
        };
        if !allowed {
            return refused(
                "expected a host on the public internet; the operator may allow private networks with webhooks.allow_private_networks",
            );
        }
        if url.scheme() == "http" && !(loopback && self.plain_http_to_loopback) {
            return refused(
                "expected an https URL; plain http works for this machine alone, in development mode",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: AddressPolicy = AddressPolicy { private_networks: false, plain_http_to_loopback: false };
    const PRIVATE: AddressPolicy = AddressPolicy { private_networks: true, plain_http_to_loopback: false };
    const DEVELOPMENT: AddressPolicy =
        AddressPolicy { private_networks: false, plain_http_to_loopback: true };

    /// The three policies, in that order.
    fn check(addresses: &[&str], expected: [bool; 3]) {
        for text in addresses {
            let address: IpAddr = text.parse().unwrap();
            let allowed = [PUBLIC, PRIVATE, DEVELOPMENT].map(|policy| policy.allows(address));
            assert_eq!(allowed, expected, "{text}");
        }
    }

    #[test]
    fn the_public_internet_may_be_called() {
        check(
            &["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"],
            [true; 3],
        );
        check(
            &["9.255.255.255", "11.0.0.0", "126.255.255.255", "128.0.0.1", "169.253.0.1", "169.255.0.1"],
            [true; 3],
        );
        check(
            &["192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"],
            [true; 3],
        );
        check(&["2606:4700:4700::1111", "2a00:1450::1", "2400::1", "::ffff:8.8.8.8"], [true; 3]);
    }

    #[test]
    fn private_networks_need_permission() {
        check(
            &["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
            [false, true, false],
        );
        check(
            &["100.64.0.1", "100.127.255.255", "fc00::1", "fd12:3456::1", "fdff:ffff::1"],
            [false, true, false],
        );
        check(&["::ffff:10.0.0.1", "::ffff:192.168.1.1", "::ffff:c0a8:101"], [false, true, false]);
        check(
            &["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
            [false, true, true],
        );
    }

    #[test]
    fn nobody_may_call_the_rest() {
        check(
            &["0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "192.0.0.1", "192.0.0.170"],
            [false; 3],
        );
        check(
            &["192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9"],
            [false; 3],
        );
        check(&["224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"], [false; 3]);
        check(
            &["::", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "100::1", "5f00::1"],
            [false; 3],
        );
        check(
            &["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1"],
            [false; 3],
        );
        check(
            &[
                "2001::1",
                "2001:0:53aa:64c:0:0:80ff:fffe",
                "2001:10::1",
                "2001:20::1",
                "2001:db8::1",
                "3fff::1",
            ],
            [false; 3],
        );
        check(
            &["::ffff:169.254.169.254", "::ffff:0.0.0.0", "::7f00:1", "::ffff:0:127.0.0.1", "4000::1"],
            [false; 3],
        );
    }

    fn check_url(url: &str, expected: [bool; 3]) {
        let url: Url = url.parse().unwrap();
        let allowed = [PUBLIC, PRIVATE, DEVELOPMENT].map(|policy| policy.check_url(&url).is_ok());
        assert_eq!(allowed, expected, "{url}");
    }

    #[test]
    fn urls_are_https_to_the_public_internet() {
        check_url("https://shop.example/hooks?token=x", [true; 3]);
        check_url("https://8.8.8.8:8443/", [true; 3]);
        check_url("https://[2606:4700::1]/", [true; 3]);
        for wrong in [
            "http://shop.example/",
            "ftp://shop.example/",
            "mailto:shop@example.com",
            "file:///etc/passwd",
            "https://user@shop.example/",
            "https://:word@shop.example/",
            "https://shop.example/#part",
            "https://169.254.169.254/latest/meta-data",
            "https://[::ffff:a9fe:a9fe]/",
            "https://0/",
            "http://10.0.0.1/",
            &format!("https://shop.example/{}", "x".repeat(2048)),
        ] {
            check_url(wrong, [false; 3]);
        }
    }

    #[test]
    fn however_an_address_is_spelt() {
        for spelt in
            ["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
        {
            check_url(&format!("https://{spelt}/"), [false, true, true]);
            check_url(&format!("http://{spelt}/"), [false, false, true]);
        }
        for spelt in ["localhost", "LOCALHOST", "localhost.", "a.localhost", "①②⑦.0.0.1"] {
            check_url(&format!("https://{spelt}/"), [false, true, true]);
        }
        for spelt in ["0xa9fea9fe", "2852039166", "169.254.43518", "0251.0376.0251.0376"] {
            check_url(&format!("https://{spelt}/"), [false; 3]);
        }
        check_url("https://0x0a000001/", [false, true, false]);
    }
}
