//! The one unsafe call of this crate.

use std::fs::File;
use std::io;

use memmap2::MmapMut;

/// Maps all of a file, shared, to read and write.
#[expect(
    unsafe_code,
    reason = "the spool's files are opened by this process alone under an exclusive lock, fully allocated and never cut \
              while mapped; the mapping is reached through its ring's lock only"
)]
pub(super) fn map(file: &File) -> io::Result<MmapMut> {
    // SAFETY: see the reason above: nobody changes the length or the content of the file behind the mapping.
    unsafe { MmapMut::map_mut(file) }
}
