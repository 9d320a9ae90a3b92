//! The gateway's state on one machine: a SQLite file for tokens, approvals and the audit log, a directory for recordings.
//!
//! - [`Store`]: opens the file and runs every query on the control runtime; implements `gate::ports::{Approvals, Audit}`
//! - [`tokens`]: Sallyport tokens at rest, their revocation, and how a running gateway hears of it
//! - [`approvals`]: held commands and their answers; every change of state is atomic
//! - [`audit`]: the hash-chained log of admin actions, and how it is verified
//! - [`recordings`]: session recordings in a directory; implements `gate::ports::Recordings`
//!
//! Times are [`record::Micros`]. Nothing here decides anything: who may answer, which token is good for what, and what an
//! expired session means is decided in `gate` and `identity`; the store makes their decisions atomic and durable.

pub mod approvals;
pub mod audit;
mod codec;
mod db;
pub mod recordings;
pub mod tokens;

pub use audit::{AuditHead, AuditReport, AuditRow};
pub use db::{OpenError, Store, SystemClock};
pub use tokens::{Candidate, Revocations, Revoked, TokenKeys, TokenRow};
