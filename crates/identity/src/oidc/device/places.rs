//! How many logins with the browser may be under way: each is a connection that waits for minutes, and makes the provider do something.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Of the whole gateway.
    pub(crate) all: usize,
    /// Of one address: far below what a listener lets wait for a login, so that such logins never take all of its places.
    pub(crate) each: usize,
    /// How long a place is taken at least. Whoever gives up at once and asks again makes the provider no busier than this.
    pub(crate) hold: Duration,
}

impl Default for Bounds {
    /// People log in once and work for hours, so few are at it at once even behind one office's address; and a provider hears of 6 logins a
    /// second at most.
    fn default() -> Self {
        Self { all: 64, each: 8, hold: Duration::from_secs(10) }
    }
}

/// The logins under way.
#[derive(Debug)]
pub(crate) struct Places {
    bounds: Bounds,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Never more than [`Bounds::all`].
    list: Vec<One>,
    next: u64,
}

#[derive(Debug)]
struct One {
    number: u64,
    source: IpAddr,
    since: Instant,
    /// It is over, and its place is held for what is left.
    over: bool,
}

/// A place. Dropping it frees it, in its time.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    /// All of them free.
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, taken: Mutex::default() })
    }

    /// A place for a login from this address, if there is one.
    pub(crate) fn take(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        self.take_at(source, Instant::now())
    }

    fn take_at(self: &Arc<Self>, source: IpAddr, now: Instant) -> Option<Place> {
        let source = network(source);
        let mut taken = self.lock();
        taken.list.retain(|one| !one.over || now.saturating_duration_since(one.since) < self.bounds.hold);
        let same = taken.list.iter().filter(|one| one.source == source).count();
        if taken.list.len() >= self.bounds.all || same >= self.bounds.each {
            return None;
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        taken.list.push(One { number, source, since: now, over: false });
        Some(Place { places: Arc::clone(self), number })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing that may panic stands between two changes.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(one) = self.places.lock().list.iter_mut().find(|one| one.number == self.number) {
            one.over = true;
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 address: whoever has one of it has them all.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_by_address_and_in_all() {
        let places = Places::new(Bounds { all: 3, each: 2, hold: Duration::from_secs(10) });
        let now = Instant::now();
        let take = |address: &str, seconds| places.take_at(from(address), now + Duration::from_secs(seconds));
        let one = take("2001:db8::1", 0).unwrap();
        let _two = take("2001:db8::2", 1).unwrap();
        assert!(take("2001:db8::3", 1).is_none(), "one network");
        let _three = take("::ffff:10.0.0.1", 1).unwrap();
        assert!(take("10.0.0.2", 2).is_none(), "all are taken");
        drop(one);
        assert!(take("10.0.0.2", 9).is_none(), "given up at once, a place is not free at once");
        let _four = take("2001:db8::4", 11).unwrap();
        assert!(take("2001:db8::5", 12).is_none(), "who is still at it keeps a place");
        assert_eq!(places.lock().list.len(), 3);
    }
}
