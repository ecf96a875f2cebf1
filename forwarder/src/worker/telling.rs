//! How a worker tells control what it saw: through rings of fixed size, so that it never waits and nothing grows. What finds no room is
//! counted; peers repeat STUN, DTLS and RTCP.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use nix::sys::eventfd::EventFd;
use rtrb::{Consumer, Producer, RingBuffer};

use super::note::{MAX_DATAGRAM, Note};
use crate::transport::Pair;

/// Notes under way.
const NOTES: usize = 512;
/// Room that is left to other notes than datagrams: nobody repeats those.
const RESERVED: usize = 128;
/// Arrivals under way: they are read when feedback is due, every 50 ms at the latest.
const ARRIVALS: usize = 1 << 14;

/// [`Note::Arrival`], by itself: there are many of them.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    session: u32,
    ssrc: u32,
    sequence: u16,
    at: u64,
}

/// The worker's end.
pub struct Telling {
    notes: Producer<Note>,
    arrivals: Producer<Arrival>,
    lost: Arc<AtomicU64>,
    wake: Arc<EventFd>,
    told: bool,
}

/// Control's end.
pub struct Notes {
    notes: Consumer<Note>,
    arrivals: Consumer<Arrival>,
    lost: Arc<AtomicU64>,
}

/// Both ends of a worker's rings; `wake` is signalled when there is something to read that cannot wait.
#[must_use]
pub fn telling(wake: Arc<EventFd>) -> (Telling, Notes) {
    let (notes, read_notes) = RingBuffer::new(NOTES);
    let (arrivals, read_arrivals) = RingBuffer::new(ARRIVALS);
    let lost = Arc::new(AtomicU64::new(0));
    let telling = Telling {
        notes,
        arrivals,
        lost: Arc::clone(&lost),
        wake,
        told: false,
    };
    let notes = Notes {
        notes: read_notes,
        arrivals: read_arrivals,
        lost,
    };
    (telling, notes)
}

impl Telling {
    /// Tells something.
    #[inline]
    pub fn tell(&mut self, note: Note) {
        if self.notes.push(note).is_err() {
            self.lose();
        }
        self.told = true;
    }

    /// Hands a datagram over.
    pub fn datagram(&mut self, pair: Pair, session: u32, datagram: &[u8]) {
        let mut bytes = [0; MAX_DATAGRAM];
        let to = bytes.get_mut(..datagram.len());
        let Some(to) = to.filter(|_| self.notes.slots() > RESERVED) else {
            self.lose();
            return;
        };
        to.copy_from_slice(datagram);
        self.tell(Note::Datagram {
            pair,
            session,
            len: datagram.len() as u16,
            bytes,
        });
    }

    /// Tells of a packet with a transport-wide sequence number. Nobody is woken for it.
    #[inline]
    pub fn arrival(&mut self, session: u32, ssrc: u32, sequence: u16, at: u64) {
        let arrival = Arrival {
            session,
            ssrc,
            sequence,
            at,
        };
        if self.arrivals.push(arrival).is_err() {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.lost.store(self.lost.load(Relaxed) + 1, Relaxed);
    }

    /// Wakes control, if anything was told.
    #[inline]
    pub fn flush(&mut self) {
        if std::mem::take(&mut self.told) {
            // It fails only where the count is about to overflow: then control has been woken already.
            let _awake = self.wake.write(1);
        }
    }
}

impl Notes {
    /// Takes what was told up to now: arrivals first, then at most `budget` other notes. Gives whether more wait.
    pub fn drain(&mut self, budget: usize, mut each: impl FnMut(Note)) -> bool {
        for _ in 0..ARRIVALS {
            let Ok(arrival) = self.arrivals.pop() else {
                break;
            };
            each(Note::Arrival {
                session: arrival.session,
                ssrc: arrival.ssrc,
                sequence: arrival.sequence,
                at: arrival.at,
            });
        }
        for _ in 0..budget {
            let Ok(note) = self.notes.pop() else {
                return false;
            };
            each(note);
        }
        !self.notes.is_empty()
    }

    /// Notes that found no room since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}
