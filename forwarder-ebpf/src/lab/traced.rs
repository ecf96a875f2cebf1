//! Whose system calls are counted; the same file on both sides.

/// A thread, by its number in a PID namespace.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Traced {
    /// Device of the namespace, as the kernel encodes it: major number in the upper 12 of 32 bits.
    pub device: u64,
    /// Inode of the namespace.
    pub inode: u64,
    /// Number of the thread.
    pub thread: u32,
    /// To whole words.
    pub zero: u32,
}

/// Numbers of system calls that are counted, from 0 on.
pub const SYSCALLS: u32 = 1024;

const _: () = assert!(size_of::<Traced>() == 24);
