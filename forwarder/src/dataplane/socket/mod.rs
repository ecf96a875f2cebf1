//! The socket worker.

use std::os::fd::BorrowedFd;
/// Temporary.
pub trait Punt: Send {
    /// Readable while packets wait.
    fn fd(&self) -> BorrowedFd<'_>;
    /// Passes on.
    fn drain(&mut self, each: &mut dyn FnMut(u32, &[u8]));
}
