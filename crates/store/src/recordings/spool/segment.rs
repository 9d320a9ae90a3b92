//! One file of the spool: 64 bytes that say whose it is and which use of it, then frames.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use memmap2::MmapMut;
use rustix::fs::FallocateFlags;

use super::map::map;
use crate::recordings::layout::private_file;

/// Bytes of a segment file.
pub(in crate::recordings) const SEGMENT: usize = 4 * 1024 * 1024;
/// Bytes of its head.
pub(in crate::recordings) const START: usize = 64;
const MAGIC: [u8; 8] = *b"\x89SPS\r\n\x1a\n";

/// A segment file, mapped while it is in use.
#[derive(Debug)]
pub(super) struct Segment {
    file: Arc<File>,
    map: Option<MmapMut>,
}

impl Segment {
    /// Makes the file and takes its room on the disk, so that a later write through the mapping cannot fail for want of it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = private_file(path, false)?;
        allocate(&file)?;
        Ok(Self { file: Arc::new(file), map: None })
    }

    /// The file, for reading what was written through the mapping.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Makes sure it is mapped.
    pub(super) fn map(&mut self) -> io::Result<()> {
        if self.map.is_none() {
            self.map = Some(map(&self.file)?);
        }
        Ok(())
    }

    /// Gives the memory back.
    pub(super) fn unmap(&mut self) {
        self.map = None;
    }

    /// Begins a new use of it.
    pub(super) fn begin(&mut self, generation: u64) {
        let mut head = [0; START];
        head[0..8].copy_from_slice(&MAGIC);
        head[8..16].copy_from_slice(&generation.to_le_bytes());
        let crc = crc32fast::hash(&head[0..16]);
        head[16..20].copy_from_slice(&crc.to_le_bytes());
        if let Some(place) = self.bytes(0, START) {
            place.copy_from_slice(&head);
        }
    }

    /// A part of the mapping.
    pub(super) fn bytes(&mut self, from: usize, to: usize) -> Option<&mut [u8]> {
        self.map.as_mut()?.get_mut(from..to)
    }
}

/// The generation that a segment file was last used for; `None` when it was never used or its head is torn.
pub(in crate::recordings) fn generation(file: &File) -> io::Result<Option<u64>> {
    let mut head = [0; START];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let crc = u32::from_le_bytes([head[16], head[17], head[18], head[19]]);
    if head[0..8] != MAGIC || crc != crc32fast::hash(&head[0..16]) {
        return Ok(None);
    }
    let number = head[8..16].first_chunk::<8>().copied().unwrap_or_default();
    Ok(Some(u64::from_le_bytes(number)))
}

/// Takes the file's room. File systems without `fallocate` get zeros written.
fn allocate(file: &File) -> io::Result<()> {
    let length = SEGMENT as u64;
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => {
            let zeros = vec![0; 64 * 1024];
            let mut at = 0;
            while at < length {
                file.write_all_at(&zeros, at)?;
                at += zeros.len() as u64;
            }
            file.sync_data()
        }
        Err(error) => Err(error.into()),
    }
}
