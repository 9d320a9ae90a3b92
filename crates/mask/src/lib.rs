//! Detectors and mask styles over cells, JSON and byte streams. Pure: no IO, no clock, no randomness; keys are arguments.
//!
//! # Map
//!
//! | module | what it does |
//! |---|---|
//! | [`Detector`], [`DetectorSet`] | the closed list of what can be found in content, and a set of them as a policy names it |
//! | [`scan`] → [`Hit`] | finds personal data and secrets in any bytes, in one pass and linear time |
//! | [`Style`] | how a value is hidden, ordered by strength: the strongest wins |
//! | [`Masker`] | hides: [`whole_text`](Masker::whole_text), [`detected`](Masker::detected), [`detected_json`](Masker::detected_json), [`typed`](Masker::typed), [`content`](Masker::content) |
//! | [`StreamScanner`] | the same detectors over a byte stream, with a bounded hold-back |
//! | [`TerminalMasker`] | the same over what a terminal shows, whatever control functions lie between the characters |
//!
//! # What a caller does
//!
//! A value whose *column* or lineage is masked goes through [`Masker::typed`], whatever it contains. Any other value goes
//! through [`Masker::content`], which scans it and answers [`Content::Clean`] when nothing was found, so that the
//! bytes can be forwarded from the buffer they were read into. Bytes without cells go through a [`StreamScanner`] (COPY data, files),
//! or a [`TerminalMasker`] where people or agents read them as a terminal's (shells, the output of commands).
//!
//! # Promises
//!
//! - Any bytes are accepted: invalid UTF-8, no bytes, a megabyte of `@`. Nothing panics and time is linear in the input.
//! - A mask keeps the type and the wire format of the value, or says [`Masked::Null`]; it never writes bytes a driver cannot
//!   decode.
//! - A partial mask shows only what its kind allows. When a kind is not certain, it shows at most one character.
//! - Every fast path of the scan is compared, span by span, with plain regular expressions and validators (`tests/`).
//!
//! # What the detectors do not see
//!
//! Encoded or transformed values (base64, reversed, split over columns), names and postal addresses, and values that need
//! context words to be recognised (a bare nine-digit number is not taken for an SSN, nor a bare digit run for a phone).
//! Columns that hold those are masked by name and by lineage.

mod detector;
mod masker;
mod scan;
mod stream;
mod style;
mod terminal;

pub use detector::{Detector, DetectorSet, UnknownDetector};
pub use masker::{Content, Element, Format, MaskKey, Masked, Masker, TOKEN_MARK, ValueType};
pub use scan::{Hit, scan};
pub use stream::StreamScanner;
pub use style::{Style, UnknownStyle};
pub use terminal::TerminalMasker;
