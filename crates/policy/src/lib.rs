//! Policy: rules in YAML → a verdict with reasons for every command. Pure and total: no IO, no clock (time is an
//! argument), no panic, and whatever cannot be judged counts against the client.
//!
//! - [`policy`]: [`Policy`] and what is asked of it: [`Subject`], [`Request`]
//! - [`view`]: [`View`], the part of a policy that can apply to one session; what a session keeps
//! - `decide`: one command → one verdict
//! - [`moves`]: masked values that a command would copy to where they are not masked
//! - [`unmask`]: masked columns that a command asks to see in clear
//! - [`explain`]: the same with the reason of every rule
//! - [`lint`]: rules that can never apply, and other things hardly meant
//! - [`cases`]: tests of a policy, in YAML beside it
//! - [`suggest`]: the narrowest rules that would have allowed what was seen
//! - [`pattern`]: names with `*`; [`covers`] is shared with masking
//! - `syntax` → `compile` → `rule`: the YAML form, its checks, and what remains
//! - `when`: conditions in CEL; `hours`: daily windows
//! - [`error`]: [`Source`], [`PolicyError`] with file, line and column
//!
//! ```
//! use sallyport_policy::{Policy, Source};
//!
//! let text = "rules: [{ name: all read, who: any, do: [connect, read], then: allow }]";
//! let policy = Policy::parse(&[Source { name: "policy.yaml", text }]).unwrap();
//! assert_eq!(policy.rule_names().collect::<Vec<_>>(), ["all read"]);
//!
//! let errors = Policy::parse(&[Source { name: "policy.yaml", text: "rules:\n  - nam: x\n" }]).unwrap_err();
//! assert!(errors[0].to_string().starts_with("policy.yaml:2:5: unknown key `nam`: use one of name, who,"));
//! ```

pub mod cases;
mod compile;
mod decide;
pub mod error;
pub mod explain;
mod hours;
pub mod lint;
pub mod moves;
pub mod pattern;
pub mod policy;
mod rule;
pub mod suggest;
mod syntax;
pub mod unmask;
pub mod view;
mod when;

pub use error::{PolicyError, Source};
pub use explain::Explanation;
pub use lint::{Finding, Level};
pub use pattern::{column_matches, covers};
pub use policy::{Applied, Policy, Request, Subject};
pub use syntax::load::MAX_SOURCE_BYTES;
pub use view::View;
