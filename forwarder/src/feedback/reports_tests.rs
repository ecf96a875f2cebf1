//! Sender and receiver reports: clocks, counts, losses, round trips, and when they are due.

use proptest::prelude::*;

use super::{
    Jitter, LegProgress, PublisherClock, ReceiverReports, ReferenceTimes, ReportBlock,
    ReportInterval, SenderInfo, SenderReports, SourceCounters, StreamClock, ntp,
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

fn info(ntp: u64, rtp: u32) -> SenderInfo {
    SenderInfo {
        ssrc: 5,
        ntp,
        rtp,
        packets: 0,
        octets: 0,
    }
}

#[test]
fn times_of_rtcp() {
    assert_eq!(ntp::from_nanos(SECOND), 1 << 32);
    assert_eq!(ntp::from_nanos(SECOND / 4), 1 << 30);
    assert_eq!(ntp::middle(0x0123_4567_89ab_cdef), 0x4567_89ab);
    assert_eq!(ntp::short_from_nanos(SECOND / 2), 1 << 15);
    assert_eq!(ntp::short_from_nanos(100_000 * SECOND), u32::MAX);
    assert_eq!(ntp::nanos_from_short(1 << 15), SECOND / 2);
    assert_eq!(ntp::media_units(SECOND, 90_000), 90_000);
    assert_eq!(ntp::media_units(20 * MS, 48_000), 960);
}

#[test]
fn reports_are_spread_and_never_bunched() {
    let mut deadlines = Vec::new();
    for seed in 0..100 {
        let mut interval = ReportInterval::new(1000, seed);
        let first = interval.poll_timeout();
        assert!(first <= 1000 + SECOND / 4 && !interval.handle_timeout(first - 1));
        assert!(interval.handle_timeout(first));
        let mut last = first;
        for _ in 0..50 {
            let next = interval.poll_timeout();
            assert!((SECOND / 2..=SECOND * 3 / 2).contains(&(next - last)));
            assert!(interval.handle_timeout(next));
            last = next;
        }
        deadlines.push(last);
    }
    deadlines.sort_unstable();
    deadlines.dedup();
    assert!(deadlines.len() > 95, "they are alike");
}

/// A publisher whose clocks say at the time `t` of its own what these do.
struct Stream {
    rate: u32,
    rtp_start: u32,
}

impl Stream {
    fn rtp(&self, t: u64) -> u32 {
        self.rtp_start.wrapping_add(ntp::media_units(t, self.rate))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// Sound and picture of a publisher stay where its reports put them, on every leg and whatever the legs' offsets,
    /// however late the publisher's reports came.
    #[test]
    fn sound_and_picture_stay_together(
        ntp_start: u64,
        (audio_rtp, video_rtp, audio_offset, video_offset) in any::<(u32, u32, u32, u32)>(),
        reported in prop::array::uniform2(1_u64..100_000),
        delays in prop::array::uniform2(0_u64..300),
        after in 0_u64..20_000,
    ) {
        let streams = [
            (Stream { rate: 48_000, rtp_start: audio_rtp }, audio_offset),
            (Stream { rate: 90_000, rtp_start: video_rtp }, video_offset),
        ];
        let now = (100_400 + after) * MS;
        let mut publisher = PublisherClock::new();
        for ((stream, offset), (at, delay)) in streams.into_iter().zip(reported.into_iter().zip(delays)) {
            let mut clock = StreamClock::new(stream.rate);
            let ntp_at = |t: u64| ntp_start.wrapping_add(ntp::from_nanos(t));
            let report = info(ntp_at(at * MS) | 1, stream.rtp(at * MS));
            clock.handle_report((at + delay) * MS, &report, &mut publisher);
            let mut reports = SenderReports::new(0, 9);
            let progress = LegProgress {
                packets: 1 << 33 | 5,
                octets: 1 << 40 | 6,
                last_rtp: 1,
                last_sent: now,
                timestamp_offset: offset,
            };
            let said = reports.poll(now, &clock, publisher, &progress).unwrap();
            prop_assert_eq!((said.ssrc, said.packets, said.octets), (9, 5, 6));
            // The publisher's time that our report names, and what its stream's clock said then.
            let t = ntp_to_nanos(said.ntp.wrapping_sub(ntp_start));
            let error = said.rtp.wrapping_sub(offset).wrapping_sub(stream.rtp(t)).cast_signed();
            prop_assert!(error.abs() <= 2, "{} units at {} Hz", error, stream.rate);
        }
    }

    #[test]
    fn times_against_exact_arithmetic(nanos in 0_u64..1 << 61, rate in 1_u32..200_000) {
        let exact = (u128::from(nanos) << 32) / u128::from(SECOND);
        prop_assert_eq!(ntp::from_nanos(nanos), exact as u64);
        let units = u128::from(nanos) * u128::from(rate) / u128::from(SECOND);
        prop_assert_eq!(ntp::media_units(nanos, rate), units as u32);
    }

    /// RFC 3550 A.8, in floating point.
    #[test]
    fn jitter_is_that_of_the_rfc(steps in prop::collection::vec((0_u64..60, 0_u64..40), 1..200), rate in prop::sample::select(&[8000_u32, 48_000, 90_000][..])) {
        let (mut jitter, mut exact, mut last) = (Jitter::default(), 0.0_f64, None::<f64>);
        let (mut sent, mut scaled) = (0_u64, 0);
        for (gap, delay) in steps {
            sent += gap * MS;
            let timestamp = ntp::media_units(sent, rate).wrapping_add(u32::MAX - 500_000);
            let arrival = sent + delay * MS;
            scaled = jitter.arrived(arrival, timestamp, rate);
            let transit = (arrival - sent) as f64 * f64::from(rate) / 1e9;
            if let Some(last) = last {
                exact += ((transit - last).abs() - exact) / 16.0;
            }
            last = Some(transit);
        }
        prop_assert!((f64::from(scaled) / 16.0 - exact).abs() <= 2.0, "{} {}", scaled / 16, exact);
    }

    /// Counts of losses against a naive reading of RFC 3550 §6.4.1, over wraps and in any portions.
    #[test]
    fn losses_are_those_of_the_rfc(base in 0_u64..1 << 20, portions in prop::collection::vec(prop::collection::vec(any::<bool>(), 1..50), 1..20)) {
        let mut reports = ReceiverReports::new(5);
        let (mut counters, mut number, mut lost) = (SourceCounters { base, packets: 1, highest_extended: base, ..Default::default() }, base, 0);
        let _ = reports.poll(0, &counters);
        for portion in portions {
            let mut lost_now = 0_u64;
            for arrived in &portion {
                number += 1;
                if *arrived {
                    counters.packets += 1;
                } else {
                    lost_now += 1;
                }
            }
            lost += lost_now;
            // The last of a portion shows the gap before it.
            counters.highest_extended = number;
            let block = reports.poll(0, &counters).unwrap();
            prop_assert_eq!(u64::from(block.fraction_lost), (lost_now * 256 / portion.len() as u64).min(255));
            prop_assert_eq!(i64::from(block.cumulative_lost), lost.cast_signed());
            prop_assert_eq!(block.highest, number as u32);
        }
    }
}

fn ntp_to_nanos(ntp: u64) -> u64 {
    (u128::from(ntp) * u128::from(SECOND)).div_ceil(1 << 32) as u64
}

#[test]
fn until_a_report_comes_the_last_packet_places_a_stream() {
    let mut publisher = PublisherClock::new();
    let (mut audio, video) = (StreamClock::new(48_000), StreamClock::new(90_000));
    let progress = LegProgress {
        packets: 1,
        octets: 1,
        last_rtp: 1000,
        last_sent: 10 * SECOND,
        timestamp_offset: 77,
    };
    let at = 10 * SECOND + 10 * MS;
    let mut reports = SenderReports::new(0, 1);
    let said = reports.poll(at, &video, publisher, &progress).unwrap();
    assert_eq!((said.ntp, said.rtp), (ntp::from_nanos(at), 1900));
    // The publisher's clock is known from its other stream before this one's report.
    audio.handle_report(at, &info(1 << 60, 5), &mut publisher);
    let mut reports = SenderReports::new(0, 1);
    let said = reports.poll(at, &video, publisher, &progress).unwrap();
    assert_eq!((said.ntp, said.rtp), (1 << 60, 1900));
    // A sender without a clock says 0, which is no time.
    let mut silent = StreamClock::new(48_000);
    silent.handle_report(at, &info(0, 5), &mut publisher);
    assert_eq!(publisher.ntp_at(at), 1 << 60);
}

#[test]
fn only_senders_report() {
    let (mut publisher, mut clock) = (PublisherClock::new(), StreamClock::new(48_000));
    clock.handle_report(0, &info(1 << 60, 1), &mut publisher);
    let mut reports = SenderReports::new(0, 1);
    let due = reports.poll_timeout();
    assert_eq!(
        reports.poll(due, &clock, publisher, &LegProgress::default()),
        None
    );
    assert!(reports.poll_timeout() > due);
    let old = LegProgress {
        packets: 3,
        ..LegProgress::default()
    };
    assert_eq!(reports.poll(11 * SECOND, &clock, publisher, &old), None);
}

/// Reports begin with the publisher's own, at once; where it never reports, ours do.
#[test]
fn legs_wait_for_the_clock_of_their_publisher() {
    let sending = |last_sent| LegProgress {
        packets: 3,
        last_sent,
        ..LegProgress::default()
    };
    let (mut publisher, mut clock) = (PublisherClock::new(), StreamClock::new(48_000));
    let mut reports = SenderReports::new(0, 1);
    for now in (0..5 * SECOND).step_by(250 * MS as usize) {
        assert_eq!(reports.poll(now, &clock, publisher, &sending(now)), None);
    }
    let without = reports.poll(5 * SECOND, &clock, publisher, &sending(5 * SECOND));
    assert_eq!(without.map(|info| info.ntp), Some(5 << 32));
    let at = 5 * SECOND + MS;
    clock.handle_report(at, &info(1 << 60, 1), &mut publisher);
    let told = reports.poll(at, &clock, publisher, &sending(at));
    assert_eq!(told.map(|info| info.ntp), Some(1 << 60));
    assert_eq!(reports.poll(at, &clock, publisher, &sending(at)), None);
}

#[test]
fn round_trip_of_a_leg() {
    let (mut publisher, mut clock) = (PublisherClock::new(), StreamClock::new(48_000));
    // The publisher's clock is nothing like ours.
    clock.handle_report(0, &info(0xdead_beef_0123_4567, 1), &mut publisher);
    let mut reports = SenderReports::new(0, 1);
    let mut sent = Vec::new();
    for _ in 0..10 {
        let now = reports.poll_timeout();
        let progress = LegProgress {
            packets: 1,
            last_sent: now,
            ..LegProgress::default()
        };
        let said = reports.poll(now, &clock, publisher, &progress).unwrap();
        sent.push((ntp::middle(said.ntp), now));
    }
    let block = |last_report, ssrc| ReportBlock {
        ssrc,
        last_report,
        delay: ntp::short_from_nanos(500 * MS),
        ..ReportBlock::default()
    };
    for &(middle, at) in &sent[2..] {
        let found = reports
            .handle_block(at + 580 * MS, &block(middle, 1))
            .unwrap();
        assert!(found.abs_diff(80 * MS) < MS / 10, "{found}");
        assert_eq!(reports.round_trip(), Some(found));
    }
    let (first, last) = (sent[0], sent[9]);
    // Forgotten; of another stream; of no report; a delay longer than the time since.
    assert_eq!(
        reports.handle_block(first.1 + SECOND, &block(first.0, 1)),
        None
    );
    assert_eq!(
        reports.handle_block(last.1 + SECOND, &block(last.0, 2)),
        None
    );
    assert_eq!(reports.handle_block(last.1 + SECOND, &block(0, 1)), None);
    assert_eq!(
        reports.handle_block(last.1 + MS, &block(last.0, 1)),
        Some(0)
    );
}

#[test]
fn receiver_reports_by_hand() {
    let mut reports = ReceiverReports::new(5);
    assert_eq!(reports.poll(0, &SourceCounters::default()), None);
    let mut counters = SourceCounters {
        packets: 8,
        base: 65_530,
        highest_extended: 65_539,
        jitter: 160,
    };
    let first = reports.poll(SECOND, &counters).unwrap();
    assert_eq!(
        first,
        ReportBlock {
            ssrc: 5,
            fraction_lost: 51,
            cumulative_lost: 2,
            highest: 65_539,
            jitter: 10,
            last_report: 0,
            delay: 0,
        }
    );
    // Nothing since; then more than was expected, since packets came twice.
    assert_eq!(reports.poll(SECOND, &counters).unwrap().fraction_lost, 0);
    (counters.packets, counters.highest_extended) = (20, 65_540);
    reports.handle_sender_report(SECOND, 0x0000_1234_5678_0000);
    let block = reports.poll(2 * SECOND, &counters).unwrap();
    assert_eq!((block.fraction_lost, block.cumulative_lost), (0, -9));
    assert_eq!((block.last_report, block.delay), (0x1234_5678, 65_536));
    // All lost, and more than 24 bits of it.
    counters.highest_extended = 1 << 40;
    let block = reports.poll(2 * SECOND, &counters).unwrap();
    assert_eq!(
        (block.fraction_lost, block.cumulative_lost),
        (255, 0x7f_ffff)
    );
}

#[test]
fn reference_times_are_answered_once() {
    let mut times = ReferenceTimes::default();
    times.handle_reference(SECOND, 1, 0x1111_2222_3333_4444);
    times.handle_reference(SECOND, 2, 0);
    times.handle_reference(2 * SECOND, 1, 0x1111_2223_3333_4444);
    let delays = times.take_delays(3 * SECOND);
    assert_eq!(delays.len(), 2);
    assert_eq!((delays[0].ssrc, delays[0].delay), (2, 2 << 16));
    assert_eq!((delays[1].ssrc, delays[1].delay), (1, 1 << 16));
    assert_eq!(delays[1].last_reference, 0x2223_3333);
    assert!(times.take_delays(3 * SECOND).is_empty());
    for ssrc in 0..1000 {
        times.handle_reference(SECOND, ssrc, 0);
    }
    let left: Vec<_> = times
        .take_delays(SECOND)
        .iter()
        .map(|delay| delay.ssrc)
        .collect();
    assert_eq!(left, (992..1000).collect::<Vec<_>>());
}
