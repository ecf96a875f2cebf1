//! Whatever arrives, the worker counts it and goes on.

use forwarder_common::{classify::classify, reason::Reason};
use proptest::{
    collection::vec,
    prelude::{any, prop},
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::rig::{Rig, V4, listen, nothing_more, rtp, take};

#[test]
fn strangers_and_unknown_streams_are_counted_and_dropped() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 7);
    let listener = listen(V4);
    let leg = rig.leg(listener.local_addr().unwrap(), None);
    rig.subscribe(&mut stream, &leg);

    let stranger = listen(V4);
    stranger.send_to(&rtp(7, 96, 0, 0, 50), stream.to).unwrap();
    rig.wait(Reason::UnknownStream, 1);
    stream.send(&rtp(8, 96, 0, 0, 50));
    rig.wait(Reason::UnknownStream, 2);
    for (packet, reason) in [
        (&[0u8, 1, 0, 0][..], Reason::Stun),
        (&[22, 254, 253, 0], Reason::Dtls),
        (&[0x80, 200, 0, 1, 0, 0, 0, 7], Reason::Rtcp),
        (&[0x80], Reason::NotMedia),
        (&[], Reason::NotMedia),
        (&[0x80, 72, 0, 0], Reason::RefusedPayloadType),
        (&[0x80, 96, 0, 0], Reason::Malformed),
    ] {
        let before = rig.count(reason);
        stream.send(packet);
        rig.wait(reason, before + 1);
    }
    let packet = stream.send_rtp(1, 50);
    assert_eq!(take(&listener).0, packet);
    nothing_more(&listener);
}

#[test]
fn random_datagrams_are_each_counted_once() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 0x0101_0101);
    let listener = listen(V4);
    let leg = rig.leg(listener.local_addr().unwrap(), None);
    rig.subscribe(&mut stream, &leg);

    // Half of them start like RTP of the stream, so that what follows is looked at.
    let bytes = prop::bool::ANY.prop_flat_map(|like_rtp| {
        vec(any::<u8>(), 0..1500).prop_map(move |mut bytes| {
            if like_rtp && bytes.len() >= 12 {
                bytes[0] = 0x80 | bytes[0] & 0x3f;
                bytes[1] = 96;
                bytes[8..12].fill(1);
            }
            bytes
        })
    });
    let mut runner = TestRunner::deterministic();
    let mut forwarded = 0;
    for n in 1..=3000 {
        let packet = bytes.new_tree(&mut runner).unwrap().current();
        stream.send(&packet);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        // Every datagram is judged once: `Sent` comes on top of `Taken`.
        while rig.counts().iter().map(|(_, count)| count).sum::<u64>()
            < n + rig.count(Reason::Taken)
        {
            assert!(std::time::Instant::now() < until, "{:?}", rig.counts());
            std::thread::yield_now();
        }
        if rig.count(Reason::Taken) > forwarded {
            forwarded += 1;
            assert!(classify(packet[0], packet[1]).is_ok());
            assert_eq!(take(&listener).0, packet);
        }
    }
    assert!(forwarded > 500, "{forwarded}");
    nothing_more(&listener);
}
