//! One m-line that a session sends to us.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use arrayvec::ArrayVec;

use super::{
    codec::CodecSpec,
    extensions::Used,
    ids::{PublicationId, SubscriptionId},
    specs::{EncodingSpec, Mid, PublicationSpec},
};
use crate::{
    feedback::{
        Keyframes, PublisherClock, ReceiverReports, ReportBlock, SenderInfo, SourceCounters,
        StreamClock,
    },
    media::{Codec, Kind},
    worker::{
        command::{MAX_TRACK_SSRCS, Track, TrackCodec},
        counters::TrackCounters,
    },
};

/// A publication of a session.
pub struct Publication {
    pub id: PublicationId,
    /// Its number in the workers' tables.
    pub track: u32,
    pub kind: Kind,
    pub mid: Option<Mid>,
    pub codecs: Box<[CodecSpec]>,
    /// The stream that was announced.
    announced: Option<EncodingSpec>,
    /// The SSRC that it has: announced, or learnt.
    pub ssrc: Option<u32>,
    pub extensions: Used,
    pub counters: Arc<TrackCounters>,
    /// Who is subscribed: number of the session, and the subscription.
    pub subscribers: Vec<(u32, SubscriptionId)>,
    pub keyframes: Keyframes,
    pub keyframe_requests: u64,
    /// Silenced by a moderator.
    pub muted: bool,
    /// How its RTP timestamps lie on the peer's clock, at this rate.
    pub clock: StreamClock,
    clock_rate: u32,
    /// Whether another source has taken over, and no keyframe of it was asked for yet.
    switched: bool,
    /// What is reported to the peer of the present SSRC.
    reports: Option<ReceiverReports>,
    /// How many packets had come when the peer said that the stream ends.
    ended_at: Option<u64>,
}

impl Publication {
    pub fn new(
        id: PublicationId,
        track: u32,
        spec: &PublicationSpec,
        mid: Option<Mid>,
        extensions: Used,
    ) -> Self {
        let announced = spec.encodings.first().copied();
        let ssrc = announced.map(|encoding| encoding.ssrc);
        let clock_rate = spec.codecs.first().map_or(90_000, |codec| codec.clock_rate);
        Self {
            id,
            track,
            kind: spec.kind,
            mid,
            codecs: spec.codecs.as_slice().into(),
            announced,
            ssrc,
            extensions,
            counters: Arc::new(TrackCounters::default()),
            subscribers: Vec::new(),
            // Every sender of video understands PLI; FIR would have to be negotiated (RFC 5104 §7.1), and does no more.
            keyframes: Keyframes::new(false),
            keyframe_requests: 0,
            muted: false,
            clock: StreamClock::new(clock_rate),
            clock_rate,
            switched: false,
            reports: ssrc.map(ReceiverReports::new),
            ended_at: None,
        }
    }

    /// What the worker is told.
    pub fn track(&self, session: u32) -> Track {
        Track {
            track: self.track,
            session,
            kind: self.kind,
            mid: self.mid.clone(),
            ssrcs: self.announced_ssrcs(),
            codecs: self
                .codecs
                .iter()
                .map(|codec| TrackCodec {
                    payload_type: codec.payload_type,
                    codec: Codec::from_name(&codec.name),
                    clock_rate: codec.clock_rate,
                })
                .collect(),
            counters: Arc::clone(&self.counters),
        }
    }

    /// The SSRCs that were announced: of the media, and after them those of retransmissions. What comes with the latter is to be
    /// authenticated and its arrival told, because probes for bandwidth are padding on them; having no codec, it is not forwarded.
    fn announced_ssrcs(&self) -> ArrayVec<u32, MAX_TRACK_SSRCS> {
        let media = self.announced.iter().map(|encoding| encoding.ssrc);
        let repair = self.announced.iter().filter_map(|it| it.rtx_ssrc);
        media.chain(repair).take(MAX_TRACK_SSRCS).collect()
    }

    /// Whether the peer sends with this SSRC for it.
    pub fn has_ssrc(&self, ssrc: u32) -> bool {
        let mut announced = self.announced.iter();
        self.ssrc == Some(ssrc)
            || announced.any(|encoding| encoding.ssrc == ssrc || encoding.rtx_ssrc == Some(ssrc))
    }

    /// The stream turned out to have this SSRC.
    pub fn became(&mut self, ssrc: u32) {
        if self.ssrc != Some(ssrc) {
            self.switched |= self.ssrc.is_some();
            self.ssrc = Some(ssrc);
            self.reports = Some(ReceiverReports::new(ssrc));
            self.clock = StreamClock::new(self.clock_rate);
            self.ended_at = None;
        }
    }

    /// Follows the worker to the stream that it forwards now, which may be another than was announced or learnt.
    pub fn follow(&mut self) {
        let forwarded = self.counters.ssrc.load(Relaxed);
        if forwarded != 0 {
            self.became(forwarded);
        }
    }

    /// Whether another source has taken over since this was asked last.
    pub fn take_switched(&mut self) -> bool {
        std::mem::take(&mut self.switched)
    }

    /// The peer says that the stream ends. It is reported on no longer, unless more comes (RFC 3550 §6.3.4).
    pub fn said_goodbye(&mut self) {
        self.ended_at = Some(self.counters.packets.load(Relaxed));
    }

    /// The peer says how the stream lies on its clock.
    pub fn handle_sender_report(
        &mut self,
        now: u64,
        info: &SenderInfo,
        publisher: &mut PublisherClock,
    ) {
        // The first codec's rate was a guess where an m-line has several.
        let rate = self.counters.clock_rate.load(Relaxed);
        if rate != 0 && rate != self.clock_rate {
            self.clock_rate = rate;
            self.clock = StreamClock::new(rate);
        }
        // Of a stream that has not begun some senders report an RTP time of 0, which says nothing.
        if info.packets > 0 {
            self.clock.handle_report(now, info, publisher);
        }
        if let Some(reports) = &mut self.reports {
            reports.handle_sender_report(now, info.ntp);
        }
    }

    /// What is to be reported to the peer about the stream.
    pub fn report_block(&mut self, now: u64) -> Option<ReportBlock> {
        self.follow();
        let counters = &self.counters;
        if self.ended_at == Some(counters.packets.load(Relaxed)) {
            return None;
        }
        // Until the worker counts the same stream, its counts are another's.
        if self.ssrc != Some(counters.ssrc.load(Relaxed)) {
            return None;
        }
        let source = SourceCounters {
            packets: counters.received.load(Relaxed),
            base: counters.base.load(Relaxed),
            highest_extended: counters.highest_extended.load(Relaxed),
            jitter: counters.jitter.load(Relaxed),
        };
        self.reports.as_mut()?.poll(now, &source)
    }

    /// When a keyframe is to be asked for.
    pub fn keyframe_due(&self) -> Option<u64> {
        self.ssrc.filter(|_| !self.muted)?;
        let due = self.keyframes.poll_timeout();
        (due != u64::MAX).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::codec::CodecSpec;

    fn video() -> Publication {
        let spec = PublicationSpec {
            kind: Kind::Video,
            mid: None,
            codecs: vec![CodecSpec {
                payload_type: 96,
                name: "VP8".to_owned(),
                clock_rate: 90_000,
                channels: None,
                parameters: None,
                rtx_payload_type: Some(97),
            }],
            encodings: vec![EncodingSpec {
                ssrc: 7,
                rtx_ssrc: Some(8),
            }],
            header_extensions: Vec::new(),
        };
        Publication::new(PublicationId(1), 1, &spec, None, Used::default())
    }

    #[test]
    fn retransmissions_are_authenticated_and_not_forwarded() {
        let track = video().track(1);
        assert_eq!(track.ssrcs.as_slice(), [7, 8]);
        let types: Vec<u8> = track
            .codecs
            .iter()
            .map(|codec| codec.payload_type)
            .collect();
        assert_eq!(types, [96]);
    }

    #[test]
    fn it_follows_the_worker_to_another_source() {
        let mut publication = video();
        assert_eq!(publication.ssrc, Some(7));
        assert!(publication.has_ssrc(7) && publication.has_ssrc(8) && !publication.has_ssrc(9));
        // Nothing has come: there is nothing to report.
        assert_eq!(publication.report_block(0), None);
        assert!(!publication.take_switched());
        let counters = Arc::clone(&publication.counters);
        counters.packets.store(3, Relaxed);
        counters.received.store(3, Relaxed);
        counters.base.store(1 << 16, Relaxed);
        counters.highest_extended.store(3 + (1 << 16), Relaxed);
        counters.ssrc.store(9, Relaxed);
        let block = publication.report_block(0).unwrap();
        assert_eq!((block.ssrc, block.cumulative_lost), (9, 1));
        assert_eq!(publication.ssrc, Some(9));
        assert!(publication.take_switched() && !publication.take_switched());
        // After its BYE it is reported on no longer, until more of it comes.
        publication.said_goodbye();
        assert_eq!(publication.report_block(0), None);
        counters.packets.store(4, Relaxed);
        counters.received.store(4, Relaxed);
        assert!(publication.report_block(0).is_some());
    }
}
