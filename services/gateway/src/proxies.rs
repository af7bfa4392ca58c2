//! Whose word about a client's address is believed.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies before the gateway, by address or network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// A text that names no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not addresses and networks, as 192.0.2.1 and 10.0.0.0/8")]
pub struct NotProxies;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Leading bits that an address of the network shares with it.
    length: u32,
}

impl Proxies {
    /// Where a request came from: from the peer, or where that is one of the proxies, from the last hop in its
    /// `X-Forwarded-For` that is none. A hop that is no address leaves the peer's.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return peer;
        }
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        let mut client = peer;
        // Each proxy adds whom it was asked by at the end; what stands before the first stranger is the stranger's word.
        for value in values.into_iter().rev() {
            for hop in value.to_str().unwrap_or_default().rsplit(',') {
                let Some(hop) = address(hop.trim()) else { return peer };
                client = hop;
                if !self.trust(hop) {
                    return client;
                }
            }
        }
        client
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let differs = leading(self.address) ^ leading(address);
        self.address.is_ipv4() == address.is_ipv4()
            && differs.checked_shr(u128::BITS - self.length).unwrap_or_default() == 0
    }
}

/// The address at the high end of the bits.
fn leading(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << (u128::BITS - u32::BITS),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Some proxies write the port too.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

impl FromStr for Proxies {
    type Err = NotProxies;

    /// Addresses and networks parted by spaces or commas.
    fn from_str(text: &str) -> Result<Self, NotProxies> {
        let parts = text.split([' ', ',']).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Network {
    type Err = NotProxies;

    fn from_str(text: &str) -> Result<Self, NotProxies> {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| NotProxies)?;
        let longest = if address.is_ipv4() { u32::BITS } else { u128::BITS };
        let length = match length {
            None => longest,
            Some(length) => length.parse().map_err(|_| NotProxies)?,
        };
        if length > longest {
            return Err(NotProxies);
        }
        Ok(Self { address, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies: Proxies = "192.0.2.1, 10.0.0.0/8 2001:db8::/32".parse().unwrap();
        let forwarded = forwarded.iter().map(|value| (FORWARDED_FOR, value.parse().unwrap()));
        let headers: HeaderMap = forwarded.collect();
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_proxy_of_ours_says_who_asked_it() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("::ffff:10.1.2.3", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("2001:db8::7", &["[2001:db9::1]:443"]), "2001:db9::1");
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1", "it says nothing");
    }

    #[test]
    fn a_stranger_s_word_is_not_believed() {
        assert_eq!(client("192.0.2.2", &["203.0.113.9"]), "192.0.2.2");
        assert_eq!(client("2001:db9::7", &["203.0.113.9"]), "2001:db9::7");
        // What the client wrote itself stands before what the proxies added.
        assert_eq!(client("192.0.2.1", &["198.51.100.1, 203.0.113.9, 10.0.0.7"]), "203.0.113.9");
        assert_eq!(
            client("192.0.2.1", &["198.51.100.1", "203.0.113.9", "10.0.0.7"]),
            "203.0.113.9"
        );
        assert_eq!(client("192.0.2.1", &["nobody, 203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn a_request_that_only_proxies_passed_on_is_of_the_first_of_them() {
        assert_eq!(client("192.0.2.1", &["10.0.0.8, 10.0.0.7"]), "10.0.0.8");
    }

    #[test]
    fn what_is_no_address_leaves_the_peer_s() {
        for odd in ["", "unknown", "203.0.113.9, ", "203.0.113.9, unknown", "203.0.113", "_hidden"]
        {
            assert_eq!(client("192.0.2.1", &[odd]), "192.0.2.1", "{odd}");
        }
        assert_eq!(client("192.0.2.1", &["203.0.113.9", "unknown, 10.0.0.7"]), "192.0.2.1");
    }

    #[test]
    fn a_network_holds_what_shares_its_leading_bits() {
        let holds = |network: &str, address: &str| {
            network.parse::<Proxies>().unwrap().trust(address.parse().unwrap())
        };
        assert!(holds("10.128.0.0/9", "10.255.0.1") && !holds("10.128.0.0/9", "10.127.0.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && !holds("192.0.2.1/32", "192.0.2.0"));
        for odd in ["proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "::/129", "10.0.0.0/-1"] {
            assert_eq!(odd.parse::<Proxies>(), Err(NotProxies), "{odd}");
        }
        assert_eq!("".parse(), Ok(Proxies::default()));
    }
}
