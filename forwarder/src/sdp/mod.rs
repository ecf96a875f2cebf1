//! Session descriptions (RFC 8866): text to typed lines, and typed lines to text. Pure; `sdp-types` takes the text apart.

mod candidate;

pub use candidate::RemoteCandidate;

/// Longest description that is read, in bytes. A browser needs up to 8 KiB for an m-line.
pub const MAX_TEXT: usize = 512 * 1024;
