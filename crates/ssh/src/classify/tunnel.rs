//! Connections that a target makes or takes for a client, and what is lent to its programs. What has several spellings is in no rule's objects:
//! a rule about one of them would not be about the others.

use std::net::{Ipv4Addr, Ipv6Addr};

use model::{Effect, Object, ObjectKind};

use super::Asked;

/// A connection that the target makes for the client. Names of hosts have no case.
pub(crate) fn direct(host: &str, port: u32) -> Asked {
    let host = host.to_ascii_lowercase();
    let place = if is_one_spelling(&host) && u16::try_from(port).is_ok() {
        place(&host, port)
    } else {
        format!("?.{}", place(&host, port))
    };
    Asked::simple("tunnel", format!("tunnel to {place}"), Effect::Tunnel, Object::new(ObjectKind::Host, place))
}

/// Connections that the target takes for the client.
pub(crate) fn listen(host: &str, port: u32) -> Asked {
    let host = host.to_ascii_lowercase();
    // RFC 4254, section 7.1: all addresses.
    let known = matches!(host.as_str(), "" | "*") || is_one_spelling(&host);
    let place = format!("listen:{}", place(&host, port));
    let called = if known && u16::try_from(port).is_ok() { place.clone() } else { format!("?.{place}") };
    Asked::simple("tunnel", format!("tunnel from {place}"), Effect::Tunnel, Object::new(ObjectKind::Host, called))
}

/// A connection to a socket of the target.
pub(crate) fn socket(path: &str) -> Asked {
    let object = Object::new(ObjectKind::Path, spelled(path, path));
    Asked::simple("tunnel", format!("tunnel to {path}"), Effect::Tunnel, object)
}

/// Connections to a socket that the target makes.
pub(crate) fn listen_socket(path: &str) -> Asked {
    let object = Object::new(ObjectKind::Path, spelled(path, &format!("listen:{path}")));
    Asked::simple("tunnel", format!("tunnel from listen:{path}"), Effect::Tunnel, object)
}

/// The client's keys, or its screen, for programs of the target.
pub(crate) fn lend(what: &str) -> Asked {
    Asked::simple("tunnel", format!("{what} forwarding"), Effect::Tunnel, Object::new(ObjectKind::Other, what))
}

/// What a socket's path is called, or that it is not known: one that goes up again, or says something twice, would be another under each spelling.
fn spelled(path: &str, called: &str) -> String {
    let names =
        path.strip_prefix('/').is_some_and(|names| names.split('/').all(|name| !matches!(name, "" | "." | "..")));
    if names && !path.contains(char::is_control) { called.to_owned() } else { format!("?.{called}") }
}

/// Whether a host is spelled as everybody spells it: an address as its family's canonical text, and a name that no resolver reads as an address.
/// `127.1`, `0x7f.1`, `2130706433` and `::ffff:127.0.0.1` are all the same place (inet_aton(3)); a name that begins with a number could be meant for
/// one of a rule's addresses (`10.0.*`).
fn is_one_spelling(host: &str) -> bool {
    if host.contains(':') {
        return host.parse::<Ipv6Addr>().is_ok_and(|it| it.to_ipv4_mapped().is_none() && it.to_string() == host);
    }
    if host.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'_')
    };
    let number = host
        .split('.')
        .next()
        .is_none_or(|first| first.bytes().all(|it| it.is_ascii_digit()) || first.starts_with("0x"));
    !number && host.split('.').all(label)
}

fn place(host: &str, port: u32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_spelling() {
        let name = |asked: &Asked| asked.intent.actions.first().and_then(|it| it.object.clone()).unwrap().name;
        for host in ["127.0.0.1", "localhost", "db-1.orders_x.internal", "::1", "fe80::1", "a", "x10.example"] {
            assert!(!name(&direct(host, 22)).starts_with('?'), "{host}");
        }
        for host in [
            "",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "0",
            "::ffff:127.0.0.1",
            "0:0:0:0:0:0:0:1",
            "::1%lo",
            "localhost.",
            "10.0.0.evil.example",
            "a..b",
            "a b",
            "db\n",
            "１２７.0.0.1",
            "*",
            "a/b",
            "[::1]",
        ] {
            assert!(name(&direct(host, 22)).starts_with("?."), "{host}");
        }
        for host in ["", "*", "::", "0.0.0.0", "localhost", "Gate.internal"] {
            assert!(name(&listen(host, 0)).starts_with("listen:"), "{host}");
        }
        for host in ["10.0.0.evil.example", "127.1", "::ffff:0.0.0.0", "a*", "0"] {
            assert!(name(&listen(host, 80)).starts_with("?.listen:"), "{host}");
        }
        assert!(name(&listen("localhost", 65_536 + 22)).starts_with("?."));
        assert_eq!(name(&direct("DB.internal", 5432)), "db.internal:5432");
        assert!(name(&direct("a", 65_536 + 22)).starts_with("?."), "some targets take it for 22");
        for path in ["/run/app.sock", "/srv/a.b/..c/x y"] {
            assert_eq!((name(&socket(path)), name(&listen_socket(path))), (path.to_owned(), format!("listen:{path}")));
        }
        for path in ["", "/", "run/x", "/srv/../x", "/srv//x", "/srv/./x", "/srv/x/", "/srv/..", "//x", "/a\nb"] {
            assert!(
                name(&socket(path)).starts_with("?.") && name(&listen_socket(path)).starts_with("?.listen:"),
                "{path}"
            );
        }
    }
}
