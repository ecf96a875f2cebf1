//! What the publisher sends, wrapped as redundant audio or not.

use super::{
    call::{OPUS, RED, SSRC},
    keyframe,
};

#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) index: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) level: u8,
    pub(super) payload: Vec<u8>,
    pub(super) redundancy: Redundancy,
    pub(super) tampered: Option<usize>,
}

/// How a payload is wrapped (RFC 2198).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redundancy {
    /// Not at all.
    None,
    /// After so many earlier blocks, each of so many bytes.
    Blocks(usize, usize),
    /// A header that names more than there is.
    Malformed,
}

impl Packet {
    /// One that a leg which waits for a keyframe can begin with.
    pub(super) fn opening(index: u64) -> Self {
        Self {
            index,
            timestamp: 5,
            marker: false,
            level: 3,
            payload: keyframe(40),
            redundancy: Redundancy::None,
            tampered: None,
        }
    }

    /// The payload as it is written.
    pub(super) fn written(&self) -> Vec<u8> {
        let (blocks, len) = match self.redundancy {
            Redundancy::None => return self.payload.clone(),
            Redundancy::Blocks(blocks, len) => (blocks, len),
            Redundancy::Malformed => return vec![0x80 | OPUS, 0, 3, 0xff, OPUS],
        };
        let header = [0x80 | OPUS, 0, (len >> 8) as u8, len as u8];
        let mut bytes = header.repeat(blocks);
        bytes.push(OPUS);
        bytes.extend(vec![0xa5; blocks * len]);
        bytes.extend(&self.payload);
        bytes
    }

    pub(super) fn plain(&self) -> Vec<u8> {
        let payload_type = match self.redundancy {
            Redundancy::None => OPUS,
            _ => RED,
        };
        let mut bytes = vec![0x92, payload_type | u8::from(self.marker) << 7];
        bytes.extend((self.index as u16).to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(SSRC.to_be_bytes());
        // Two contributing sources, which no leg carries.
        bytes.extend([7; 8]);
        bytes.extend([0xbe, 0xde, 0, 2]);
        // Audio level, a transport-wide sequence number, an extension that nobody negotiated.
        bytes.extend([0x40, self.level, 0x51, 0, self.index as u8, 0xd0, 9, 0]);
        bytes.extend(self.written());
        bytes
    }
}
