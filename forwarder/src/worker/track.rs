//! What a worker knows of a track and its legs.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use arrayvec::ArrayVec;

use super::{
    command::{Leg, MAX_PAYLOAD_TYPES, Track},
    counters::{LegCounters, TrackCounters},
    history::{AUDIO_PACKETS, History, Records, VIDEO_PACKETS},
};
use crate::feedback::{Jitter, media_units};
use crate::media::{Codec, Extension, Kind, LegSequence, Parsed, Profile, Template};

/// Nanoseconds after which a silent source makes room for another one of the same track.
const SILENCE: u64 = 1_000_000_000;

/// Nanoseconds between two notes of one kind about a track. No camera makes a hundred keyframes a second, but a publisher could make
/// packets that look like them, and notes of other sessions' peers find no room then.
const NOTES_APART: u64 = 10_000_000;

/// Lets notes of one kind through, at a limited rate.
#[derive(Debug, Default)]
pub struct NoteLimit {
    from: u64,
}

impl NoteLimit {
    /// Whether there may be a note at `now`; then the next may not be soon.
    #[inline]
    pub fn admits(&mut self, now: u64) -> bool {
        let admits = now >= self.from;
        if admits {
            self.from = now.saturating_add(NOTES_APART);
        }
        admits
    }
}

/// A track and its legs.
#[derive(Debug)]
pub struct TrackState {
    /// What was told.
    pub track: Track,
    /// Its subscriptions.
    pub legs: Vec<LegState>,
    /// What was sent lately.
    pub history: History,
    /// Distinct header profiles of the legs.
    profiles: Vec<Profile>,
    /// The header of the packet in hand, for each profile.
    pub templates: Vec<Template>,
    /// Whether what comes goes to nobody.
    pub muted: bool,
    /// How often control is told of its keyframes.
    pub keyframe_notes: NoteLimit,
    /// How often it is told that legs missed one.
    pub missed_notes: NoteLimit,
    /// Whether a leg has missed a keyframe since control was told of one that did.
    pub missed: bool,
    source: Option<Source>,
}

/// The SSRC that is forwarded.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    last_arrival: u64,
    jitter: Jitter,
}

/// A leg.
#[derive(Debug)]
pub struct LegState {
    /// Number of the leg.
    pub leg: u32,
    /// Number of the subscriber's session.
    pub session: u32,
    /// SSRC towards the subscriber.
    pub ssrc: u32,
    payload_types: ArrayVec<(u8, u8), MAX_PAYLOAD_TYPES>,
    /// MID as it is stamped.
    pub mid: ArrayVec<u8, 16>,
    /// Whether its headers carry a transport-wide sequence number.
    pub transport_cc: bool,
    /// Which of the track's templates serves it.
    pub profile: usize,
    /// Added to RTP timestamps.
    pub timestamp_offset: u32,
    /// Which index each packet leaves under.
    pub sequence: LegSequence,
    /// Whether nothing is sent.
    pub paused: bool,
    /// Whether nothing is sent before a keyframe begins: what comes before it could not be decoded.
    pub waits: bool,
    /// Under which numbers packets left.
    pub records: Records,
    /// What is counted.
    pub counters: Arc<LegCounters>,
}

impl LegState {
    /// Lets the time of another source go on where that of the former one was by now.
    fn continue_time(&mut self, now: u64, timestamp: u32, clock_rate: u32) {
        let sent = self.counters.last_sent.load(Relaxed);
        if sent == 0 {
            return;
        }
        let since = media_units(now.saturating_sub(sent), clock_rate);
        let due = self.counters.last_rtp.load(Relaxed).wrapping_add(since);
        self.timestamp_offset = due.wrapping_sub(timestamp);
        self.counters
            .timestamp_offset
            .store(self.timestamp_offset, Relaxed);
    }

    /// The payload type as the subscriber knows it.
    #[inline]
    pub fn payload_type(&self, published: u8) -> Option<u8> {
        let mut known = self.payload_types.iter();
        known
            .find(|(from, _)| *from == published)
            .map(|(_, to)| *to)
    }
}

/// Packets of which history is kept for a kind of media.
const fn kept(kind: Kind) -> usize {
    match kind {
        Kind::Audio => AUDIO_PACKETS,
        Kind::Video => VIDEO_PACKETS,
    }
}

impl TrackState {
    /// A track without legs.
    #[must_use]
    pub fn new(track: Track) -> Self {
        Self {
            history: History::new(kept(track.kind)),
            track,
            legs: Vec::new(),
            profiles: Vec::new(),
            templates: Vec::new(),
            muted: false,
            keyframe_notes: NoteLimit::default(),
            missed_notes: NoteLimit::default(),
            missed: false,
            source: None,
        }
    }

    /// Adds a leg.
    pub fn add(&mut self, leg: Leg) {
        let same = |known: &Profile| known.shares_template(&leg.profile);
        let profile = self.profiles.iter().position(same).unwrap_or_else(|| {
            self.profiles.push(leg.profile.clone());
            // Room for as many templates, so that a packet allocates none.
            self.templates.reserve(self.profiles.len());
            self.profiles.len() - 1
        });
        leg.counters
            .timestamp_offset
            .store(leg.timestamp_offset, Relaxed);
        self.legs.push(LegState {
            leg: leg.leg,
            session: leg.session,
            ssrc: leg.ssrc,
            payload_types: leg.payload_types,
            mid: leg.profile.mid().try_into().unwrap_or_default(),
            transport_cc: leg.profile.ids.id(Extension::TransportCc).is_some(),
            profile,
            timestamp_offset: leg.timestamp_offset,
            sequence: LegSequence::starting_at(leg.first_index),
            paused: leg.paused,
            waits: self.joins_at_keyframes(),
            records: Records::new(kept(self.track.kind)),
            counters: leg.counters,
        });
    }

    /// Removes a leg, and its profile if nobody else has it.
    pub fn remove(&mut self, leg: u32) {
        self.legs.retain(|known| known.leg != leg);
        let mut profile = 0;
        while profile < self.profiles.len() {
            if self.legs.iter().any(|leg| leg.profile == profile) {
                profile += 1;
                continue;
            }
            self.profiles.remove(profile);
            for leg in self.legs.iter_mut().filter(|leg| leg.profile > profile) {
                leg.profile -= 1;
            }
        }
    }

    /// Pauses or resumes a leg. What was missed meanwhile does not look like loss.
    pub fn pause(&mut self, leg: u32, paused: bool) {
        let waits = self.joins_at_keyframes();
        if let Some(leg) = self.legs.iter_mut().find(|known| known.leg == leg) {
            leg.paused = paused;
            leg.waits = waits;
            leg.sequence.splice();
        }
    }

    /// Silences all legs, or no longer. What was missed meanwhile does not look like loss.
    pub fn mute(&mut self, muted: bool) {
        let waits = self.joins_at_keyframes();
        self.muted = muted;
        for leg in &mut self.legs {
            leg.waits = waits;
            leg.sequence.splice();
        }
    }

    /// Adds up how loud the sound is, where its publisher says so (RFC 6464).
    #[inline]
    pub fn hear(&self, parsed: &Parsed, packet: &[u8]) {
        if self.track.kind != Kind::Audio {
            return;
        }
        if let Some(&[level, ..]) = parsed.element(Extension::AudioLevel, packet) {
            let counters = &self.track.counters;
            add(&counters.loudness, 127 - u64::from(level & 0x7f));
            add(&counters.voiced, u64::from(level >> 7));
            add(&counters.levels, 1);
        }
    }

    /// Whether its codecs can only be joined at a keyframe.
    fn joins_at_keyframes(&self) -> bool {
        let mut codecs = self.track.codecs.iter();
        codecs.any(|codec| codec.codec.has_keyframes())
    }

    /// How a payload type of the track is to be read.
    #[inline]
    pub fn codec(&self, payload_type: u8) -> Option<(Codec, u32)> {
        let mut codecs = self.track.codecs.iter();
        let found = codecs.find(|codec| codec.payload_type == payload_type)?;
        Some((found.codec, found.clock_rate))
    }

    /// Makes the headers of a packet, one for every profile.
    #[inline]
    pub fn build_templates(&mut self, parsed: &Parsed, packet: &[u8]) {
        self.templates.clear();
        let templates = self.profiles.iter();
        self.templates
            .extend(templates.map(|profile| Template::build(parsed, packet, profile)));
    }

    /// Whether a packet is of the source that is forwarded; counts it then. A track has one source at a time: a second one, another layer
    /// or a sender that began anew, is let in when the first has fallen silent.
    #[inline]
    pub fn observe(&mut self, parsed: &Parsed, clock_rate: u32, packet: Seen) -> bool {
        let counters = &self.track.counters;
        match &mut self.source {
            Some(source) if source.ssrc == parsed.ssrc => {
                source.last_arrival = packet.at;
            }
            Some(source) if packet.at.saturating_sub(source.last_arrival) < SILENCE => {
                return false;
            }
            other => {
                if other.is_some() {
                    let mut codecs = self.track.codecs.iter();
                    let waits = codecs.any(|codec| codec.codec.has_keyframes());
                    for leg in &mut self.legs {
                        leg.sequence.splice();
                        leg.waits = waits;
                        leg.continue_time(packet.at, parsed.timestamp, clock_rate);
                    }
                    self.history.clear();
                }
                start(counters, packet.index);
                *other = Some(Source {
                    ssrc: parsed.ssrc,
                    last_arrival: packet.at,
                    jitter: Jitter::default(),
                });
                counters.ssrc.store(parsed.ssrc, Relaxed);
            }
        }
        let jitter = self.source.as_mut().map_or(0, |source| {
            source
                .jitter
                .arrived(packet.at, parsed.timestamp, clock_rate)
        });
        add(&counters.packets, 1);
        add(&counters.bytes, packet.bytes as u64);
        add(&counters.received, 1);
        let highest = counters.highest_extended.load(Relaxed);
        counters
            .highest_extended
            .store(highest.max(packet.index), Relaxed);
        counters.jitter.store(jitter, Relaxed);
        counters.last_arrival.store(packet.at, Relaxed);
        counters.last_rtp.store(parsed.timestamp, Relaxed);
        counters.clock_rate.store(clock_rate, Relaxed);
        true
    }
}

/// A packet that was opened.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Its packet index.
    pub index: u64,
    /// When it arrived.
    pub at: u64,
    /// Bytes of UDP payload.
    pub bytes: usize,
}

/// Begins the count of another SSRC.
fn start(counters: &TrackCounters, index: u64) {
    counters.ssrc.store(0, Relaxed);
    counters.received.store(0, Relaxed);
    counters.base.store(index, Relaxed);
    counters.highest_extended.store(index, Relaxed);
    counters.jitter.store(0, Relaxed);
}

/// Adds to a word that has no other writer.
#[inline]
pub fn add(counter: &std::sync::atomic::AtomicU64, number: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed);
}
