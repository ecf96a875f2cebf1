//! Session descriptions (RFC 8866): text to typed lines, and typed lines to text.
//!
//! The crate `sdp-types` takes text apart and puts it together. What stands here gives its lines a meaning, and sees to it
//! that an attribute which is unknown or wrong costs no more than what it describes: a codec, an extension, an m-line. No
//! IO and no clock.

mod candidate;
mod description;
mod read;
mod read_line;
mod write;

pub use candidate::RemoteCandidate;
pub use description::{Description, Direction, Extmap, Feedback, Format, Line, Setup, Transport};
pub use read::read;
pub(crate) use read::{excerpt, malformed};
pub use write::{Written, WrittenBody, WrittenLine, candidate_lines, write};

/// Longest description that is read, in bytes. A browser needs up to 8 KiB for an m-line.
pub const MAX_TEXT: usize = 512 * 1024;

#[cfg(test)]
mod read_tests;
