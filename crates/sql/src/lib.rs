//! What a SQL text would do: effects, objects, lineage. Pure; PostgreSQL's own grammar.
//!
//! - [`analyze`]: text and catalogue snapshot → [`Analysis`]
//! - [`shape`]: the literal-normalised shape of a text, a cache key
//! - [`catalog`]: the snapshot of one database and the queries that fill it
//! - [`analysis`]: the types of question and answer
//! - [`unbounded`]: whether a WHERE restricts anything
//! - [`prescan`]: linear scan with limits, before any parser
//! - `functions`: what is known about built-in and well-known functions, operators, types and settings
//! - `walk`: the walk over the tree; `walk/mod.rs` holds the table of statements and effects
//! - [`fresh`]: names whose meaning changed where the snapshot cannot see it yet
//! - `lineage`: sets of columns

pub mod analysis;
pub mod catalog;
pub mod fresh;
mod functions;
mod lineage;
pub mod prescan;
pub mod shape;
pub mod unbounded;
mod walk;

pub use analysis::{
    Analysis, Caps, Comparand, Context, CopyFormat, Deps, Discard, Kind, Outputs, Place, Problem, Statement,
};
pub use catalog::Catalog;
pub use fresh::Fresh;
pub use unbounded::bind_unbounded;
pub use walk::analyze;

/// Bytes of stack that [`analyze`], [`Catalog`] view expansion and dropping their temporaries need at the default [`Caps`].
/// Run them on threads made with at least this.
pub const STACK: usize = 16 << 20;
