//! Limits the connections of one address to three quarters of all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use tokio::time::Instant;

/// Time between two warnings, so that a flood of connections does not flood the log.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// Counts the connections of each address.
pub(crate) struct AddressLimit {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    connections: HashMap<IpAddr, usize>,
    warned_at: Option<Instant>,
    warned_full_at: Option<Instant>,
}

/// One connection of an address.
pub(crate) struct AddressPermit {
    limit: Arc<AddressLimit>,
    /// `None` if it is not counted.
    address: Option<IpAddr>,
}

impl AddressLimit {
    /// Limits each address to three quarters of this many connections.
    pub(crate) fn new(connections: usize) -> Arc<Self> {
        Arc::new(Self {
            most: connections - connections / 4,
            held: Mutex::default(),
        })
    }

    /// Counts a connection of `address`; `None` if that has reached its limit.
    pub(crate) fn permit(self: &Arc<Self>, address: IpAddr) -> Option<AddressPermit> {
        let address = network_of(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.connections.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(AddressPermit {
            limit: Arc::clone(self),
            address: Some(address),
        })
    }

    /// Returns the permit of a connection that is not counted: that of a trusted proxy, which serves many clients.
    pub(crate) fn uncounted(self: &Arc<Self>) -> AddressPermit {
        AddressPermit {
            limit: Arc::clone(self),
            address: None,
        }
    }

    /// Logs that an address is refused, at most once a minute.
    pub(crate) fn warn(&self, address: IpAddr) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if is_due(&mut held.warned_at) {
            tracing::warn!(
                %address,
                connections = self.most,
                "one address has reached its connection limit; its further connections get 503. Raise \
                 max_connections, or name a proxy in trusted_proxies"
            );
        }
    }

    /// Logs that all connections are in use, at most once a minute.
    pub(crate) fn warn_full(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if is_due(&mut held.warned_full_at) {
            tracing::warn!(
                "all connections are in use; others wait until one ends. Raise max_connections"
            );
        }
    }
}

/// Returns whether another warning is due; notes it as given.
fn is_due(last: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let due = last.is_none_or(|last| now.duration_since(last) >= BETWEEN_WARNINGS);
    if due {
        *last = Some(now);
    }
    due
}

/// A connection's share of both limits: of all connections, and of its address. What the connection is upgraded to keeps
/// it.
pub(crate) type ConnectionPermit = Arc<(OwnedSemaphorePermit, AddressPermit)>;

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let held = &self.limit.held;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.connections.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                held.connections.remove(&address);
            }
        }
    }
}

/// Returns the unit that is counted: an IPv4 address or an IPv6 /64 network, since a host has many IPv6 addresses.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_holds_all_connections() {
        let limit = AddressLimit::new(8);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let mut held: Vec<_> = (0..6).map(|_| limit.permit(one).unwrap()).collect();
        assert!(limit.permit(one).is_none());
        assert!(limit.permit("::ffff:192.0.2.1".parse().unwrap()).is_none());
        assert!(limit.permit("192.0.2.2".parse().unwrap()).is_some());
        held.pop();
        assert!(limit.permit(one).is_some());
        drop(held);
        assert!(limit.held.lock().unwrap().connections.is_empty());
        for connections in 1..4 {
            assert_eq!(AddressLimit::new(connections).most, connections);
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let limit = AddressLimit::new(1);
        let first = limit.permit("2001:db8::1".parse().unwrap());
        assert!(first.is_some());
        assert!(limit.permit("2001:db8::2".parse().unwrap()).is_none());
        assert!(limit.permit("2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
