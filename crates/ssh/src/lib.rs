//! SSH through the gateway: programs, terminals, files, tunnels.
//!
//! - [`wire`]: messages as borrowed views, and what the gateway writes itself
//! - [`link`]: packets and keys of one side of a connection, without IO, and over a socket; [`keys`] keys and signatures
//! - `login`: a client's login, up to a proven identity
//! - `upstream`: the target's login, with the role's credential, its host key checked; [`known`] host keys that somebody has accepted
//! - [`probe`]: a target looked at without a client
//! - [`serve`]: one connection from its first byte to its last
//! - [`session`]: the state machine between client and target; `drive` its only IO loop
//! - [`sftp`]: packets of file transfers, and what they would do; [`scp`] lines and answers of scp's old protocol
//! - `classify`: what SSH's requests would do
//! - `answer`: refusals and notices in SSH's words
//! - [`config`]: a target's options and a listener's settings

mod answer;
mod classify;
pub mod config;
mod drive;
pub mod keys;
pub mod known;
pub mod link;
mod login;
pub mod probe;
pub mod scp;
pub mod serve;
pub mod session;
pub mod sftp;
mod upstream;
pub mod wire;

pub use classify::{explain, request_of};
pub use serve::Server;

/// The protocol's name: the `kind` of its targets.
pub const PROTOCOL: model::ProtocolId = model::ProtocolId("ssh");
