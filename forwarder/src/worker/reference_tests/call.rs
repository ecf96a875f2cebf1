//! What the calls of these tests are made of: numbers, keys, tracks.

use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::{
    media::{Codec, Extension, ExtensionIds, Kind},
    srtp::{MasterKey, Suite},
    worker::command::{Track, TrackCodec},
};

pub(super) const PUBLISHER: u32 = 1;
pub(super) const TRACK: u32 = 3;
pub(super) const SSRC: u32 = 0x1234_5678;
pub(super) const OPUS: u8 = 96;
/// The number that sound has where the track is sound.
pub(super) const VP8: u8 = OPUS;
pub(super) const RED: u8 = 63;
/// The number of the only subscriber that takes redundant audio as it is.
pub(super) const TAKES_RED: usize = 1;
/// What redundant audio becomes for it.
pub(super) const RED_THERE: u8 = 120;
pub(super) const SUITES: [Suite; 3] = [
    Suite::AeadAes128Gcm,
    Suite::AeadAes256Gcm,
    Suite::Aes128CmHmacSha1_80,
];

pub(super) fn master(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..64)
        .map(|at| seed.wrapping_mul(31).wrapping_add(at))
        .collect();
    MasterKey::new(
        suite,
        &bytes[..suite.key_len()],
        &bytes[40..40 + suite.salt_len()],
    )
    .unwrap()
}

pub(super) fn track(kind: Kind) -> Track {
    let (codecs, clock_rate) = match kind {
        Kind::Audio => (&[(OPUS, Codec::Opus), (RED, Codec::Red)][..], 48_000),
        Kind::Video => (&[(VP8, Codec::Vp8)][..], 90_000),
    };
    Track {
        track: TRACK,
        session: PUBLISHER,
        kind,
        mid: None,
        ssrcs: ArrayVec::from_iter([SSRC]),
        codecs: codecs
            .iter()
            .map(|(payload_type, codec)| TrackCodec {
                payload_type: *payload_type,
                codec: *codec,
                clock_rate,
            })
            .collect(),
        counters: Arc::default(),
    }
}

/// What the track carries, and the way to its subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) suite: Suite,
    pub(super) kind: Kind,
    /// By slots and bells, or by connected sockets.
    pub(super) by_slots: bool,
}

impl Call {
    /// Sound over sockets.
    pub(super) const fn of(suite: Suite) -> Self {
        Self {
            suite,
            kind: Kind::Audio,
            by_slots: false,
        }
    }

    /// Every suite, kind and way.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        SUITES.into_iter().flat_map(|suite| {
            [Kind::Audio, Kind::Video]
                .into_iter()
                .flat_map(move |kind| {
                    [false, true].map(|by_slots| Self {
                        suite,
                        kind,
                        by_slots,
                    })
                })
        })
    }
}

/// Replicas that may be under way: three subscribers of a batch of one packet always find room.
pub(super) const WINDOW: u32 = 64;
/// A payload that VP8 begins a keyframe with (RFC 7741 §4.3), and one that it does not.
pub(super) const KEYFRAME: [u8; 2] = [0x10, 0];
pub(super) const DELTA: [u8; 2] = [0x10, 1];

/// The hop of a subscriber.
pub(super) fn hop_of(session: u32) -> u32 {
    session + 100
}

pub(super) fn ids(known: &[(u8, Extension)]) -> ExtensionIds {
    let mut ids = ExtensionIds::new();
    for (id, extension) in known {
        ids.insert(*id, *extension).unwrap();
    }
    ids
}
