//! Streams in any order, across every wrap, against the plainest models.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    MAX_INDEX, OpenError, ReceiveKeys, ReceiveStream, ReceiveStreams, ReplayWindow, SendKeys,
    SrtcpReceiver, SrtcpSender, Suite,
    test_packets::{master, packet, rtcp},
};

/// The appendix of RFC 3711 §3.3.1, letter by letter, where its result is not below zero.
fn guess_by_the_rfc(highest: u64, sequence: u16) -> Option<u64> {
    let (roc, newest, sequence) = (
        (highest >> 16) as i64,
        (highest & 0xffff) as i64,
        i64::from(sequence),
    );
    let v = if newest < 32768 {
        if sequence - newest > 32768 {
            roc - 1
        } else {
            roc
        }
    } else if newest - 32768 > sequence {
        roc + 1
    } else {
        roc
    };
    (v >= 0).then_some((v as u64) << 16 | sequence as u64)
}

fn suites() -> impl Strategy<Value = Suite> {
    prop::sample::select(&Suite::ALL[..])
}

/// Starts at which something wraps soon.
fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..200_u64,
        0xff00..0x1_0100_u64,
        0x7_ff00..0x8_0100_u64,
        (MAX_INDEX - 5000)..(MAX_INDEX - 4000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn guesses_are_those_of_the_rfc(highest in prop_oneof![0..0x3_0000_u64, 0..MAX_INDEX], sequence: u16) {
        let stream = ReceiveStream::resuming_at(highest);
        if let Some(index) = guess_by_the_rfc(highest, sequence) {
            prop_assert_eq!(stream.guess(sequence), index);
        } else {
            prop_assert_eq!(stream.guess(sequence), u64::from(sequence));
        }
    }

    /// What is within 2^15 of the newest is found.
    #[test]
    fn near_indices_are_found(highest in 0x8000..MAX_INDEX - 0x8000, step in -0x7fff..0x8000_i64) {
        let index = highest.saturating_add_signed(step);
        prop_assert_eq!(ReceiveStream::resuming_at(highest).guess(index as u16), index);
    }

    /// A set of all that was seen says the same as the window, as far as that reaches.
    #[test]
    fn windows_are_sets(start in starts(), steps in prop::collection::vec((-1200_i64..1200, 0..3_u8), 1..400)) {
        let mut window = ReplayWindow::<16>::new();
        let mut seen = BTreeSet::new();
        let mut at = start + 2000;
        for (step, times) in steps {
            at = at.saturating_add_signed(if times == 2 { step * 9 } else { step });
            let newest = seen.last().copied();
            let expected = match newest {
                Some(newest) if at + 960 <= newest => Err(OpenError::TooOld),
                _ if seen.contains(&at) => Err(OpenError::Replayed),
                _ => Ok(()),
            };
            prop_assert_eq!(window.check(at), expected, "{} after {:?}", at, newest);
            if expected.is_ok() {
                window.accept(at);
                seen.insert(at);
            }
            prop_assert_eq!(window.newest(), seen.last().copied());
        }
    }

    /// A stream through a network that loses, repeats and disorders: each packet comes out once, as it was.
    #[test]
    fn streams_survive_the_network(
        suite in suites(),
        start in starts(),
        order in prop::collection::vec((0..300_u64, prop::bool::ANY), 1..120),
        sources in 0..16_u8,
        extension in prop::option::of(0..5_u16),
    ) {
        let (send, receive) = (SendKeys::new(&master(suite, 3)), ReceiveKeys::new(&master(suite, 3)));
        let mut streams = ReceiveStreams::new(2);
        prop_assert!(streams.insert(5, ReceiveStream::resuming_at(start), 0_u32));
        let mut opened = BTreeSet::new();
        for (offset, jump) in order {
            let index = start + 1 + offset + if jump { 400 } else { 0 };
            let payload = index.to_be_bytes().repeat(offset as usize % 40);
            let (plain, header_len) = packet(5, index as u16, sources, extension, &payload);
            let mut bytes = plain.clone();
            bytes.resize(plain.len() + suite.tag_len(), 0);
            prop_assert_eq!(send.seal(&mut bytes, header_len, plain.len(), index), Ok(bytes.len()));
            prop_assert_eq!(&bytes[..header_len], &plain[..header_len]);
            let result = streams.open(&receive, &mut bytes, header_len, |_| None).map(|opened| (opened.len, opened.index));
            if opened.insert(index) {
                prop_assert_eq!(result, Ok((plain.len(), index)));
                prop_assert_eq!(&bytes[..plain.len()], &plain[..]);
            } else {
                prop_assert_eq!(result, Err(OpenError::Replayed));
            }
        }
    }

    /// A payload from elsewhere is sealed as one that is there.
    #[test]
    fn a_payload_is_sealed_on_its_way(
        suite in suites(),
        sources in 0..16_u8,
        extension in prop::option::of(0..5_u16),
        payload in prop::collection::vec(any::<u8>(), 0..1300),
        index in 0..=MAX_INDEX,
    ) {
        let keys = SendKeys::new(&master(suite, 3));
        let (plain, header_len) = packet(5, index as u16, sources, extension, &payload);
        let mut there = plain.clone();
        there.resize(plain.len() + suite.tag_len(), 0);
        keys.seal(&mut there, header_len, plain.len(), index).unwrap();
        let mut moved = vec![0xaa; there.len()];
        moved[..header_len].copy_from_slice(&plain[..header_len]);
        let sealed = keys.seal_payload(&mut moved, header_len, &payload, index).unwrap();
        prop_assert_eq!(&moved, &there);
        prop_assert_eq!(sealed, there.len());
    }

    /// Any bytes with any header length are refused, and leave nothing behind.
    #[test]
    fn hostile_bytes_are_refused(suite in suites(), bytes in prop::collection::vec(any::<u8>(), 0..200), header_len in 0..220_usize, index in 0..=u64::MAX) {
        let keys = ReceiveKeys::new(&master(suite, 1));
        prop_assert!(keys.open(&mut bytes.clone(), header_len, index).is_err());
        let mut streams = ReceiveStreams::<()>::new(8);
        prop_assert!(streams.open(&keys, &mut bytes.clone(), header_len, |_| Some(())).is_err());
        prop_assert!(streams.is_empty());
        let mut receiver = SrtcpReceiver::new(&master(suite, 1));
        prop_assert!(receiver.unprotect(&mut bytes.clone()).is_err());
        prop_assert_eq!(receiver.newest().count(), 0);
        let mut buffer = bytes;
        let _ = SendKeys::new(&master(suite, 1)).seal(&mut buffer, header_len, header_len, index);
    }

    #[test]
    fn srtcp_comes_back(suite in suites(), start in 0..0x7fff_f000_u32, senders in prop::collection::vec((0..4_u32, 0..60_u8), 1..40)) {
        let mut sender = SrtcpSender::new(&master(suite, 9));
        sender.continue_at(start);
        let mut receiver = SrtcpReceiver::new(&master(suite, 9));
        let mut packets = Vec::new();
        for (ssrc, words) in senders {
            let plain = rtcp(ssrc, words);
            let mut out = Vec::new();
            sender.protect(&plain, &mut out).unwrap();
            packets.push((plain, out));
        }
        prop_assert_eq!(sender.next_index() as usize, start as usize + packets.len());
        // Backwards, since the window reaches that far.
        for (plain, sealed) in packets.iter().rev() {
            let mut bytes = sealed.clone();
            prop_assert_eq!(receiver.unprotect(&mut bytes), Ok(plain.len()));
            prop_assert_eq!(&bytes[..plain.len()], &plain[..]);
            prop_assert_eq!(receiver.unprotect(&mut sealed.clone()), Err(OpenError::Replayed));
        }
    }
}

/// Sequence numbers wrap, the rollover counter counts, and with it the whole 48 bits end.
#[test]
fn a_stream_goes_on_over_every_wrap() {
    for suite in Suite::ALL {
        let (send, receive) = (
            SendKeys::new(&master(suite, 1)),
            ReceiveKeys::new(&master(suite, 1)),
        );
        for start in [0xfff0_u64, 0xffff_fff0, MAX_INDEX - 40] {
            let mut streams = ReceiveStreams::new(1);
            assert!(streams.insert(1, ReceiveStream::resuming_at(start), ()));
            for index in start + 1..=(start + 40).min(MAX_INDEX) {
                let (mut bytes, header_len) = packet(1, index as u16, 0, None, &[3; 30]);
                let len = bytes.len();
                bytes.resize(len + suite.tag_len(), 0);
                send.seal(&mut bytes, header_len, len, index).unwrap();
                let opened = streams
                    .open(&receive, &mut bytes, header_len, |_| None)
                    .unwrap();
                assert_eq!((opened.len, opened.index), (len, index), "{suite}");
            }
        }
        let past = ReceiveStream::resuming_at(MAX_INDEX).guess(0);
        assert!(past > MAX_INDEX);
        let (mut bytes, header_len) = packet(1, 0, 0, None, &[3; 30]);
        assert_eq!(
            receive.open(&mut bytes, header_len, past),
            Err(OpenError::Unauthentic)
        );
    }
}

/// An SSRC takes a place only with an authentic packet that is wanted.
#[test]
fn tables_are_bounded_and_only_authentic_packets_enter() {
    let suite = Suite::AeadAes128Gcm;
    let (send, receive) = (
        SendKeys::new(&master(suite, 1)),
        ReceiveKeys::new(&master(suite, 1)),
    );
    let foreign = SendKeys::new(&master(suite, 2));
    let mut streams = ReceiveStreams::new(3);
    let mut open = |keys: &SendKeys, ssrc: u32, sequence: u16, value: Option<u32>| {
        let (mut bytes, header_len) = packet(ssrc, sequence, 0, None, &[1; 20]);
        let len = bytes.len();
        bytes.resize(len + suite.tag_len(), 0);
        keys.seal(&mut bytes, header_len, len, sequence.into())
            .unwrap();
        let result = streams.open(&receive, &mut bytes, header_len, |plain| {
            assert_eq!(plain.len(), len, "admission sees the plain packet");
            value
        });
        (result.map(|opened| *opened.value), streams.len())
    };
    assert_eq!(
        open(&foreign, 1, 1, Some(1)),
        (Err(OpenError::Unauthentic), 0)
    );
    assert_eq!(open(&send, 1, 1, None), (Err(OpenError::Unwanted), 0));
    for ssrc in 1..4 {
        assert_eq!(
            open(&send, ssrc, 40_000, Some(ssrc)),
            (Ok(ssrc), ssrc as usize)
        );
        assert_eq!(
            open(&send, ssrc, 40_000, None),
            (Err(OpenError::Replayed), ssrc as usize)
        );
        assert_eq!(open(&send, ssrc, 39_999, None), (Ok(ssrc), ssrc as usize));
        assert_eq!(
            open(&foreign, ssrc, 40_001, None),
            (Err(OpenError::Unauthentic), ssrc as usize)
        );
        assert_eq!(open(&send, ssrc, 40_001, None), (Ok(ssrc), ssrc as usize));
        assert_eq!(
            open(&send, ssrc, 39_041, None),
            (Err(OpenError::TooOld), ssrc as usize)
        );
        assert_eq!(open(&send, ssrc, 39_042, None), (Ok(ssrc), ssrc as usize));
    }
    assert_eq!(
        open(&send, 4, 1, Some(4)),
        (Err(OpenError::TooManyStreams), 3)
    );
    streams.for_each_value(|value| *value *= 10);
    let known: Vec<_> = streams
        .iter()
        .map(|(ssrc, stream, value)| (ssrc, stream.highest(), *value))
        .collect();
    assert_eq!(known, [(1, 40_001, 10), (2, 40_001, 20), (3, 40_001, 30)]);
}
