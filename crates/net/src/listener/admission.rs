//! Who may come in: a limit for all connections, and one per source for those that have not logged in yet.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// The gateway has as many connections as it may have.
    #[error("the gateway has reached its connection limit")]
    Full,
    /// This source has as many unfinished logins as it may have.
    #[error("too many unfinished logins from this address")]
    Source,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    logging_in: HashMap<IpAddr, usize>,
}

/// Counts connections against the limits.
#[derive(Debug)]
pub(super) struct Door {
    max_all: usize,
    max_per_source: usize,
    counts: Mutex<Counts>,
}

impl Door {
    pub(super) fn new(max_all: usize, max_per_source: usize) -> Arc<Self> {
        Arc::new(Self { max_all, max_per_source, counts: Mutex::default() })
    }

    /// A panic while the lock is held cannot leave the counts half-changed.
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in whose source is not known yet: it comes from a trusted proxy.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Arc<Place>, Turned> {
        let mut counts = self.counts();
        if counts.all >= self.max_all {
            return Err(Turned::Full);
        }
        counts.all = counts.all.saturating_add(1);
        Ok(Arc::new(Place { door: Arc::clone(self), source: Mutex::new(None) }))
    }
}

/// A place among the connections. The listener keeps it until the connection's task is over; what the task holds is a handle to it.
#[derive(Debug)]
pub(super) struct Place {
    door: Arc<Door>,
    source: Mutex<Option<IpAddr>>,
}

impl Place {
    /// Counts this connection as an unfinished login of `source`.
    pub(super) fn count_source(&self, source: IpAddr) -> Result<(), Turned> {
        let source = bucket(source);
        let mut counts = self.door.counts();
        let count = counts.logging_in.entry(source).or_default();
        if *count >= self.door.max_per_source {
            return Err(Turned::Source);
        }
        *count = count.saturating_add(1);
        drop(counts);
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
        Ok(())
    }

    fn authenticated(&self) {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(source) = source else { return };
        let mut counts = self.door.counts();
        if let Some(count) = counts.logging_in.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.logging_in.remove(&source);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.authenticated();
        let mut counts = self.door.counts();
        counts.all = counts.all.saturating_sub(1);
    }
}

/// A connection's handle to its place. Dropping it changes nothing: the place is free when the connection's task is over.
#[derive(Clone, Debug)]
pub struct Admission(pub(super) Arc<Place>);

impl Admission {
    /// The login is done: this connection no longer counts against its source.
    pub fn authenticated(&mut self) {
        self.0.authenticated();
    }
}

/// One counter for each IPv4 address and each IPv6 /64: whoever has one address of such a network has them all.
fn bucket(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_freed() {
        let door = Door::new(3, 1);
        let one = door.enter().unwrap();
        one.count_source("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        let two = door.enter().unwrap();
        assert_eq!(two.count_source("10.0.0.1".parse().unwrap()), Err(Turned::Source));
        let mut handle = Admission(Arc::clone(&one));
        handle.authenticated();
        handle.authenticated();
        two.count_source("10.0.0.1".parse().unwrap()).unwrap();
        let three = door.enter().unwrap();
        assert_eq!(door.enter().unwrap_err(), Turned::Full);
        drop((one, two, three, handle));
        assert_eq!(door.counts().all, 0);
        assert!(door.counts().logging_in.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        assert_eq!(bucket("2001:db8::1".parse().unwrap()), bucket("2001:db8::ffff".parse().unwrap()));
        assert_ne!(bucket("2001:db8:0:1::1".parse().unwrap()), bucket("2001:db8::1".parse().unwrap()));
    }
}
