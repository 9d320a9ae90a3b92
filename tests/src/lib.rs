//! Everything that plays a part of the outside world in Sallyport's tests: real servers, real clients, attackers.
//!
//! Map of the crate:
//!
//! - [`kit`]: starts a throwaway PostgreSQL and the gateway, and speaks PostgreSQL's wire protocol byte by byte.
//! - [`corpus`]: plays the bypass corpus against a server or through the gateway and judges by what really happened.
//! - [`clients`]: drives stock clients (psql, pg_dump, drivers, ORMs) and collects their `ok` / `not ok` lines.
//! - [`honest`]: plays what honest tools send, directly and through the gateway, and compares.
//! - [`regress`]: runs upstream test suites directly and through the gateway, and compares.
//! - [`chaos`]: kills the gateway under load and checks that no statement is missing from the recordings.
//! - [`functions`]: the tables of PostgreSQL's own functions, made from and compared with an installed server.
//! - [`lineage`]: random queries over planted secrets, searched for in every byte that a client receives.
//! - [`demo`]: a server, the gateway, an agent and a human, to look at.
//!
//! The binary `suite` is the command line of these; `cargo xtask` installs what they need and calls it.
//! `tests/suite/` is the one integration binary of the workspace.

#![expect(clippy::print_stdout, reason = "suites report to the terminal")]

pub mod chaos;
pub mod clients;
pub mod corpus;
pub mod demo;
pub mod functions;
pub mod honest;
pub mod kit;
pub mod lineage;
pub mod regress;
