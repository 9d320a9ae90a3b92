//! Bytes of one side that are not dealt with yet.

/// Bytes that are taken from the front. Moved together only once much was taken.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    taken: usize,
}

/// Bytes at the front that may be kept after they were taken.
const SLACK: usize = 64 * 1024;

impl Buffer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What waits.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken >= self.bytes.len()
    }

    /// Takes so many bytes from the front.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let end = self.taken.saturating_add(count).min(self.bytes.len());
        let taken = self.bytes.get(self.taken..end).unwrap_or_default().to_vec();
        self.taken = end;
        if self.is_empty() {
            self.clear();
        } else if self.taken > SLACK {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        taken
    }

    pub(super) fn clear(&mut self) {
        // A buffer that held what came during a hold is given back.
        self.bytes = Vec::new();
        self.taken = 0;
    }
}
