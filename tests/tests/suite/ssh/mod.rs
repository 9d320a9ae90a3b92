//! SSH: OpenSSH's clients before a real sshd, and a client that hides nothing.
//!
//! - [`world`]: a server, a gateway, an agent
//! - [`programs`]: what is run, refused, held, fed, stopped
//! - [`files`]: sftp, scp, rsync, git
//! - [`wire`]: what no honest client sends

mod files;
mod programs;
mod wire;
mod world;
