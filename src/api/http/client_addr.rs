//! The client's address of a request, behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Returns the client's address. Each proxy appends its peer to `X-Forwarded-For`; everything before the last address that
/// is not a trusted proxy may be forged.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_ours = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    let mut address = peer.to_canonical();
    if !is_ours(address) {
        return address;
    }
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        let Some(hop) = parse(hop) else {
            break;
        };
        address = hop;
        if !is_ours(address) {
            break;
        }
    }
    address
}

/// Returns whether the peer is a trusted proxy.
pub(crate) fn is_proxy(peer: IpAddr, proxies: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    proxies.iter().any(|network| network.contains(&peer))
}

/// Returns whether a trusted proxy reports that the browser speaks TLS. Of several proxies the first counts, which the browser
/// connects to. A forged value would merely keep the browser from sending its cookie over plain HTTP.
pub(crate) fn is_over_tls(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> bool {
    let is_ours = is_proxy(peer, proxies);
    let said = headers.get("x-forwarded-proto");
    let first = said.and_then(|said| said.as_bytes().split(|byte| *byte == b',').next());
    is_ours && first.is_some_and(|scheme| scheme.trim_ascii().eq_ignore_ascii_case(b"https"))
}

/// Parses an address, with or without a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies = [
            "127.0.0.1/32".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
        address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(seen("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("::ffff:127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn what_stands_before_the_last_stranger_is_invented() {
        assert_eq!(
            seen("127.0.0.1", &["1.1.1.1, 192.0.2.9, 10.0.0.2"]),
            "192.0.2.9"
        );
        assert_eq!(
            seen("127.0.0.1", &["1.1.1.1", "192.0.2.9", "10.0.0.2"]),
            "192.0.2.9"
        );
        assert_eq!(
            seen("127.0.0.1", &["192.0.2.9, unknown, 10.0.0.2"]),
            "10.0.0.2"
        );
    }

    #[test]
    fn tls_is_what_a_proxy_of_ours_says_of_the_browser() {
        let is_over_tls = |peer: &str, said: &'static str| {
            let headers = HeaderMap::from_iter([(
                "x-forwarded-proto".parse().unwrap(),
                said.parse().unwrap(),
            )]);
            let proxies = ["127.0.0.1/32".parse().unwrap()];
            crate::api::http::client_addr::is_over_tls(peer.parse().unwrap(), &headers, &proxies)
        };
        assert!(is_over_tls("127.0.0.1", "https"));
        assert!(is_over_tls("::ffff:127.0.0.1", "HTTPS, http"));
        assert!(!is_over_tls("127.0.0.1", "http, https"));
        assert!(!is_over_tls("127.0.0.1", ""));
        assert!(!is_over_tls("192.0.2.1", "https"));
    }

    #[test]
    fn ports_are_no_part_of_an_address() {
        assert_eq!(seen("10.0.0.1", &["192.0.2.9:4711"]), "192.0.2.9");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
    }
}
