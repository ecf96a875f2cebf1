//! The next packet index of every leg, outside of what dies with the process: an SRTP index is used once, ever (RFC 3711 §9.1), so where
//! another process is to go on with the same keys, it must find the number past the last one that may have been used.
//!
//! On the kernel path the words are a pinned BPF array; without XDP they are memory of this process, whose keys die with it too.

use std::{io, os::fd::BorrowedFd, sync::atomic::Ordering::Relaxed};

use crate::dataplane::region::{Region, WORD};

/// One word per leg.
#[derive(Debug)]
pub struct SendState {
    indices: Region,
}

impl SendState {
    /// Words for `legs` legs in memory of this process.
    ///
    /// # Errors
    /// Out of memory.
    pub fn heap(legs: u32) -> io::Result<Self> {
        Ok(Self {
            indices: Region::heap(legs as usize * WORD)?,
        })
    }

    /// Words for `legs` legs in a BPF array of words.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn map(fd: BorrowedFd<'_>, legs: u32) -> io::Result<Self> {
        Ok(Self {
            indices: Region::map(fd, legs as usize * WORD)?,
        })
    }

    /// Notes that indices before `next` may be used by a leg, before any of them is. Its worker is the only writer.
    #[inline]
    pub fn store(&self, leg: u32, next: u64) {
        // A leg outside is refused by control; there is nothing to store for it.
        let _outside = self.indices.store_u64(leg as usize * WORD, next, Relaxed);
    }

    /// The first index that a leg has not used.
    #[must_use]
    pub fn next_index(&self, leg: u32) -> u64 {
        self.indices.load_u64(leg as usize * WORD, Relaxed)
    }
}
