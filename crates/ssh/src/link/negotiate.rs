//! What both sides speak (RFC 4253, section 7.1).

use aws_lc_rs::rand;

use super::LinkError;
use super::cipher::Cipher;
use super::compress::DELAYED;
use super::exchange::Method;
use crate::wire::{Cursor, encode, number};

/// Says that a peer sends, or takes, [`EXT_INFO`](number::EXT_INFO) (RFC 8308).
const EXT_INFO: [&str; 2] = ["ext-info-c", "ext-info-s"];
/// Says that a peer is strict about what may come before the keys (OpenSSH's PROTOCOL, section 1.9).
const STRICT: [&str; 2] = ["kex-strict-c-v00@openssh.com", "kex-strict-s-v00@openssh.com"];
/// With the ciphers that are spoken no other authentication is used; peers want to see names all the same.
const MACS: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";

/// Which side of a link we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Towards a target.
    Client,
    /// Towards a client.
    Server,
}

impl Role {
    const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }

    const fn peer(self) -> usize {
        1 - self.index()
    }
}

/// A KEXINIT of ours. `compressions` are the methods towards the server and towards the client.
pub(super) fn offer(role: Role, host_keys: &str, compressions: [&str; 2]) -> Result<Vec<u8>, LinkError> {
    let mut cookie = [0; 16];
    rand::fill(&mut cookie).map_err(|_| LinkError::Random)?;
    let methods: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
    let [ext, strict] = [EXT_INFO, STRICT].map(|names| names.get(role.index()).copied().unwrap_or_default());
    let ciphers: Vec<&str> = Cipher::ALL.iter().map(|cipher| cipher.name()).collect();
    let (methods, ciphers) = (format!("{},{ext},{strict}", methods.join(",")), ciphers.join(","));
    let [pack_to_server, pack_to_client] = compressions;
    let lists = [&methods, host_keys, &ciphers, &ciphers, MACS, MACS, pack_to_server, pack_to_client, "", ""];
    Ok(encode::message(number::KEXINIT, |out| {
        out.extend_from_slice(&cookie);
        for list in lists {
            encode::string(out, list.as_bytes());
        }
        encode::boolean(out, false);
        encode::u32(out, 0);
    }))
}

/// What was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) method: Method,
    /// The algorithm of the server's key and signature.
    pub(super) host_key: String,
    pub(super) to_server: Cipher,
    pub(super) to_client: Cipher,
    /// Whether messages to the server are compressed once the login is done.
    pub(super) pack_to_server: bool,
    /// The same of messages to the client.
    pub(super) pack_to_client: bool,
    /// Both are strict.
    pub(super) strict: bool,
    /// The peer takes EXT_INFO.
    pub(super) ext_info: bool,
    /// The peer has sent a packet for a method that was not agreed on; it is passed over.
    pub(super) wrong_guess: bool,
}

/// The lists of a KEXINIT.
struct Offer<'a> {
    methods: &'a str,
    host_keys: &'a str,
    to_server: &'a str,
    to_client: &'a str,
    pack_to_server: &'a str,
    pack_to_client: &'a str,
    follows: bool,
}

impl<'a> Offer<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, LinkError> {
        let mut cursor = Cursor::new(payload);
        cursor.take(17)?;
        let (methods, host_keys) = (cursor.names()?, cursor.names()?);
        let (to_server, to_client) = (cursor.names()?, cursor.names()?);
        let _macs = (cursor.names()?, cursor.names()?);
        let (pack_to_server, pack_to_client) = (cursor.names()?, cursor.names()?);
        let _languages = (cursor.names()?, cursor.names()?);
        let follows = cursor.boolean()?;
        cursor.u32()?;
        cursor.end()?;
        Ok(Self { methods, host_keys, to_server, to_client, pack_to_server, pack_to_client, follows })
    }
}

/// The first name of the client's list that the server's list has.
fn first<'a>(client: &'a str, server: &str) -> Option<&'a str> {
    client.split(',').find(|name| !name.is_empty() && server.split(',').any(|other| other == *name))
}

/// What follows from both sides' KEXINIT.
pub(super) fn agree(role: Role, ours: &[u8], theirs: &[u8]) -> Result<Agreed, LinkError> {
    let (mine, peer) = (Offer::read(ours)?, Offer::read(theirs)?);
    let (client, server) = match role {
        Role::Client => (&mine, &peer),
        Role::Server => (&peer, &mine),
    };
    let none = |what: &'static str| LinkError::NothingInCommon(what);
    let method = first(client.methods, server.methods).and_then(Method::named).ok_or(none("key exchange"))?;
    let host_key = first(client.host_keys, server.host_keys).ok_or(none("host key"))?;
    let cipher = |client, server| first(client, server).and_then(Cipher::named).ok_or(none("cipher"));
    let pack = |client, server| first(client, server).map(|name| name == DELAYED).ok_or(none("compression"));
    let said = |names: [&str; 2]| {
        let name = names.get(role.peer()).copied().unwrap_or_default();
        peer.methods.split(',').any(|other| other == name)
    };
    fn guess(list: &str) -> &str {
        list.split(',').next().unwrap_or_default()
    }
    let right = guess(client.methods) == guess(server.methods) && guess(client.host_keys) == guess(server.host_keys);
    Ok(Agreed {
        method,
        host_key: host_key.to_owned(),
        to_server: cipher(client.to_server, server.to_server)?,
        to_client: cipher(client.to_client, server.to_client)?,
        pack_to_server: pack(client.pack_to_server, server.pack_to_server)?,
        pack_to_client: pack(client.pack_to_client, server.pack_to_client)?,
        strict: said(STRICT),
        ext_info: said(EXT_INFO),
        wrong_guess: peer.follows && !right,
    })
}

#[cfg(test)]
mod tests {
    use super::super::compress::NONE;
    use super::*;

    const BOTH: [&str; 2] = ["none,zlib@openssh.com"; 2];

    #[test]
    fn the_clients_order_counts() {
        let server = offer(Role::Server, "ssh-ed25519", BOTH).unwrap();
        let client = offer(Role::Client, "rsa-sha2-512,ssh-ed25519", [NONE; 2]).unwrap();
        let agreed = agree(Role::Server, &server, &client).unwrap();
        assert_eq!((agreed.method, agreed.host_key.as_str()), (Method::Curve25519, "ssh-ed25519"));
        assert_eq!(agreed, agree(Role::Client, &client, &server).unwrap());
        assert!(agreed.strict && agreed.ext_info && !agreed.wrong_guess);
        assert_eq!(first("c,b", "a,b,c"), Some("c"));
        assert_eq!(first("", ""), None);
    }

    #[test]
    fn compression_is_agreed_on_for_each_direction_by_the_clients_order() {
        let server = offer(Role::Server, "ssh-ed25519", BOTH).unwrap();
        for (lists, expected) in [
            (["zlib@openssh.com,zlib,none"; 2], Some((true, true))),
            (["none,zlib@openssh.com"; 2], Some((false, false))),
            (["zlib,none", "zlib@openssh.com"], Some((false, true))),
            (["zlib,zlib@openssh.com", "none"], Some((true, false))),
            (["zlib", "none"], None),
        ] {
            let client = offer(Role::Client, "ssh-ed25519", lists).unwrap();
            let agreed = agree(Role::Server, &server, &client);
            let found = agreed.as_ref().ok().map(|agreed| (agreed.pack_to_server, agreed.pack_to_client));
            assert_eq!(found, expected, "{lists:?}");
            assert_eq!(agreed, agree(Role::Client, &client, &server));
        }
    }

    #[test]
    fn nothing_in_common_is_said() {
        let server = offer(Role::Server, "ssh-ed25519", BOTH).unwrap();
        let client = offer(Role::Client, "rsa-sha2-512", [NONE; 2]).unwrap();
        assert!(matches!(agree(Role::Server, &server, &client), Err(LinkError::NothingInCommon("host key"))));
        assert!(agree(Role::Server, &server, &server[..40]).is_err());
    }
}
