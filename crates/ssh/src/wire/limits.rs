//! What a peer may send at most. Every buffer that a peer fills is bounded by one of these.

/// Bytes of a peer's greeting, lines before it included (RFC 4253, section 4.2 allows 255 for the line itself).
pub const GREETING: usize = 8 * 1024;
/// Bytes of one packet on the wire, behind its length: what OpenSSH takes at most.
pub const PACKET: usize = 256 * 1024;
/// Bytes of one message once it is decompressed.
pub const PAYLOAD: usize = PACKET;
/// Bytes, once they are decompressed, of messages that are for nobody (RFC 4253, section 11) and of key exchanges between two other messages of a
/// compressed link: a peer makes a thousand of them of one byte.
pub const FOR_NOBODY: usize = 4 * PAYLOAD;
/// Bytes of data in one message that the gateway asks its peers to keep to: leaves room for what goes around it.
pub const DATA: u32 = 64 * 1024;
/// Channels of one connection at once.
pub const CHANNELS: usize = 1024;
/// Messages before a login is done: enough for every method there is, not for a search.
pub const LOGIN_MESSAGES: u32 = 256;
/// Attempts to prove an identity in one connection, as OpenSSH's `MaxAuthTries`.
pub const ATTEMPTS: u32 = 6;
/// Public keys that a client may ask about without a signature: agents hold many.
pub const QUERIES: u32 = 64;
/// Bytes under one key, after which keys are exchanged anew (RFC 4253, section 9).
pub const REKEY_BYTES: u64 = 1 << 30;
/// Packets under one key, after which keys are exchanged anew (RFC 4344, section 3.1).
pub const REKEY_PACKETS: u64 = 1 << 28;
/// Bytes that wait in a link's own buffer, sealed and not yet taken by the socket.
pub const SEALED: usize = 256 * 1024;
/// Requests of a channel that the target has not answered.
pub const UNANSWERED: usize = 256;
/// Commands of one connection that may wait for humans at once.
pub const HELD: usize = 32;
/// Messages of a channel that wait behind a held command.
pub const WAITING: usize = 64;
/// Bytes of the messages that wait behind a held command.
pub const WAITING_BYTES: usize = 256 * 1024;
