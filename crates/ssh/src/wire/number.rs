//! Message numbers (RFC 4250, section 4.1; RFC 8308; RFC 4256; RFC 5656).

/// Ends the connection.
pub const DISCONNECT: u8 = 1;
/// Means nothing.
pub const IGNORE: u8 = 2;
/// The peer did not know a message.
pub const UNIMPLEMENTED: u8 = 3;
/// Words for a log.
pub const DEBUG: u8 = 4;
/// Asks for a service.
pub const SERVICE_REQUEST: u8 = 5;
/// Grants a service.
pub const SERVICE_ACCEPT: u8 = 6;
/// What else a peer can do (RFC 8308).
pub const EXT_INFO: u8 = 7;
/// Begins a key exchange.
pub const KEXINIT: u8 = 20;
/// From here on the new keys.
pub const NEWKEYS: u8 = 21;
/// The client's half of a Diffie-Hellman on a curve.
pub const KEX_ECDH_INIT: u8 = 30;
/// The server's half, its key and its signature.
pub const KEX_ECDH_REPLY: u8 = 31;
/// Who, and how that is proven.
pub const USERAUTH_REQUEST: u8 = 50;
/// Not proven; what else could be tried.
pub const USERAUTH_FAILURE: u8 = 51;
/// Proven.
pub const USERAUTH_SUCCESS: u8 = 52;
/// Words for the person at the client.
pub const USERAUTH_BANNER: u8 = 53;
/// This key would do.
pub const USERAUTH_PK_OK: u8 = 60;
/// Questions for the person at the client.
pub const USERAUTH_INFO_REQUEST: u8 = 60;
/// The answers.
pub const USERAUTH_INFO_RESPONSE: u8 = 61;
/// A request about the whole connection.
pub const GLOBAL_REQUEST: u8 = 80;
/// It was granted.
pub const REQUEST_SUCCESS: u8 = 81;
/// It was not.
pub const REQUEST_FAILURE: u8 = 82;
/// A new channel.
pub const CHANNEL_OPEN: u8 = 90;
/// It is open.
pub const CHANNEL_OPEN_CONFIRMATION: u8 = 91;
/// It is not.
pub const CHANNEL_OPEN_FAILURE: u8 = 92;
/// More may be sent.
pub const CHANNEL_WINDOW_ADJUST: u8 = 93;
/// Data.
pub const CHANNEL_DATA: u8 = 94;
/// Data of another stream: 1 is standard error.
pub const CHANNEL_EXTENDED_DATA: u8 = 95;
/// No more data.
pub const CHANNEL_EOF: u8 = 96;
/// The channel is over.
pub const CHANNEL_CLOSE: u8 = 97;
/// A request about a channel.
pub const CHANNEL_REQUEST: u8 = 98;
/// It was granted.
pub const CHANNEL_SUCCESS: u8 = 99;
/// It was not.
pub const CHANNEL_FAILURE: u8 = 100;
