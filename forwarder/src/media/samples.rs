//! Packets for tests, built by code that shares nothing with what reads them.

use proptest::prelude::*;

use super::{Extension, ExtensionIds};

/// The profiles of the two forms of extension blocks.
pub const ONE_BYTE: u16 = 0xbede;
pub const TWO_BYTE: u16 = 0x1005;

/// Identifiers and data.
pub type Elements = Vec<(u8, Vec<u8>)>;

/// A packet as its parts.
#[derive(Clone, Debug)]
pub struct Packet {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub sources: Vec<u32>,
    /// The extension's profile and elements.
    pub extension: Option<(u16, Elements)>,
    pub payload: Vec<u8>,
    pub padding: u8,
}

impl Packet {
    /// As it travels.
    pub fn bytes(&self) -> Vec<u8> {
        let padded = u8::from(self.padding != 0) << 5;
        let extended = u8::from(self.extension.is_some()) << 4;
        let mut bytes = vec![
            0x80 | padded | extended | self.sources.len() as u8,
            u8::from(self.marker) << 7 | self.payload_type,
        ];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        for source in &self.sources {
            bytes.extend(source.to_be_bytes());
        }
        if let Some((profile, elements)) = &self.extension {
            let mut block = Vec::new();
            for (id, data) in elements {
                match *profile {
                    ONE_BYTE => block.push(id << 4 | (data.len() - 1) as u8),
                    _ => block.extend([*id, data.len() as u8]),
                }
                block.extend(data);
            }
            block.resize(block.len().next_multiple_of(4), 0);
            bytes.extend(profile.to_be_bytes());
            bytes.extend(((block.len() / 4) as u16).to_be_bytes());
            bytes.extend(block);
        }
        bytes.extend(&self.payload);
        if self.padding != 0 {
            bytes.resize(bytes.len() + usize::from(self.padding) - 1, 0);
            bytes.push(self.padding);
        }
        bytes
    }
}

/// Identifiers that a session negotiated.
pub fn ids(pairs: &[(u8, Extension)]) -> ExtensionIds {
    let mut ids = ExtensionIds::new();
    for &(id, extension) in pairs {
        ids.insert(id, extension).unwrap();
    }
    ids
}

/// A packet with nothing special.
pub fn plain() -> Packet {
    Packet {
        marker: true,
        payload_type: 96,
        sequence: 9,
        timestamp: 10,
        ssrc: 11,
        sources: Vec::new(),
        extension: None,
        payload: vec![1, 2, 3],
        padding: 0,
    }
}

/// Any negotiated identifiers.
pub fn kinds() -> impl Strategy<Value = ExtensionIds> {
    let all: Vec<_> = Extension::all().collect();
    (
        Just(all).prop_shuffle(),
        0..15_usize,
        prop::collection::btree_set(1_u8..40, 15),
    )
        .prop_map(|(extensions, count, numbers)| {
            let numbers = numbers.into_iter().filter(|id| *id != 15);
            let pairs: Vec<_> = numbers.zip(extensions).take(count).collect();
            ids(&pairs)
        })
}

/// Any packet.
pub fn packets() -> impl Strategy<Value = Packet> {
    let short = prop::collection::vec((1_u8..15, prop::collection::vec(any::<u8>(), 1..17)), 0..12)
        .prop_map(|elements| (ONE_BYTE, elements));
    let long = prop::collection::vec((1_u8..40, prop::collection::vec(any::<u8>(), 0..40)), 0..12)
        .prop_map(|elements| (TWO_BYTE, elements));
    (
        (
            any::<bool>(),
            0_u8..128,
            any::<u16>(),
            any::<u32>(),
            any::<u32>(),
        ),
        prop::collection::vec(any::<u32>(), 0..16),
        prop::option::of(prop_oneof![short, long]),
        prop::collection::vec(any::<u8>(), 0..20),
        any::<u8>(),
    )
        .prop_map(|(fixed, sources, extension, payload, padding)| {
            let (marker, payload_type, sequence, timestamp, ssrc) = fixed;
            Packet {
                marker,
                payload_type,
                sequence,
                timestamp,
                ssrc,
                sources,
                extension,
                payload,
                padding,
            }
        })
}
