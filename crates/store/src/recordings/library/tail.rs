//! Follows a recording while it is written.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use record::{Entry, ReadError, Reader, Reason, State};

use super::RecordingReader;
use crate::recordings::error::LibraryError;

/// Follows one recording. An event shows within a second of happening.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    reader: Option<RecordingReader>,
}

/// What there is to see now.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an entry is borrowed and read at once: a box would cost more than it saves"
)]
pub enum Step<'a> {
    /// The next event.
    Entry(Entry<'a>),
    /// Nothing new: ask again in a while; 200 ms is right for a person.
    Wait,
    /// The recording is over.
    End(State),
}

impl Tail {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, reader: None }
    }

    /// What comes next. Reads files, so it blocks as long as the disk takes.
    ///
    /// # Errors
    /// The recording is damaged or cannot be read.
    pub fn step(&mut self) -> Result<Step<'_>, LibraryError> {
        if self.reader.is_none() {
            self.reader = match File::open(&self.path) {
                Ok(file) => match Reader::new(BufReader::new(file)) {
                    Ok(reader) => Some(reader),
                    Err(ReadError::Damaged(damage)) if damage.reason == Reason::Truncated => {
                        return Ok(Step::Wait);
                    }
                    Err(error) => return Err(LibraryError::read(&self.path)(error)),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Step::Wait),
                Err(error) => return Err(LibraryError::io(&self.path)(error)),
            };
        }
        let Some(reader) = &mut self.reader else {
            return Ok(Step::Wait);
        };
        match reader.advance() {
            Ok(true) => reader.entry().map(Step::Entry).map_err(LibraryError::read(&self.path)),
            Ok(false) => match reader.state() {
                State::Open => Ok(Step::Wait),
                end @ (State::Closed | State::Recovered) => Ok(Step::End(end)),
            },
            Err(ReadError::Damaged(damage)) if damage.reason == Reason::Truncated => {
                reader.retry().map_err(LibraryError::io(&self.path))?;
                Ok(Step::Wait)
            }
            Err(error) => Err(LibraryError::read(&self.path)(error)),
        }
    }
}
