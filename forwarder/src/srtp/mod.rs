//! SRTP and SRTCP (RFC 3711, RFC 7714) for keys that DTLS agreed on (RFC 5764).
//!
//! Keys and state are apart: [`SendKeys`] and [`ReceiveKeys`] are immutable and shared by threads, the caller says which
//! packet index is meant. Who owns a stream owns its state: [`ReceiveStream`] guesses indices and knows what was there
//! before, a sender counts for itself. Sealing and opening neither allocate nor lock.

mod cipher;
mod cm;
mod error;
mod gcm;
mod hmac;
mod index;
mod kdf;
mod keys;
mod master;
mod replay;
mod srtcp;
mod streams;
mod suite;
mod text;
mod wide;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tamper_tests;
#[cfg(test)]
mod test_packets;
#[cfg(test)]
mod vector_tests;

pub use error::{KeyError, OpenError, SealError};
pub use index::{MAX_INDEX, ReceiveStream};
pub use keys::{ReceiveKeys, SendKeys};
pub use master::{MasterKey, keying_material_len, split_keying_material};
pub use replay::ReplayWindow;
pub use srtcp::{MAX_SRTCP_INDEX, SRTCP_WORD_LEN, SrtcpReceiver, SrtcpSender};
pub use streams::{Opened, ReceiveStreams};
pub use suite::Suite;
