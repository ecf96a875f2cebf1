//! What keys were used for, outside of what dies with the process: an SRTP or SRTCP index is used once, ever (RFC 3711 §9.1), so where
//! another process is to go on with the same keys, it must find the number past the last one that may have been used.
//!
//! On the kernel path these are pinned BPF arrays, `SEND_STATE` and `SESSION_STATE`, and `RECEIVE_STATE` for what has
//! [arrived](super::receive_state); without XDP it is memory of this process, whose keys die with it too.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::receive_state::{self, RECEIVE_STRIDE, SessionReceiveState};
use crate::dataplane::region::{Region, WORD};
use crate::prefetch::prefetch;

/// Words of a session: a cache line, since several workers may send to one peer.
const SESSION_WORDS: usize = 8;
/// Bytes of a session.
pub const SESSION_STRIDE: usize = SESSION_WORDS * WORD;

/// One word per leg, one [`SESSION_STRIDE`] and one [`RECEIVE_STRIDE`] per session.
#[derive(Debug)]
pub struct SendState {
    legs: Region,
    sessions: Region,
    received: Region,
}

impl SendState {
    /// Room for the legs and sessions with numbers below these, in memory of this process.
    ///
    /// # Errors
    /// Out of memory.
    pub fn heap(legs: u32, sessions: u32) -> io::Result<Self> {
        Ok(Self {
            legs: Region::heap(legs as usize * WORD)?,
            sessions: Region::heap(sessions as usize * SESSION_STRIDE)?,
            received: Region::heap(sessions as usize * RECEIVE_STRIDE)?,
        })
    }

    /// Room for as many in BPF arrays, whose values have 8, [`SESSION_STRIDE`] and [`RECEIVE_STRIDE`] bytes.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn map(
        legs: (BorrowedFd<'_>, u32),
        sessions: (BorrowedFd<'_>, u32),
        received: (BorrowedFd<'_>, u32),
    ) -> io::Result<Self> {
        Ok(Self {
            received: Region::map(received.0, received.1 as usize * RECEIVE_STRIDE)?,
            legs: Region::map(legs.0, legs.1 as usize * WORD)?,
            sessions: Region::map(sessions.0, sessions.1 as usize * SESSION_STRIDE)?,
        })
    }

    /// Notes that indices before `next` may be used by a leg, before any of them is. Its worker is the only writer.
    #[inline]
    pub fn store(&self, leg: u32, next: u64) {
        // A leg outside is refused by control; there is nothing to store for it.
        let _outside = self.legs.store_u64(leg as usize * WORD, next, Relaxed);
    }

    /// The first index that a leg has not used.
    #[must_use]
    pub fn next_index(&self, leg: u32) -> u64 {
        self.legs.load_u64(leg as usize * WORD, Relaxed)
    }

    /// The state of a session; `None` if there is no room for its number.
    #[must_use]
    pub fn session(self: &Arc<Self>, number: u32) -> Option<SessionSendState> {
        let at = number as usize * SESSION_STRIDE;
        self.sessions.words::<SESSION_WORDS>(at)?;
        Some(SessionSendState {
            all: Arc::clone(self),
            at,
            received: self.receive_session(number)?,
        })
    }

    /// What has arrived from a session's peer; `None` if there is no room for its number.
    #[must_use]
    pub fn receive_session(self: &Arc<Self>, number: u32) -> Option<SessionReceiveState> {
        let at = number as usize * RECEIVE_STRIDE;
        self.received
            .words::<{ receive_state::SESSION_WORDS }>(at)?;
        Some(SessionReceiveState {
            all: Arc::clone(self),
            at,
        })
    }

    #[inline]
    pub(super) fn received(&self, at: usize) -> &[AtomicU64] {
        self.received
            .words::<{ receive_state::SESSION_WORDS }>(at)
            .map_or(&[], |words| words.as_slice())
    }
}

/// A transport-wide sequence number that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportSequence(u64);

impl TransportSequence {
    /// The number as it is stamped.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u16 {
        // The counter wraps at 2^64 and the number at 2^16: the first is a multiple of the second, so no number is left out.
        self.0 as u16
    }
}

/// What the keys to one peer were used for, but for the indices of its legs.
#[derive(Clone, Debug)]
pub struct SessionSendState {
    all: Arc<SendState>,
    /// In bytes; the words there were seen to exist.
    at: usize,
    received: SessionReceiveState,
}

impl SessionSendState {
    /// Begins with keys that nothing was sealed with, and under which nothing has arrived.
    pub fn begin(&self) {
        self.received.clear();
        for word in self.words() {
            word.store(0, Relaxed);
        }
    }

    /// Notes that SRTCP indices before `next` may be used, before any of them is. Control is the only writer.
    pub fn store_srtcp(&self, next: u32) {
        if let Some(word) = self.words().first() {
            word.store(next.into(), Relaxed);
        }
    }

    /// The first SRTCP index that was not used.
    #[must_use]
    pub fn next_srtcp(&self) -> u32 {
        let next = self.words().first().map_or(0, |word| word.load(Relaxed));
        u32::try_from(next).unwrap_or(u32::MAX)
    }

    /// Takes the next transport-wide sequence number: one space over all streams to one peer
    /// (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2). Any worker may.
    #[inline]
    pub fn next_transport_sequence(&self) -> TransportSequence {
        let word = self.words().get(1);
        TransportSequence(word.map_or(0, |word| word.fetch_add(1, Relaxed)))
    }

    /// Gives back a number that nothing was sent under: the peer would report it as lost. Where another worker has taken one since, it
    /// stays a gap.
    #[cold]
    pub fn return_transport_sequence(&self, TransportSequence(taken): TransportSequence) {
        if let Some(word) = self.words().get(1) {
            let next = taken.wrapping_add(1);
            let _taken_since = word.compare_exchange(next, taken, Relaxed, Relaxed);
        }
    }

    /// Asks the CPU for the numbers.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(self.words());
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        self.all
            .sessions
            .words::<SESSION_WORDS>(self.at)
            .map_or(&[], |words| words.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, os::fd::AsFd};

    use nix::{
        sys::memfd::{MFdFlags, memfd_create},
        unistd::ftruncate,
    };

    use super::*;

    #[test]
    fn whoever_maps_it_later_goes_on() {
        // What BPF maps do, without the privilege that they take.
        let file = |name| {
            let file = memfd_create(name, MFdFlags::MFD_CLOEXEC).unwrap();
            ftruncate(&file, 4096).unwrap();
            file
        };
        let (legs, sessions, received) = (file(c"legs"), file(c"sessions"), file(c"received"));
        let open = || {
            let (legs, sessions) = ((legs.as_fd(), 8), (sessions.as_fd(), 4));
            SendState::map(legs, sessions, (received.as_fd(), 4)).unwrap()
        };
        let (mut numbers, mut total) = (HashSet::new(), 0);
        for process in 0..3_u64 {
            let all = Arc::new(open());
            let session = all.session(3).unwrap();
            assert_eq!(
                (all.next_index(7), session.next_srtcp()),
                (process * 100, process as u32)
            );
            let arrived = all.receive_session(3).unwrap();
            let highest = |index| [(0, index), (u32::MAX, index + 1)];
            let before: Vec<_> = arrived.streams().collect();
            assert_eq!(
                before,
                if process == 0 {
                    vec![]
                } else {
                    highest(process).to_vec()
                }
            );
            for (place, (ssrc, index)) in highest(process + 1).into_iter().enumerate() {
                arrived.store(place, ssrc, index);
            }
            all.store(7, (process + 1) * 100);
            session.store_srtcp(process as u32 + 1);
            // Two workers at once.
            let other = all.session(3).unwrap();
            let taken = std::thread::spawn(move || {
                let take = |_| other.next_transport_sequence().number();
                (0..1000).map(take).collect::<Vec<_>>()
            });
            let take = |_| session.next_transport_sequence().number();
            numbers.extend((0..1000).map(take));
            numbers.extend(taken.join().unwrap());
            total += 2000;
            assert_eq!(numbers.len(), total, "a number twice");
        }
        let all = Arc::new(open());
        let unused = all.session(2).unwrap().next_transport_sequence();
        assert_eq!(unused.number(), 0);
        let session = all.session(3).unwrap();
        let arrived = all.receive_session(3).unwrap();
        assert_eq!(arrived.streams().count(), 2);
        session.begin();
        assert_eq!(arrived.streams().count(), 0);
        // A place beyond the last is nowhere.
        arrived.store(receive_state::MAX_STREAMS, 1, 1);
        assert_eq!(arrived.streams().count(), 0);
        assert_eq!(
            (
                session.next_srtcp(),
                session.next_transport_sequence().number()
            ),
            (0, 0)
        );
        assert_eq!(all.next_index(7), 300);
        assert!(all.session(4).is_none() && all.session(u32::MAX).is_none());
    }

    #[test]
    fn a_number_that_nothing_left_under_is_taken_again() {
        let all = Arc::new(SendState::heap(1, 1).unwrap());
        let session = all.session(0).unwrap();
        let first = session.next_transport_sequence();
        session.return_transport_sequence(first);
        let again = session.next_transport_sequence();
        assert_eq!(first, again);
        // Others have gone on meanwhile: what they took is theirs.
        let theirs = session.next_transport_sequence();
        session.return_transport_sequence(again);
        assert_eq!(session.next_transport_sequence().number(), 2);
        session.return_transport_sequence(theirs);
        assert_eq!(session.next_transport_sequence().number(), 3);
        // Nor is it given back twice, a turn of the numbers later.
        let more = (4..=0x1_0000).map(|_| session.next_transport_sequence().number());
        assert!(more.eq((4..0x1_0000).map(|number| number as u16).chain([0])));
        session.return_transport_sequence(first);
        assert_eq!(session.next_transport_sequence().number(), 1);
    }
}
