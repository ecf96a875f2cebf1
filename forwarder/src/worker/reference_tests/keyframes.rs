//! A keyframe that could not be sent to who waits for one: control is told, and the leg waits for the next.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use arrayvec::ArrayVec;

use super::{
    call::{Call, PUBLISHER, SUITES},
    world::World,
};
use crate::{
    media::{Codec, ExtensionIds, Kind, Profile},
    worker::{
        command::{Command, Leg, Track, TrackCodec},
        counters::LegCounters,
        note::Note,
    },
};

const VIDEO: u32 = 5;
const SSRC: u32 = 0x8765_4321;
/// A payload type that legs map.
const VP8: u8 = 97;
/// One that none does.
const OTHER: u8 = 98;
/// Nanoseconds between two frames.
const FRAME: u64 = 20_000_000;
const KEYFRAME: u8 = 0x50;
const DELTA: u8 = 0x51;

/// The world's publisher with a track of video, and legs of it to sessions of the world.
struct Video {
    world: World,
    next: u64,
    now: u64,
}

impl Video {
    fn new() -> Self {
        let mut world = World::new(Call::of(SUITES[0]));
        let codec = |payload_type| TrackCodec {
            payload_type,
            codec: Codec::Vp8,
            clock_rate: 90_000,
        };
        world.state.obey(Command::AddTrack(Track {
            track: VIDEO,
            session: PUBLISHER,
            kind: Kind::Video,
            mid: None,
            ssrcs: ArrayVec::from_iter([SSRC]),
            codecs: ArrayVec::from_iter([codec(VP8), codec(OTHER)]),
            counters: Arc::default(),
        }));
        Self {
            world,
            next: 100,
            now: 5_000_000_000,
        }
    }

    fn add_leg(&mut self, leg: u32, session: u32) -> Arc<LegCounters> {
        let counters = Arc::<LegCounters>::default();
        self.world.state.obey(Command::AddLeg(Leg {
            leg,
            track: VIDEO,
            session,
            ssrc: 0xabc0_0000 + leg,
            payload_types: ArrayVec::from_iter([(VP8, 120)]),
            profile: Profile {
                ids: ExtensionIds::new(),
                mid: None,
                kind: Kind::Video,
            },
            first_index: 1,
            timestamp_offset: 0,
            paused: false,
            counters: Arc::clone(&counters),
        }));
        counters
    }

    fn put_sender(&mut self, number: usize) {
        let sender = Arc::clone(&self.world.senders[number]);
        let session = sender.session;
        let command = Command::PutSender { session, sender };
        self.world.state.obey(command);
    }

    /// One packet of a frame that begins like this. Gives how many keyframes control is told of, and how many were missed.
    fn publish(&mut self, payload_type: u8, frame: u8) -> (usize, usize) {
        let mut packet = vec![0x80, payload_type];
        packet.extend((self.next as u16).to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(SSRC.to_be_bytes());
        packet.extend([0x10, frame, 0, 0, 0x9d, 0x01, 0x2a, 0, 1, 0, 1]);
        let len = packet.len();
        packet.resize(len + 32, 0);
        let sealed = self.world.publisher.seal(&mut packet, 12, len, self.next);
        packet.truncate(sealed.unwrap());
        self.next += 1;
        let now = self.now;
        self.now += FRAME;
        self.world.state.forward(PUBLISHER, &mut packet, now, now);
        self.world.state.flush();
        let (mut seen, mut missed) = (0, 0);
        self.world.notes.drain(1000, |note| match note {
            Note::Keyframe { track: VIDEO, .. } => seen += 1,
            Note::Missed { track: VIDEO } => missed += 1,
            _ => {}
        });
        (seen, missed)
    }
}

fn counts(leg: &LegCounters) -> (u64, u64) {
    (leg.packets.load(Relaxed), leg.dropped.load(Relaxed))
}

#[test]
fn a_keyframe_that_cannot_be_sent_is_told_and_waited_for_again() {
    let mut video = Video::new();
    video.world.state.obey(Command::DropSender { session: 10 });
    let (without, with) = (video.add_leg(1, 10), video.add_leg(2, 11));
    // What no leg begins with is nothing to miss.
    assert_eq!(video.publish(VP8, DELTA), (0, 0));
    assert_eq!(video.publish(VP8, KEYFRAME), (1, 1));
    assert_eq!((counts(&without), counts(&with)), ((0, 1), (1, 0)));
    assert_eq!(
        [&without, &with].map(|leg| leg.missed.load(Relaxed)),
        [true, false]
    );
    // Until the next keyframe it is sent nothing, although it could be.
    video.put_sender(0);
    assert_eq!(video.publish(VP8, DELTA), (0, 0));
    assert_eq!((counts(&without), counts(&with)), ((0, 1), (2, 0)));
    assert_eq!(video.publish(VP8, KEYFRAME), (1, 0));
    assert_eq!(video.publish(VP8, DELTA), (0, 0));
    assert_eq!((counts(&without), counts(&with)), ((2, 1), (4, 0)));
}

#[test]
fn who_has_begun_misses_nothing_and_asks_for_losses_itself() {
    let mut video = Video::new();
    let leg = video.add_leg(1, 10);
    assert_eq!(video.publish(VP8, KEYFRAME), (1, 0));
    video.world.state.obey(Command::DropSender { session: 10 });
    assert_eq!(video.publish(VP8, KEYFRAME), (1, 0));
    assert_eq!(counts(&leg), (1, 1));
    assert!(!leg.missed.load(Relaxed));
    // One that was paused begins anew.
    for paused in [true, false] {
        let (track, leg) = (VIDEO, 1);
        let command = Command::PauseLeg { track, leg, paused };
        video.world.state.obey(command);
    }
    assert_eq!(video.publish(VP8, KEYFRAME), (1, 1));
    assert!(leg.missed.load(Relaxed));
}

/// Another keyframe in a codec that the subscriber does not take would not help it.
#[test]
fn a_keyframe_of_a_codec_that_nobody_takes_is_not_missed() {
    let mut video = Video::new();
    let leg = video.add_leg(1, 10);
    assert_eq!(video.publish(OTHER, KEYFRAME), (1, 0));
    assert_eq!(counts(&leg), (0, 0));
    assert_eq!(leg.unmapped.load(Relaxed), 1);
    assert_eq!(video.publish(VP8, KEYFRAME), (1, 0));
    assert_eq!(counts(&leg), (1, 0));
}

/// A publisher can make any packet look like a keyframe. What it makes control hear leaves room for the notes about others.
#[test]
fn a_flood_of_keyframes_is_told_of_now_and_then() {
    let mut video = Video::new();
    video.world.state.obey(Command::DropSender { session: 10 });
    let leg = video.add_leg(1, 10);
    let mut told = (0, 0);
    for _ in 0..1000 {
        let (seen, missed) = video.publish(VP8, KEYFRAME);
        told = (told.0 + seen, told.1 + missed);
        video.now -= FRAME - FRAME / 100;
    }
    // In ten frames' time, one note in ten milliseconds.
    assert_eq!(told, (20, 20));
    assert_eq!(counts(&leg), (0, 1000));
    // The last of them is told of with the next packet, whatever it is.
    video.now += FRAME;
    assert_eq!(video.publish(VP8, DELTA), (0, 1));
    video.now += FRAME;
    assert_eq!(video.publish(VP8, DELTA), (0, 0));
}
