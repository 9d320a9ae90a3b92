//! PostgreSQL through the gateway.
//!
//! - [`wire`]: messages as borrowed views, and what the gateway says itself
//! - [`login`]: a client's login, up to a proven identity; [`scram`] its SCRAM
//! - [`upstream`]: the target's login, with the role's credential
//! - [`serve`]: one connection from its first byte to its last
//! - `session`: the state machine between client and target; `drive` its only IO loop
//! - `classify`: SQL text → intent, cached by shape; `catalogue` what names stand for
//! - [`unmask`]: columns that a text asks for in clear
//! - `names`: what a name may stand for when answers are outstanding; `preview` what a held command would change
//! - `content`: where readable data sits in replies; `types` built-in types by OID
//! - `answer`: refusals and notices in PostgreSQL's words; `cancel` cancel keys of our own
//! - [`config`]: a target's options and a listener's settings
//! - [`error`]: failures that a client may be told

mod answer;
mod cancel;
mod catalogue;
mod classify;
pub mod config;
mod content;
mod drive;
pub mod error;
pub mod login;
mod names;
mod preview;
pub mod scram;
pub mod serve;
mod session;
mod types;
pub mod unmask;
pub mod upstream;
pub mod wire;

pub use serve::Server;

/// The protocol's name: the `kind` of its targets.
pub const PROTOCOL: model::ProtocolId = model::ProtocolId("postgres");
