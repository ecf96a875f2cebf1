//! What has arrived under the keys of a peer, outside of what dies with the process. Half of a packet's index is in no packet
//! (RFC 3711 §3.3.1): who goes on opening under the same keys has to know the rollover counters, or nothing verifies any more, and what
//! was there already, or it could be replayed (§3.3.2).
//!
//! For each SSRC the highest authentic index stands here, one store per packet. Whoever goes on takes all up to it as seen: packets
//! that were under way across the change and are older are lost.

use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Relaxed, Release},
    },
};

use super::send_state::SendState;
use crate::dataplane::region::WORD;

/// SSRCs of one session.
pub const MAX_STREAMS: usize = 64;
/// A stream's SSRC with [`PRESENT`], and its highest index.
const STREAM_WORDS: usize = 2;
/// Words of a session.
pub const SESSION_WORDS: usize = MAX_STREAMS * STREAM_WORDS;
/// Bytes of a session.
pub const RECEIVE_STRIDE: usize = SESSION_WORDS * WORD;
/// There is a stream, of whatever SSRC.
const PRESENT: u64 = 1 << 32;

/// What has arrived from one peer.
#[derive(Clone, Debug)]
pub struct SessionReceiveState {
    pub(super) all: Arc<SendState>,
    /// In bytes; the words there were seen to exist.
    pub(super) at: usize,
}

impl SessionReceiveState {
    /// Notes an authentic packet with the highest index of its SSRC, whose place is its number among those of the session. The
    /// session's worker is the only writer.
    #[inline]
    pub fn store(&self, place: usize, ssrc: u32, index: u64) {
        let at = place * STREAM_WORDS;
        if let Some([name, highest]) = self.words().get(at..at + STREAM_WORDS) {
            highest.store(index, Relaxed);
            if name.load(Relaxed) == 0 {
                name.store(PRESENT | u64::from(ssrc), Release);
            }
        }
    }

    /// SSRCs with their highest indices, by place.
    pub fn streams(&self) -> impl Iterator<Item = (u32, u64)> {
        let (streams, _) = self.words().as_chunks::<STREAM_WORDS>();
        streams.iter().map_while(|[name, highest]| {
            let name = name.load(Relaxed);
            (name != 0).then(|| (name as u32, highest.load(Relaxed)))
        })
    }

    /// Forgets all, for keys under which nothing has arrived.
    pub(super) fn clear(&self) {
        for word in self.words() {
            word.store(0, Relaxed);
        }
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        self.all.received(self.at)
    }
}
