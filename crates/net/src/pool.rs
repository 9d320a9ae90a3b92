//! Read buffers of 64 KiB, one small pool per thread.
//!
//! A buffer is taken when a socket is readable and given back when what was read is dealt with, so a thousand idle
//! sessions hold none. The bytes of an earlier read stay in it: look only at what the read said it wrote.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// A buffer's size in bytes: large enough for fast scans, measured; small enough to stay in the second-level cache.
pub const SIZE: usize = 64 * 1024;

/// How many unused buffers a thread keeps. Sessions hold one only while they run, so more would rarely be used at once.
const KEEP: usize = 8;

thread_local! {
    static POOL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`SIZE`] bytes; dropping it gives it back.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
}

/// Takes a buffer from this thread's pool, or makes one.
#[must_use]
pub fn take() -> Buffer {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
    Buffer { bytes: pooled.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice()) }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that is ending has no pool any more: the buffer is freed.
        let _ended = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEEP {
                pool.push(bytes);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_the_pool_is_bounded() {
        let first = take();
        assert_eq!(first.len(), SIZE);
        let place = first.as_ptr();
        drop(first);
        assert_eq!(take().as_ptr(), place);
        drop((0..50).map(|_| take()).collect::<Vec<_>>());
        assert_eq!(POOL.with_borrow(Vec::len), KEEP);
    }
}
