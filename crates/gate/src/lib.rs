//! The pipeline, once for every protocol: open, ask, hold, release, close. It makes every proof.
//!
//! ```text
//! authenticate → open(session) → lease → dial → [ ask → (hold) → send ]*  ⇄  [ receive → release ]* → close
//!   Proven         Grant                          Permitted<M>                 Released<M>
//! ```
//!
//! - [`gate`](mod@gate): [`Gate`], the shared state: policy, targets, live sessions, ports
//! - [`open`]: from a proven identity to a [`Grant`] and a [`Session`]; API calls are judged here too
//! - [`session`]: [`Session::ask`]: one door for every message to the target
//! - `judge`: one command → its verdict
//! - `reading`: commands that are read by what a policy says of programs
//! - `journal`: what a session records as it goes
//! - `spend`: limits, and what a token has used of them
//! - `standing`: what a policy means for one session
//! - [`hold`]: parked commands, from the request to its single use
//! - [`flow`]: one result as it goes by: what is counted, and how much of it is kept
//! - [`release`]: results masked and recorded before the client sees them
//! - [`stream`]: what programs print and read, the same
//! - [`masks`]: which column of a result wears which mask; what an error text may still say
//! - [`live`]: sessions that run now, and how they are ended
//! - [`refusal`]: everything that a client may be told, as an allow-list
//! - [`outbox`], [`proof`], [`grant`], [`secret`]: the types that make a wrong call not compile
//! - [`ports`]: what the gate needs from the outside
//! - [`metrics`]: what is counted

pub mod flow;
pub mod gate;
pub mod grant;
pub mod hold;
mod journal;
mod judge;
pub mod live;
pub mod masks;
pub mod metrics;
pub mod open;
pub mod outbox;
pub mod ports;
pub mod proof;
mod reading;
pub mod refusal;
pub mod release;
pub mod secret;
pub mod session;
mod spend;
mod standing;
pub mod stream;

pub use flow::Flow;
pub use gate::{Gate, Parts, Settings, Targets};
pub use grant::{Endpoint, Grant};
pub use hold::{Ended, Held, Parked};
pub use live::LiveSession;
pub use mask::{Element, Format, TOKEN_MARK, ValueType};
pub use masks::{Cells, ColumnInfo, Origin};
pub use metrics::Metrics;
pub use open::{AskedRole, OpenRequest, Opened};
pub use outbox::{Encode, Outbox, ToClient, ToTarget};
pub use proof::{Permitted, Released};
pub use record::Micros;
pub use record::StreamKind;
pub use refusal::{Refusal, RefusalKind};
pub use release::Content;
pub use secret::Secret;
pub use session::{Asked, Session, Ticket};
pub use spend::Returned;
pub use stream::{FileContent, FileDone, Given, Shown, Silence};
