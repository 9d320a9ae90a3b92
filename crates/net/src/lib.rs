//! Sockets: listening, TLS, dialling, limits, drain. It carries bytes and can make no proof.
//!
//! - [`workers`]: threads with a runtime each, connections pinned to one of them
//! - [`listener`]: accepts, admits, and reads the header of a trusted proxy
//! - [`drain`]: how a gateway stops without cutting anybody short
//! - [`transport`]: a connection, plain or TLS; it writes what an [`Outbox`](gate::Outbox) holds and nothing else
//! - [`pool`]: read buffers, taken when there is something to read and given back at once
//! - [`tls`]: the gateway's own certificate, and how targets are trusted
//! - [`dial`](mod@dial): the only place that connects to anything; it takes a [`Grant`](gate::Grant)

pub mod dial;
pub mod drain;
pub mod listener;
pub mod pool;
pub mod tls;
pub mod transport;
pub mod workers;

pub use dial::{DialError, dial};
pub use drain::{Drain, DrainWatch};
pub use listener::{Accepted, Admission, BindError, Limits, Listener};
pub use tls::{ClientTls, ServerTls, TlsError, TlsMode};
pub use transport::{TlsInfo, Transport, Wire};
pub use workers::{SpawnError, Workers};
