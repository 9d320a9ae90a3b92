//! scp's old protocol (rcp's, as OpenSSH's scp(1) speaks it with `-O`): lines that name files, answers to them, and contents. No IO here.
//!
//! One side sends files (the source), the other takes them (the sink): with `scp -t` the client is the source, with `scp -f` the target is.
//! The source says one thing at a time and the sink answers it. What stands in between ([`State`]) sends the sink nothing that it has not read
//! itself, and hears nothing of the source before the sink has answered: bytes of a file that the sink did not take would be lines to it.
//!
//! - [`line`](mod@line): lines and answers, read and written anew
//! - [`place`]: where the files are that the lines name
//! - [`state`]: what comes next

mod buffer;
pub mod line;
pub mod place;
pub mod state;

pub use line::LINE;
pub use place::Far;
pub use state::{Next, State};

#[cfg(test)]
mod tests;
