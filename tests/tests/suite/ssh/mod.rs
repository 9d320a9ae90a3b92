//! SSH: OpenSSH's clients before a real sshd, and a client that hides nothing.
//!
//! - [`world`]: a server, a gateway, an agent
//! - [`programs`]: what is run, refused, held, fed, stopped
//! - [`files`]: sftp, scp, rsync, git; [`copies`]: scp by its old protocol, and what recordings keep of files
//! - [`browser`]: people who log in with the browser
//! - [`provider`]: the same at an identity provider that is not ours
//! - [`keys`]: clients that prove themselves by key, targets that are opened by certificate, host keys that are accepted
//! - [`screens`]: terminals that others look at, live and later
//! - [`tools`]: what a policy says of programs
//! - [`kinds`]: keys of every kind, of clients and of the gateway itself
//! - [`clients`]: stock clients at what they are for, one test per client
//! - [`wire`]: what no honest client sends

mod browser;
mod clients;
mod copies;
mod files;
mod keys;
mod kinds;
mod programs;
mod provider;
mod screens;
mod tools;
mod wire;
mod world;
