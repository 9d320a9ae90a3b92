//! The kit: throwaway servers, the gateway under test, and a wire client that hides nothing.
//!
//! - [`process`]: child processes that die with their owner, deadlines, free ports, running as an ordinary user.
//! - [`postgres`]: a PostgreSQL server with its own data directory, certificate and port.
//! - [`sshd`]: an OpenSSH server with its own keys and port.
//! - [`idp`]: an identity provider where people log in with the browser, or do not.
//! - [`gateway`]: the `sallyport` binary with its own configuration, policy and data directory.
//! - [`dsn`]: where a client connects and as whom; the same for a bare server and for the gateway.
//! - [`wire`] and [`message`]: a raw PostgreSQL client that keeps every byte it receives.
//! - [`ssh_wire`]: a raw SSH client.
//! - [`args`]: a few lines of command-line parsing.

pub mod args;
pub mod dsn;
pub mod gateway;
pub mod idp;
pub mod message;
pub mod postgres;
pub mod process;
pub mod ssh_wire;
pub mod sshd;
pub mod wire;
