//! The steps of a key exchange (RFC 4253, sections 7 to 9; RFC 5656, section 4).

use std::mem;

use super::exchange::{Half, Keys, Transcript};
use super::negotiate::{self, Agreed, Role};
use super::{GREETING, Link, LinkError};
use crate::keys;
use crate::wire::{Cursor, WireError, encode, number};

/// Where a key exchange stands.
pub(super) enum Exchange {
    /// Nowhere: the keys are in use.
    Idle,
    /// Our KEXINIT is out.
    Offered { ours: Vec<u8> },
    /// Both are; the halves of the secret are on their way. `half` is ours, when we are the client.
    Agreed { ours: Vec<u8>, theirs: Vec<u8>, agreed: Agreed, half: Option<Half> },
    /// Our NEWKEYS is out; the peer's is awaited, with what opens its packets then.
    Keyed { agreed: Agreed, key: zeroize::Zeroizing<Vec<u8>>, iv: zeroize::Zeroizing<Vec<u8>> },
}

impl Exchange {
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    /// The peer has not begun: what it sends may be older than our offer.
    pub(super) const fn only_ours(&self) -> bool {
        matches!(self, Self::Offered { .. })
    }
}

impl Link {
    /// Offers an exchange, unless one is going on.
    pub(super) fn begin_exchange(&mut self) -> Result<(), LinkError> {
        if self.exchange.is_idle() {
            let ours = negotiate::offer(self.role, &self.host_keys, self.compressions)?;
            self.seal(&ours)?;
            self.exchange = Exchange::Offered { ours };
        }
        Ok(())
    }

    /// A message of a key exchange.
    pub(super) fn exchange_message(&mut self, message: &[u8]) -> Result<(), LinkError> {
        let first = message.first().copied().unwrap_or(0);
        match (first, mem::replace(&mut self.exchange, Exchange::Idle)) {
            (number::KEXINIT, Exchange::Idle) => {
                self.begin_exchange()?;
                self.exchange_message(message)
            }
            (number::KEXINIT, Exchange::Offered { ours }) => self.offered(ours, message),
            (number::KEX_ECDH_INIT | number::KEX_ECDH_REPLY, Exchange::Agreed { ours, theirs, mut agreed, half })
                if agreed.wrong_guess =>
            {
                agreed.wrong_guess = false;
                self.exchange = Exchange::Agreed { ours, theirs, agreed, half };
                Ok(())
            }
            (number::KEX_ECDH_INIT, Exchange::Agreed { ours, theirs, agreed, half: None }) => {
                self.answer(&ours, &theirs, agreed, message)
            }
            (number::KEX_ECDH_REPLY, Exchange::Agreed { ours, theirs, agreed, half: Some(half) }) => {
                self.answered(&ours, &theirs, agreed, &half, message)
            }
            (number::NEWKEYS, Exchange::Keyed { agreed, key, iv }) => self.keyed(&agreed, &key, &iv, message),
            _ => Err(LinkError::Unexpected(first)),
        }
    }

    fn offered(&mut self, ours: Vec<u8>, theirs: &[u8]) -> Result<(), LinkError> {
        let agreed = negotiate::agree(self.role, &ours, theirs)?;
        if self.session.is_empty() {
            // With a strict peer the offer is the very first packet.
            if agreed.strict && self.opener.packets != 1 {
                return Err(LinkError::Unexpected(number::KEXINIT));
            }
            self.strict = agreed.strict;
        }
        let half = match self.role {
            Role::Server => None,
            Role::Client => {
                let half = Half::new(agreed.method)?;
                let message = encode::message(number::KEX_ECDH_INIT, |out| encode::string(out, &half.public));
                self.seal(&message)?;
                Some(half)
            }
        };
        self.exchange = Exchange::Agreed { ours, theirs: theirs.to_vec(), agreed, half };
        Ok(())
    }

    /// The server's answer to the client's half.
    fn answer(&mut self, ours: &[u8], theirs: &[u8], agreed: Agreed, message: &[u8]) -> Result<(), LinkError> {
        let mut cursor = Cursor::new(message);
        cursor.byte()?;
        let client_half = cursor.string()?;
        cursor.end()?;
        let signer = self.host_key.clone().ok_or(LinkError::HostKey)?;
        let half = Half::new(agreed.method)?;
        let secret = half.agree(client_half)?;
        let transcript = Transcript {
            client_version: self.greeting(),
            server_version: GREETING.as_bytes(),
            client_init: theirs,
            server_init: ours,
            host_key: signer.blob(),
            client_half,
            server_half: &half.public,
        };
        let hash = transcript.hash(agreed.method, &secret);
        let signature = signer.sign(&agreed.host_key, &hash).map_err(|_| LinkError::HostKey)?;
        let reply = encode::message(number::KEX_ECDH_REPLY, |out| {
            encode::string(out, signer.blob());
            encode::string(out, &half.public);
            encode::string(out, &signature);
        });
        self.seal(&reply)?;
        self.new_keys(agreed, &secret, hash)
    }

    /// The server's answer, checked by the client.
    fn answered(
        &mut self,
        ours: &[u8],
        theirs: &[u8],
        agreed: Agreed,
        half: &Half,
        message: &[u8],
    ) -> Result<(), LinkError> {
        let mut cursor = Cursor::new(message);
        cursor.byte()?;
        let (host_key, server_half, signature) = (cursor.string()?, cursor.string()?, cursor.string()?);
        cursor.end()?;
        let secret = half.agree(server_half)?;
        let transcript = Transcript {
            client_version: GREETING.as_bytes(),
            server_version: self.greeting(),
            client_init: ours,
            server_init: theirs,
            host_key,
            client_half: &half.public,
            server_half,
        };
        let hash = transcript.hash(agreed.method, &secret);
        keys::verify(&agreed.host_key, host_key, &hash, signature).map_err(|_| LinkError::HostKey)?;
        if !self.session.is_empty() && self.server_key != host_key {
            return Err(LinkError::HostKey);
        }
        self.server_key = host_key.to_vec();
        self.new_keys(agreed, &secret, hash)
    }

    /// Our NEWKEYS; what we send from here on is under the new keys.
    fn new_keys(&mut self, agreed: Agreed, secret: &[u8], hash: Vec<u8>) -> Result<(), LinkError> {
        let first = self.session.is_empty();
        let session = if first { hash.clone() } else { mem::take(&mut self.session) };
        let keys = Keys { method: agreed.method, secret, hash: &hash, session: &session };
        let (send, receive) = match self.role {
            Role::Client => ((b'A', b'C', agreed.to_server), (b'B', b'D', agreed.to_client)),
            Role::Server => ((b'B', b'D', agreed.to_client), (b'A', b'C', agreed.to_server)),
        };
        let pack = match self.role {
            Role::Client => agreed.pack_to_server,
            Role::Server => agreed.pack_to_client,
        };
        let make = |(iv, key, cipher): (u8, u8, super::cipher::Cipher)| {
            (keys.derive(key, cipher.key_len()), keys.derive(iv, cipher.iv_len()))
        };
        let ((key, iv), (open_key, open_iv)) = (make(send), make(receive));
        self.seal(&[number::NEWKEYS])?;
        self.sealer.rekey(send.2, &key, &iv, self.strict)?;
        self.compression.new_sent(pack);
        self.session = session;
        if first && self.role == Role::Server && agreed.ext_info {
            self.seal(&extensions())?;
        }
        self.exchange = Exchange::Keyed { agreed, key: open_key, iv: open_iv };
        Ok(())
    }

    /// The peer's NEWKEYS; what it sends from here on is under the new keys.
    fn keyed(&mut self, agreed: &Agreed, key: &[u8], iv: &[u8], message: &[u8]) -> Result<(), LinkError> {
        if message.len() != 1 {
            return Err(WireError("it goes on behind its end").into());
        }
        let (cipher, packed) = match self.role {
            Role::Client => (agreed.to_client, agreed.pack_to_client),
            Role::Server => (agreed.to_server, agreed.pack_to_server),
        };
        self.opener.rekey(cipher, key, iv, self.strict)?;
        self.compression.new_taken(packed);
        Ok(())
    }
}

/// What a client should know of us (RFC 8308, section 3.1).
fn extensions() -> Vec<u8> {
    encode::message(number::EXT_INFO, |out| {
        encode::u32(out, 1);
        encode::string(out, b"server-sig-algs");
        encode::string(out, keys::OF_CLIENTS.as_bytes());
    })
}
