//! SFTP as OpenSSH speaks it (draft-ietf-secsh-filexfer-02, version 3, and OpenSSH's PROTOCOL, section 4): packets as views, and what they mean.
//!
//! - [`packet`]: packets in, and the few that the gateway writes itself
//! - [`request`]: a client's request: what it is about, and what it would do
//! - [`attributes`]: what a file is to be known as
//! - `state`: handles and requests under way; `path` paths as the target sees them

pub mod attributes;
pub mod packet;
pub(crate) mod path;
pub mod request;
mod state;

pub(crate) use path::{beside, is_absolute};
pub(crate) use state::{Moved, Open, Operated, Pending, State};
