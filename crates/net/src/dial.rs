//! The only place that connects to anything. It takes a [`Grant`]: without one nothing is dialled.
//!
//! A name is resolved once and the connection goes to what it resolved to, so that nobody can change the answer between a check
//! and its use. Addresses at which clouds hand out credentials are never dialled unless the target says so.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use gate::Grant;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::listener::prepare;

/// The target's option that permits link-local addresses.
const ALLOW_LINK_LOCAL: &str = "allow_link_local";

/// Why a target was not reached. The texts are for the log; [`DialError::for_client`] names no address.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// It cannot be reached.
    #[error("target {target} is away: {address}: {why}")]
    Away {
        /// The target's name.
        target: String,
        /// As configured, or as resolved.
        address: String,
        /// A class of failure, in words.
        why: &'static str,
    },
    /// Its name has no address.
    #[error("target {target} is away: {address}: the name cannot be resolved")]
    Unresolved {
        /// The target's name.
        target: String,
        /// As configured.
        address: String,
    },
    /// It is at an address that is never dialled.
    #[error(
        "target {target} is not dialled: {address} is a link-local, metadata or unusable address; set `allow_link_local: true` on the target if this is meant"
    )]
    Forbidden {
        /// The target's name.
        target: String,
        /// As resolved.
        address: String,
    },
}

impl DialError {
    /// The same for the client, which learns nothing of where targets are.
    #[must_use]
    pub fn for_client(&self) -> String {
        match self {
            Self::Away { target, why, .. } => {
                format!("target {target} is away: {why}; the gateway's log has its address")
            }
            Self::Unresolved { target, .. } => {
                format!("target {target} is away: its name cannot be resolved; the gateway's log has its address")
            }
            Self::Forbidden { target, .. } => {
                format!(
                    "target {target} is not dialled: its address is a link-local, metadata or unusable one; the gateway's log says which"
                )
            }
        }
    }
}

/// Connects to the grant's target within `timeout`, which covers resolving and all addresses together. Cancel safe: a connection
/// that is not returned is closed.
///
/// # Errors
/// [`DialError`].
pub async fn dial(grant: &Grant, timeout: Duration) -> Result<TcpStream, DialError> {
    let endpoint = grant.endpoint();
    let link_local = endpoint.options.get(ALLOW_LINK_LOCAL).and_then(serde_json::Value::as_bool).unwrap_or(false);
    dial_address(&grant.target().name, &endpoint.address, link_local, timeout).await
}

async fn dial_address(
    target: &str,
    address: &str,
    link_local: bool,
    timeout: Duration,
) -> Result<TcpStream, DialError> {
    let away = |address: String, why| DialError::Away { target: target.to_owned(), address, why };
    let unresolved = || DialError::Unresolved { target: target.to_owned(), address: address.to_owned() };
    let late = || away(address.to_owned(), "no answer in time");
    let deadline = Instant::now().checked_add(timeout).ok_or_else(late)?;
    let resolving = tokio::time::timeout_at(deadline, tokio::net::lookup_host(address));
    let addresses: Vec<SocketAddr> = resolving.await.map_err(|_| late())?.map_err(|_| unresolved())?.collect();
    let mut failure = unresolved();
    for (index, candidate) in addresses.iter().enumerate() {
        if is_forbidden(candidate.ip(), link_local) {
            failure = DialError::Forbidden { target: target.to_owned(), address: candidate.to_string() };
            continue;
        }
        // What is left of the time is shared by the addresses that are left, so that a silent first one does not eat it all.
        let left = u32::try_from(addresses.len().saturating_sub(index)).unwrap_or(u32::MAX).max(1);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        failure = match tokio::time::timeout(share, connect(*candidate)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => away(candidate.to_string(), reason(&error)),
            Err(_late) => away(candidate.to_string(), "no answer in time"),
        };
    }
    Err(failure)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let stream = socket.connect(address).await?;
    prepare(&stream)?;
    Ok(stream)
}

fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::TimedOut => "no answer in time",
        io::ErrorKind::HostUnreachable => "the host cannot be reached",
        io::ErrorKind::NetworkUnreachable => "the network cannot be reached",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::PermissionDenied => "not permitted by this machine",
        io::ErrorKind::AddrNotAvailable => "no local address or port is left",
        _ => "the connection failed",
    }
}

/// Addresses that serve credentials to whoever asks, beside the link-local ones: AWS over IPv6, Alibaba, Oracle.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// Whether an address is never dialled. What hides inside an IPv6 address (mapped, compatible, NAT64, 6to4) is looked at, too.
fn is_forbidden(address: IpAddr, link_local: bool) -> bool {
    let unusable =
        address.is_unspecified() || address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    } || METADATA.contains(&address);
    let hidden = match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => embedded(v6).is_some_and(|v4| is_forbidden(IpAddr::V4(v4), link_local)),
    };
    unusable || (local && !link_local) || hidden
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match [a, b, c, d, e, f] {
        // `::1` is loopback and has nothing inside.
        [0, 0, 0, 0, 0, 0] => (high != 0).then(|| v4(high, low)),
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forbidden(text: &str) -> bool {
        is_forbidden(text.parse().unwrap(), false)
    }

    #[test]
    fn metadata_and_link_local_are_never_dialled() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "::ffff:0.0.0.0",
        ] {
            assert!(forbidden(address), "{address}");
        }
        for address in
            ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd00::1", "2001:db8::1", "100.64.0.1", "::ffff:10.0.0.1"]
        {
            assert!(!forbidden(address), "{address}");
        }
        assert!(!is_forbidden("169.254.1.1".parse().unwrap(), true));
        assert!(!is_forbidden("::ffff:169.254.1.1".parse().unwrap(), true));
        assert!(is_forbidden("0.0.0.0".parse().unwrap(), true));
    }

    #[tokio::test]
    async fn failures_name_target_and_address() {
        let wait = Duration::from_secs(5);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let text = dial_address("orders-db", &free, false, wait).await.unwrap_err().to_string();
        assert_eq!(text, format!("target orders-db is away: {free}: connection refused"));
        let text = dial_address("orders-db", "169.254.169.254:80", false, wait).await.unwrap_err().to_string();
        assert!(text.contains("169.254.169.254") && text.contains("allow_link_local"), "{text}");
        let text = dial_address("orders-db", "no.such.host.invalid:1", false, wait).await.unwrap_err().to_string();
        assert!(text.contains("no.such.host.invalid:1"), "{text}");
        let text = dial_address("orders-db", "no-port", false, wait).await.unwrap_err().to_string();
        assert!(text.contains("no-port"), "{text}");
    }

    #[tokio::test]
    async fn a_listening_target_is_reached() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = dial_address("orders-db", &address.to_string(), false, Duration::from_secs(5)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert!(stream.nodelay().unwrap());
    }
}
