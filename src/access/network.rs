//! The network of a client's address, by which failed logins and anonymous requests are counted.

use std::net::IpAddr;

/// An IPv4 address, or the /64 network of an IPv6 address: whoever has one address there has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(u64);

/// The upper half of IPv4 addresses that are written as IPv6, where no network is.
const IPV4: u64 = 0xffff << 32;

impl Network {
    /// Returns the network of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IPV4 | u64::from(address.to_bits())),
            IpAddr::V6(address) => Self((address.to_bits() >> 64) as u64),
        }
    }

    /// Returns its number. Never `u64::MAX`, which would be multicast.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn who_has_one_address_of_a_network_has_them_all() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
        assert_ne!(network("::1"), network("0.0.0.0"));
    }
}
