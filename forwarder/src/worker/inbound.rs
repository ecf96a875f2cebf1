//! What arrives from one session's peer: opened once, and assigned to a track.

use std::sync::atomic::Ordering::Relaxed;

use forwarder_common::{reason::Reason, tables::Steer};

use super::{
    command::{Receiver, Track},
    receive_state::{MAX_STREAMS, SessionReceiveState},
    track::add,
};
use crate::{
    media::{Extension, Kind, Parsed, parse},
    srtp::{OpenError, ReceiveStream, ReceiveStreams},
};

/// The receiving side of a session.
#[derive(Debug)]
pub struct Inbound {
    receiver: Receiver,
    streams: ReceiveStreams<StreamOf>,
    /// `None` if there is no room for the session's number, which control does not give out then.
    received: Option<SessionReceiveState>,
    tracks: Vec<Claim>,
    /// Its payload types that carry audio.
    audio: Steer,
}

/// Whose a stream is. A stream that is nobody's, or nobody's any more, is known nevertheless: under the same keys its index goes on,
/// and what was seen of it stays seen (RFC 3711 §3.3).
#[derive(Clone, Copy, Debug)]
struct StreamOf {
    track: Option<u32>,
    /// Its number among the streams of the session, in the order of their coming.
    place: usize,
    /// Newest authentic index.
    highest: u64,
}

/// By what a track knows its streams.
#[derive(Debug)]
struct Claim {
    track: u32,
    kind: Kind,
    ssrcs: Vec<u32>,
    mid: Vec<u8>,
    payload_types: Vec<u8>,
}

/// A packet that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Number of its track, if it has one.
    pub track: Option<u32>,
    /// Its header, with the payload's extent.
    pub parsed: Parsed,
    /// Bytes of the plain packet.
    pub len: usize,
    /// Its packet index.
    pub index: u64,
    /// Its transport-wide sequence number, if those are to be told.
    pub transport_sequence: Option<u16>,
    /// Whether its SSRC was not known before.
    pub learnt: bool,
}

/// SSRCs that a track has at least: of media, and of retransmissions.
const SSRCS_OF_TRACK: usize = 2;

impl Inbound {
    /// With these keys, under which has arrived what `received` says: nothing, or what another process took.
    #[must_use]
    pub fn new(receiver: Receiver, received: Option<SessionReceiveState>) -> Self {
        let mut streams = ReceiveStreams::new(MAX_STREAMS);
        let known = received.iter().flat_map(SessionReceiveState::streams);
        for (place, (ssrc, highest)) in known.enumerate() {
            let stream = StreamOf {
                track: None,
                place,
                highest,
            };
            streams.insert(ssrc, ReceiveStream::resuming_at(highest), stream);
        }
        Self {
            receiver,
            streams,
            received,
            tracks: Vec::new(),
            audio: Steer::default(),
        }
    }

    /// Whether a payload type carries audio.
    #[must_use]
    pub fn is_audio(&self, payload_type: u8) -> bool {
        self.audio.is_audio(payload_type)
    }

    /// Changes what was negotiated.
    pub fn negotiate(&mut self, ids: crate::media::ExtensionIds, transport_cc: bool) {
        self.receiver.ids = ids;
        self.receiver.transport_cc = transport_cc;
    }

    /// A track to assign packets to. Room for its SSRCs is made here, announced or not, so that their first packets allocate nothing.
    pub fn add_track(&mut self, track: &Track) {
        self.tracks.push(Claim {
            track: track.track,
            kind: track.kind,
            ssrcs: track.ssrcs.to_vec(),
            mid: track.mid.as_deref().unwrap_or_default().to_vec(),
            payload_types: track
                .codecs
                .iter()
                .map(|codec| codec.payload_type)
                .collect(),
        });
        let ssrcs = |claim: &Claim| claim.ssrcs.len().max(SSRCS_OF_TRACK);
        self.streams.reserve(self.tracks.iter().map(ssrcs).sum());
        self.find_audio();
    }

    /// A track that takes no packets any more.
    pub fn remove_track(&mut self, track: u32) {
        self.tracks.retain(|claim| claim.track != track);
        self.streams.for_each_value(|stream| {
            if stream.track == Some(track) {
                stream.track = None;
            }
        });
        self.find_audio();
    }

    /// Which payload types are audio, by the tracks that there are: a number may come again for video.
    fn find_audio(&mut self) {
        let audio = self.tracks.iter().filter(|it| it.kind == Kind::Audio);
        let types = audio.flat_map(|claim| claim.payload_types.iter().copied());
        self.audio = types.fold(Steer::default(), Steer::with_audio);
    }

    /// Opens an SRTP packet in place.
    ///
    /// # Errors
    /// Why it goes no further; it is counted for the session.
    #[inline]
    pub fn open(&mut self, packet: &mut [u8], at: u64) -> Result<Opened, Reason> {
        let counters = &self.receiver.counters;
        let bytes = packet.len() as u64;
        let mut parsed = parse(packet, &self.receiver.ids).ok_or(Reason::Malformed)?;
        let keys = &self.receiver.keys;
        let place = self.streams.len();
        let opened = self.streams.open(keys, packet, parsed.header_len, |_| {
            Some(StreamOf {
                track: None,
                place,
                highest: 0,
            })
        });
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let (reason, counter) = match error {
                    OpenError::Replayed | OpenError::TooOld => {
                        (Reason::Replayed, Some(&counters.replayed))
                    }
                    OpenError::Unauthentic => (Reason::Unauthentic, Some(&counters.unauthentic)),
                    OpenError::Unwanted | OpenError::TooManyStreams => {
                        (Reason::UnknownSsrc, Some(&counters.unknown))
                    }
                    _ => (Reason::Malformed, None),
                };
                if let Some(counter) = counter {
                    add(counter, 1);
                }
                return Err(reason);
            }
        };
        add(&counters.packets, 1);
        add(&counters.bytes, bytes);
        counters.last_arrival.store(at, Relaxed);
        let (len, index, stream) = (opened.len, opened.index, opened.value);
        if index >= stream.highest {
            stream.highest = index;
            if let Some(received) = &self.received {
                received.store(stream.place, parsed.ssrc, index);
            }
        }
        let plain = packet.get(..len).ok_or(Reason::Malformed)?;
        parsed.unpad(plain).ok_or(Reason::Malformed)?;
        let mut learnt = false;
        if stream.track.is_none() {
            match claimed_by(&self.tracks, &parsed, plain) {
                Some((track, by_ssrc)) => {
                    stream.track = Some(track);
                    learnt = !by_ssrc;
                }
                None => add(&counters.unknown, 1),
            }
        }
        let track = stream.track;
        let transport_sequence = if self.receiver.transport_cc {
            parsed.transport_sequence(plain)
        } else {
            None
        };
        Ok(Opened {
            track,
            parsed,
            len,
            index,
            transport_sequence,
            learnt,
        })
    }
}

/// The track of a stream: by SSRC, else by MID, else by a payload type that only one track has (RFC 8843 §9.2). And whether by SSRC.
fn claimed_by(tracks: &[Claim], parsed: &Parsed, packet: &[u8]) -> Option<(u32, bool)> {
    let by_ssrc = tracks
        .iter()
        .find(|claim| claim.ssrcs.contains(&parsed.ssrc));
    if let Some(claim) = by_ssrc {
        return Some((claim.track, true));
    }
    if let Some(mid) = parsed.element(Extension::Mid, packet) {
        let claim = tracks.iter().find(|claim| claim.mid == mid)?;
        return Some((claim.track, false));
    }
    let mut takers = tracks.iter().filter(|claim| {
        claim.ssrcs.is_empty() && claim.payload_types.contains(&parsed.payload_type)
    });
    let claim = takers.next()?;
    takers.next().is_none().then_some((claim.track, false))
}
