//! The words of Sallyport as types: who asks, for what, what it would do, and what was decided.
//!
//! No IO and no policy here; every other crate speaks in these types.
//!
//! - [`ids`]: identifiers that cannot be mixed up
//! - [`identity`]: who is asking and for whom
//! - [`target`]: what is protected
//! - [`effect`]: the closed vocabulary of what a command would do
//! - [`object`]: what it would do it to
//! - [`argv`]: the words of a command as one canonical text
//! - [`command`]: one thing asked inside a session
//! - [`tool`]: what programs do, as a policy says it
//! - [`verdict`]: allow, deny or hold, with the rules that decided and what applies

pub mod argv;
pub mod command;
pub mod effect;
pub mod identity;
pub mod ids;
pub mod object;
pub mod target;
pub mod tool;
pub mod verdict;

pub use command::{Action, ColumnRef, Command, Flags, Intent, IntentId, Move, Predicate, SourceColumn, Unmask};
pub use effect::{Effect, EffectSet};
pub use identity::{Identity, IdentityKind};
pub use ids::{ApprovalId, RequestId, SessionId, TokenId};
pub use object::{Object, ObjectKind};
pub use target::{ProtocolId, Target};
pub use tool::{Tool, ToolFault, ToolPart};
pub use verdict::{
    Aggregates, ApprovalTerms, DetectorName, Limits, MaskRule, MaskStyle, Most, Notifications, Outcome, Predicates,
    RecordLevel, Totals, Verdict,
};
