//! Why keys, a packet to be sealed, or a packet to be opened were refused.

use std::fmt;

use super::Suite;

/// Keys that a suite cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The master key does not have the suite's length.
    KeyLength {
        /// The suite.
        suite: Suite,
        /// Bytes that were given.
        len: usize,
    },
    /// The master salt does not have the suite's length.
    SaltLength {
        /// The suite.
        suite: Suite,
        /// Bytes that were given.
        len: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyLength { suite, len } => {
                let allowed = suite.key_len();
                write!(
                    f,
                    "master key cannot have {len} bytes; allowed with {suite}: {allowed}"
                )
            }
            Self::SaltLength { suite, len } => {
                let allowed = suite.salt_len();
                write!(
                    f,
                    "master salt cannot have {len} bytes; allowed with {suite}: {allowed}"
                )
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// A packet was not sealed. Its buffer is as it was, except after [`SealError::Cipher`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// Shorter than its header, or the header shorter than a fixed one.
    Header,
    /// The buffer has no room for the tag.
    Room,
    /// The index has more than 48 bits, or its low 16 bits are not the header's sequence number.
    Index,
    /// The key has sealed as many packets as it may (RFC 3711 §9.2): new keys are needed.
    Exhausted,
    /// The cipher failed. No part of the buffer may be sent.
    Cipher,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the packet is shorter than its header",
            Self::Room => "the buffer has no room for the authentication tag",
            Self::Index => "the packet index does not belong to the sequence number",
            Self::Exhausted => "the key has sealed as many packets as it may",
            Self::Cipher => "the cipher failed",
        })
    }
}

impl std::error::Error for SealError {}

/// A packet was not opened. Nothing in it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Too short, or its header is not whole.
    Malformed,
    /// A packet with this index was there before.
    Replayed,
    /// Too far behind the newest packet to tell whether it was there before.
    TooOld,
    /// A packet of a new SSRC, and as many as may be are known.
    TooManyStreams,
    /// SRTCP that is not encrypted, which DTLS-SRTP cannot agree on.
    Unencrypted,
    /// The tag does not verify.
    Unauthentic,
    /// Authentic, and of an SSRC that the caller does not want.
    Unwanted,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::Replayed => "replayed",
            Self::TooOld => "older than the replay window",
            Self::TooManyStreams => "one SSRC too many",
            Self::Unencrypted => "SRTCP without encryption",
            Self::Unauthentic => "not authentic",
            Self::Unwanted => "of an SSRC that nobody wants",
        })
    }
}

impl std::error::Error for OpenError {}
