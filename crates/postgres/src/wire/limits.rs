//! Every length that the network may choose, and why it is bounded where it is. All in bytes unless said otherwise.

/// A startup packet, its length field included. The server's own `MAX_STARTUP_PACKET_LENGTH` (54.7, StartupMessage).
pub const STARTUP: usize = 10_000;

/// Startup parameters in number: libpq sends fewer than ten, and looking for duplicates costs the square.
pub const STARTUP_PARAMETERS: usize = 128;

/// Messages between the startup packet and the end of the login: a password, a JWT, a SASL answer. The server's own
/// `PG_MAX_AUTH_TOKEN_LENGTH`: issuers' tokens with many groups are large.
pub const LOGIN: usize = 65_535;

/// A client's message unless the listener's `max_message` says otherwise: 16 MiB of SQL, bind values or COPY data in one message.
pub const CLIENT_MESSAGE: usize = 16 * 1024 * 1024;

/// What `max_message` may be at most: the server itself refuses more than 1 GiB - 1 (`PQ_LARGE_MESSAGE_LIMIT`).
pub const LARGEST_MESSAGE: usize = 0x3fff_ffff;

/// A target's message while it greets us: nothing honest there is larger, and nobody has been let in yet.
pub const GREETING: usize = 65_535;

/// What a target may send in all before it is ready, so that a hostile one cannot fill memory with parameters.
pub const GREETING_TOTAL: usize = 1024 * 1024;

/// A cancel key in protocol 3.2 (54.2.8); in 3.0 it is always 4.
pub const CANCEL_KEY: usize = 256;

/// The shortest cancel key.
pub const CANCEL_KEY_LEAST: usize = 4;

/// A header: tag and length.
pub const HEADER: usize = 5;

/// The length field counts itself.
pub const LENGTH_FIELD: usize = 4;
