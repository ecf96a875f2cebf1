//! A piece of zeroed memory that other threads, and the kernel, read while it is written: heap or a mapped BPF array.
//!
//! All access is by whole 8-byte atomic words, so nothing can be torn and nothing mixes access sizes; what spans more
//! than one word is ordered by whoever uses it. All the unsafe code of the tables is in this file.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// Bytes of a word.
pub const WORD: usize = 8;

/// Memory of a fixed length, unmapped on drop.
#[derive(Debug)]
pub struct Region {
    start: NonNull<AtomicU64>,
    /// In bytes; a multiple of [`WORD`].
    len: usize,
}

// SAFETY: the memory belongs to the region until it is dropped, and is reached only through atomics.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Zeroed memory of this process, `len` bytes rounded up to whole words. Pages that are never touched cost nothing.
    ///
    /// # Errors
    /// What `mmap` says, out of memory above all.
    pub fn heap(len: usize) -> io::Result<Self> {
        let (mapped, len) = lengths(len)?;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            mmap_anonymous(
                None,
                mapped,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE,
            )
        }?;
        Ok(Self {
            start: start.cast(),
            len,
        })
    }

    /// The first `len` bytes of a BPF array map made with `BPF_F_MMAPABLE`. Element strides are the map's: the value
    /// size rounded up to 8 (`array_map_alloc` in kernel/bpf/arraymap.c).
    ///
    /// # Errors
    /// What `mmap` says: `EINVAL` or `EPERM` where the map cannot be mapped or is smaller.
    pub fn map(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let (mapped, len) = lengths(len)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours. The kernel refuses
        // lengths beyond the map, and keeps the map's pages as long as they are mapped.
        let start = unsafe {
            mmap(
                None,
                mapped,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                fd,
                0,
            )
        }?;
        Ok(Self {
            start: start.cast(),
            len,
        })
    }

    /// Bytes that can be reached.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte can be reached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The `N` words from byte `at` on; `None` where `at` is not a multiple of 8 or the last word lies outside.
    #[inline(always)]
    #[must_use]
    pub fn words<const N: usize>(&self, at: usize) -> Option<&[AtomicU64; N]> {
        let end = at.checked_add(N * WORD)?;
        if !at.is_multiple_of(WORD) || end > self.len {
            return None;
        }
        // SAFETY: `at..end` lies in the mapping, which starts at a page and lives as long as `self`; atomics have the
        // size and alignment of words, any bit pattern is valid, and nothing reaches this memory by other means.
        Some(unsafe { self.start.byte_add(at).cast::<[AtomicU64; N]>().as_ref() })
    }

    /// The word at byte `at`; 0, which every table takes to mean "none", outside.
    #[inline(always)]
    #[must_use]
    pub fn load_u64(&self, at: usize, order: Ordering) -> u64 {
        self.words::<1>(at).map_or(0, |[word]| word.load(order))
    }

    /// Stores the word at byte `at`; `None`, and no change, outside.
    #[inline(always)]
    #[must_use]
    pub fn store_u64(&self, at: usize, value: u64, order: Ordering) -> Option<()> {
        self.words::<1>(at).map(|[word]| word.store(value, order))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped (the kernel rounds up to pages, as it did then); no reference outlives `self`.
        // It cannot fail for a mapping that exists, and there is nobody to tell.
        let _ = unsafe { munmap(self.start.cast(), self.len.max(WORD)) };
    }
}

/// Bytes to map (never none) and bytes to reach, in whole words.
fn lengths(len: usize) -> io::Result<(NonZeroUsize, usize)> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "memory region too long");
    let len = len.checked_next_multiple_of(WORD).ok_or_else(too_long)?;
    let mapped = NonZeroUsize::new(len.max(WORD)).ok_or_else(too_long)?;
    Ok((mapped, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_zeroed_and_keeps_what_is_stored() {
        let region = Region::heap(20).unwrap();
        assert_eq!(region.len(), 24);
        assert_eq!(region.load_u64(16, Ordering::Relaxed), 0);
        assert_eq!(region.store_u64(16, 7, Ordering::Release), Some(()));
        assert_eq!(region.load_u64(16, Ordering::Acquire), 7);
    }

    #[test]
    fn outside_reads_zero_and_refuses_stores() {
        let region = Region::heap(16).unwrap();
        for at in [1, 12, 16, 4096, usize::MAX, usize::MAX - 7] {
            assert_eq!(region.load_u64(at, Ordering::Relaxed), 0, "{at}");
            assert_eq!(region.store_u64(at, 1, Ordering::Relaxed), None, "{at}");
        }
        assert!(region.words::<2>(0).is_some());
        assert!(region.words::<3>(0).is_none());
        assert!(Region::heap(0).unwrap().is_empty());
    }

    #[test]
    fn mappings_of_one_file_are_the_same_memory() {
        use nix::{
            sys::memfd::{MFdFlags, memfd_create},
            unistd::ftruncate,
        };
        use std::os::fd::AsFd;

        // What a BPF map does, without the privilege that one takes.
        let file = memfd_create(c"region", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&file, 8192).unwrap();
        let writer = Region::map(file.as_fd(), 8192).unwrap();
        let reader = Region::map(file.as_fd(), 8192).unwrap();
        writer.store_u64(8184, 3, Ordering::Release).unwrap();
        drop(writer);
        assert_eq!(reader.load_u64(8184, Ordering::Acquire), 3);
    }

    #[test]
    fn an_overlong_region_is_an_error() {
        assert!(Region::heap(usize::MAX).is_err());
        assert!(Region::heap(usize::MAX / 2).is_err());
    }
}
