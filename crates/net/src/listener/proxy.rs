//! The PROXY protocol's header, versions 1 and 2, as a trusted load balancer sends it before the client's own bytes.
//!
//! Nothing behind the header is read. From a trusted address the header is required: guessing whether it is there would let a
//! client write its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first bytes of version 2 (section 2.2 of the specification).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included (section 2.1).
const LINE: usize = 107;
/// The longest address block and extensions of version 2 that are read: what fits an Ethernet frame is what balancers send.
const BLOCK: usize = 1500;

/// Reads the header; `None` means that the connection is the proxy's own, such as a health check. Not cancel safe.
///
/// # Errors
/// When the connection ends, or what it sends is not a header.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await?;
        let [version, family, high, low] = fixed;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > BLOCK {
            return Err(bad("PROXY header is too long"));
        }
        let mut block = vec![0; length];
        stream.read_exact(&mut block).await?;
        return version2(version, family, &block);
    }
    if !start.starts_with(b"PROXY ") {
        return Err(bad("no PROXY header from an address that is listed as a proxy"));
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE {
            return Err(bad("PROXY header is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    version1(&line)
}

fn bad(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn version1(line: &[u8]) -> io::Result<Option<SocketAddr>> {
    let malformed = || bad("PROXY header is malformed");
    let line = std::str::from_utf8(line).map_err(|_| malformed())?;
    let line = line.strip_suffix("\r\n").ok_or_else(malformed)?;
    let words: Vec<&str> = line.split(' ').collect();
    match *words {
        ["PROXY", "UNKNOWN", ..] => Ok(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, _, port, _] => {
            let address: IpAddr = source.parse().map_err(|_| malformed())?;
            if address.is_ipv4() != (family == "TCP4") {
                return Err(malformed());
            }
            Ok(Some(SocketAddr::new(address, port.parse().map_err(|_| malformed())?)))
        }
        _ => Err(malformed()),
    }
}

fn version2(version: u8, family: u8, block: &[u8]) -> io::Result<Option<SocketAddr>> {
    match version {
        0x20 => return Ok(None), // LOCAL: the proxy speaks for itself.
        0x21 => {}
        _ => return Err(bad("PROXY header has an unknown version or command")),
    }
    let cut = || bad("PROXY header is cut short");
    match family {
        0x11 => {
            let (block, _) = block.split_first_chunk::<12>().ok_or_else(cut)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *block;
            Ok(Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))))
        }
        0x21 => {
            let (source, rest) = block.split_first_chunk::<16>().ok_or_else(cut)?;
            let (_, rest) = rest.split_first_chunk::<16>().ok_or_else(cut)?;
            let (port, _) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(*source).into(), u16::from_be_bytes(*port))))
        }
        _ => Err(bad("PROXY header is not for TCP over IPv4 or IPv6")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(mut bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let result = runtime.block_on(read(&mut bytes));
        (result, bytes.len())
    }

    #[test]
    fn both_versions_name_the_client_and_leave_its_bytes() {
        let (address, left) = run(b"PROXY TCP4 192.0.2.7 10.0.0.1 5555 5432\r\nREST");
        assert_eq!((address.unwrap(), left), (Some("192.0.2.7:5555".parse().unwrap()), 4));
        let (address, left) = run(b"PROXY TCP6 2001:db8::7 ::1 5555 5432\r\n");
        assert_eq!((address.unwrap(), left), (Some("[2001:db8::7]:5555".parse().unwrap()), 0));
        let (address, left) = run(b"PROXY UNKNOWN\r\nREST");
        assert_eq!((address.unwrap(), left), (None, 4));

        let mut v2 = SIGNATURE.to_vec();
        v2.extend_from_slice(&[0x21, 0x11, 0, 15, 192, 0, 2, 7, 10, 0, 0, 1, 0x15, 0xb3, 0x15, 0x38, 4, 0, 0]);
        v2.extend_from_slice(b"REST");
        let (address, left) = run(&v2);
        assert_eq!((address.unwrap(), left), (Some("192.0.2.7:5555".parse().unwrap()), 4));
        let mut local = SIGNATURE.to_vec();
        local.extend_from_slice(&[0x20, 0, 0, 0]);
        assert_eq!(run(&local).0.unwrap(), None);
    }

    #[test]
    fn anything_else_is_refused() {
        let mut unix = SIGNATURE.to_vec();
        unix.extend_from_slice(&[0x21, 0x31, 0, 0]);
        let mut huge = SIGNATURE.to_vec();
        huge.extend_from_slice(&[0x21, 0x11, 0xff, 0xff]);
        let mut short = SIGNATURE.to_vec();
        short.extend_from_slice(&[0x21, 0x11, 0, 4, 1, 2, 3, 4]);
        let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 300]].concat();
        for bytes in [
            &b"\0\0\0\x08\x04\xd2\x16\x2f\0\0\0\0"[..],
            b"PROXY TCP4 ::1 ::1 1 1\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n",
            b"PROXY",
            &unix,
            &huge,
            &short,
            &endless,
        ] {
            assert!(run(bytes).0.is_err());
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(head in prop_oneof![Just(SIGNATURE.to_vec()), Just(b"PROXY ".to_vec()), Just(vec![])],
                                tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = run(&[head, tail].concat());
        }
    }
}
