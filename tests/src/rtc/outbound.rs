//! What a client publishes: a clip, frame by frame at its rate, over and over; and the ledger of what left when, against which
//! receivers are checked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use str0m::media::{MediaTime, Mid};

use super::clip::Clip;
use super::numbering;

/// A frame that was published.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Which frame of the clip.
    pub index: usize,
    /// When it was captured, as far as RTP and RTCP say: the clip's own clock.
    pub captured: Instant,
    /// When it was handed to the client's WebRTC library.
    pub sent: Instant,
}

/// All frames that were published on a track, shared with those who check them.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<Sent>>>);

impl Ledger {
    /// Reads it; do not hold it for long.
    pub fn read(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many frames were published.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.read().len() as u64
    }

    /// Whether nothing was published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A published track as others may know it.
#[derive(Clone, Debug)]
pub struct Track {
    /// `a=mid` of its m-line at the publisher.
    pub mid: Mid,
    /// Its SSRC.
    pub ssrc: u32,
    /// What is published.
    pub clip: Arc<Clip>,
    /// What left when.
    pub ledger: Ledger,
}

/// A track at its publisher.
#[derive(Debug)]
pub struct Outbound {
    /// The track.
    pub track: Track,
    /// When PLI or FIR asked for a keyframe.
    pub keyframe_requests: Vec<Instant>,
    /// How many of those were FIR.
    pub full_intra_requests: u64,
    payload_type: u8,
    position: usize,
    begun: Option<Instant>,
    flowing: bool,
    /// Added to RTP times: what other sources begin with.
    offset: u64,
}

/// A frame that is due.
#[derive(Debug)]
pub struct Due {
    /// `a=mid`.
    pub mid: Mid,
    /// RTP payload type.
    pub payload_type: u8,
    /// When it was captured.
    pub captured: Instant,
    /// RTP time.
    pub time: MediaTime,
    /// Its bytes.
    pub frame: Arc<[u8]>,
}

impl Outbound {
    /// A track that does not flow yet.
    #[must_use]
    pub fn new(track: Track, payload_type: u8) -> Self {
        Self {
            track,
            keyframe_requests: Vec::new(),
            full_intra_requests: 0,
            payload_type,
            position: 0,
            begun: None,
            flowing: false,
            offset: 0,
        }
    }

    /// Lets frames flow from now on. What would have been published during a pause is left out.
    pub fn start(&mut self, now: Instant) {
        if !self.flowing {
            self.flowing = true;
            let before = self.track.clip.codec.interval() * self.track.ledger.len() as u32;
            self.begun = now.checked_sub(before);
        }
    }

    /// Stops; a start goes on with the next frame.
    pub fn stop(&mut self) {
        self.flowing = false;
    }

    /// Goes on as another source would: under another SSRC, with RTP times that have nothing to do with those before. The clip goes
    /// on where it was, so that whoever begins to receive has to ask for a keyframe.
    pub fn change_source(&mut self, ssrc: u32) {
        self.track.ssrc = ssrc;
        self.offset += FAR;
    }

    /// A receiver wants a keyframe: the next frame is one.
    pub fn restart_clip(&mut self, now: Instant) {
        self.keyframe_requests.push(now);
        self.position = 0;
    }

    /// When the next frame is due.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let begun = self.begun.filter(|_| self.flowing)?;
        Some(begun + self.track.clip.codec.interval() * self.track.ledger.len() as u32)
    }

    /// The next frame, if it is due.
    pub fn take_due(&mut self, now: Instant) -> Option<Due> {
        let captured = self.next().filter(|next| *next <= now)?;
        let clip = &self.track.clip;
        let index = self.position % clip.len();
        self.position = index + 1;
        let mut ledger = self.track.ledger.read();
        let n = ledger.len() as u64;
        ledger.push(Sent {
            index,
            captured,
            sent: now,
        });
        Some(Due {
            mid: self.track.mid,
            payload_type: self.payload_type,
            captured,
            time: MediaTime::new(
                first_time(clip) + self.offset + n * u64::from(clip.codec.ticks()),
                numbering::frequency(clip.codec),
            ),
            frame: Arc::clone(clip.frame(index)),
        })
    }
}

/// How far RTP times of two sources are apart, modulo 2^32: a little less than half of what there is.
const FAR: u64 = 0x7654_3210;

/// RTP time of the first frame: a second of media before the 32 bits of the header wrap, so that every test sees it happen.
fn first_time(clip: &Clip) -> u64 {
    (1 << 32) - u64::from(clip.codec.clock_rate())
}
