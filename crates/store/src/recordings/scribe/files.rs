//! Open files of recordings: at most so many at once, the least recently used is closed first.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::recordings::layout::make_dir;

/// Files kept open.
const OPEN: usize = 64;

/// Open files by session.
#[derive(Debug, Default)]
pub(super) struct Files {
    open: HashMap<[u8; 16], (Arc<File>, u64)>,
    clock: u64,
}

impl Files {
    /// The file of a session; `new` makes it and refuses one that is there, otherwise it must be there.
    pub(super) fn get(&mut self, session: [u8; 16], path: &Path, new: bool) -> io::Result<Arc<File>> {
        self.clock += 1;
        if let Some((file, used)) = self.open.get_mut(&session) {
            *used = self.clock;
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(open(path, new)?);
        if self.open.len() >= OPEN {
            let oldest = self.open.iter().min_by_key(|(_, (_, used))| *used).map(|(session, _)| *session);
            if let Some(oldest) = oldest {
                self.open.remove(&oldest);
            }
        }
        self.open.insert(session, (Arc::clone(&file), self.clock));
        Ok(file)
    }

    /// Closes a file, as far as nobody else holds it.
    pub(super) fn close(&mut self, session: [u8; 16]) {
        self.open.remove(&session);
    }
}

fn open(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).create_new(new);
    match options.open(path) {
        Err(error) if new && error.kind() == io::ErrorKind::NotFound => {
            if let Some(day) = path.parent() {
                make_dir(day)?;
            }
            options.open(path)
        }
        other => other,
    }
}
