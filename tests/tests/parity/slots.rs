//! Bells and slots: what egress makes of a slot is what the host makes of the same payload and hop, and of a slot that is not what the bell
//! was rung for nothing leaves.

use forwarder::core::ops::{TableOp, Tables as _};
use forwarder::dataplane::kernel::slot_memory::Filled;
use forwarder_common::{
    checksum::Sum,
    egress::replicate,
    hop::Shape,
    packet::Buffer,
    reason::Reason,
    slots::{BELL_LEN, BELL_SLOTS, Bell, RING_BYTES, RING_SHARED, RING_VIDEO, SLOTS},
    tables::{Hop, Member, PairKey, Steer},
    ticket::{BELL, Ticket},
    wire::rtp,
};
use forwarder_tests::{cases::rtp as packet, needs_root};

use crate::{
    bench::Bench,
    host::{XDP_DROP, XDP_PASS, XDP_REDIRECT},
};

const DEVICE: u32 = 1;

/// The payload of a slot: of many lengths, short ones too.
fn payload(sequence: u32) -> Vec<u8> {
    packet(
        sequence,
        sequence as u16,
        7,
        12 + (sequence % 1400) as usize,
    )
}

fn fill(bench: &mut Bench, sequence: u32, member: Member) {
    let bytes = payload(sequence);
    let filled = bench.rig.slots.fill(sequence, |room| {
        room[..bytes.len()].copy_from_slice(&bytes);
        Some(Filled {
            member,
            len: bytes.len() as u16,
            sum: Sum::default().bytes(&bytes[rtp::LEN..]).fold(),
        })
    });
    assert!(filled);
}

/// The members of the mixed stream: hops of all shapes, 1 to 32, and those that must not be sent to.
fn member(number: u32) -> Member {
    Member {
        hop: 1 + number % 37,
        generation: 1001 + number % 37,
    }
}

fn hop(bench: &Bench, member: Member) -> Option<Hop> {
    bench.rig.tables.shared().memory.hop(member.hop)
}

/// What the host makes of a slot.
fn expected(bench: &Bench, sequence: u32, member: Member, now: u64) -> Result<Vec<u8>, Reason> {
    let hop = hop(bench, member).ok_or(Reason::StaleHop)?;
    let shared = bench.rig.tables.shared();
    forwarder_common::egress::admit(&hop, member.generation, shared.memory.lease(hop.lease), now)?;
    let bytes = payload(sequence);
    let header_len = Shape::from_number(hop.shape).header_len();
    let mut frame = vec![0; header_len + bytes.len()];
    frame[header_len..].copy_from_slice(&bytes);
    let ticket = Ticket {
        tag: 0,
        chunk: 0,
        mask: 0,
        now,
        payload_len: bytes.len() as u16,
        sum: Sum::default().bytes(&bytes[rtp::LEN..]).fold(),
        header_len: header_len as u8,
        state: 0,
        round: 0,
        load: 0,
    };
    replicate(&mut Buffer::new(&mut frame, 0).unwrap(), &hop, &ticket)?;
    Ok(frame)
}

fn ring(bench: &mut Bench, first: u32, count: u32) -> (Vec<u8>, Ticket) {
    let bell = Bell {
        worker: 0,
        first,
        count,
        device: DEVICE,
    };
    let output = bench.rig.run("bell", &bell.frame());
    // Cursors know the tags that were used.
    bench.host.pacer = bench.rig.pacer();
    assert_eq!(
        (output.action, output.frame.len()),
        (XDP_REDIRECT, BELL_LEN)
    );
    let ticket = Ticket::read(output.frame.as_slice()).unwrap();
    assert_eq!((ticket.state, ticket.chunk), (BELL, 0));
    assert_eq!(ticket.mask, bell.mask());
    (output.frame, ticket)
}

#[test]
fn every_slot_comes_out_as_the_host_makes_it() {
    needs_root!();
    let mut bench = Bench::take();
    let mut sent = 0;
    let starts = [SLOTS, 2 * SLOTS - 20, u32::MAX - 30];
    for (first, count) in starts
        .into_iter()
        .flat_map(|first| [1, 16, 17, 32, 48, BELL_SLOTS].map(|count| (first, count)))
    {
        let sequences = (0..count).map(|place| first.wrapping_add(place));
        for sequence in sequences.clone() {
            fill(&mut bench, sequence, member(sequence));
        }
        let (clone, ticket) = ring(&mut bench, first, count);
        for _ in 0..Bell::spare(count) {
            let before = bench.reasons();
            assert_eq!(bench.rig.run("egress_test", &clone).action, XDP_DROP);
            assert_eq!(bench.reasons(), before);
        }
        for sequence in sequences {
            let expected = expected(&bench, sequence, member(sequence), ticket.now);
            let before = bench.reasons();
            let output = bench.rig.run("egress_test", &clone);
            match expected {
                Ok(frame) => {
                    assert_eq!(
                        (output.action, &output.frame),
                        (XDP_PASS, &frame),
                        "{sequence}"
                    );
                    sent += 1;
                }
                Err(reason) => {
                    assert_eq!(output.action, XDP_DROP, "{sequence}: {}", reason.label());
                    let counted = bench.reasons()[reason as usize] - before[reason as usize];
                    assert_eq!(
                        counted,
                        1,
                        "{sequence} of {first} and {count}: {}",
                        reason.label()
                    );
                }
            }
        }
        // The last clone is sacrificed, and frees the slots.
        let before = bench.reasons();
        assert_eq!(bench.rig.run("egress_test", &clone).action, XDP_DROP);
        assert_eq!(bench.rig.consumed() as u32, first.wrapping_add(count));
        assert_eq!(bench.reasons(), before);
        // There are no more.
        assert_eq!(bench.rig.run("egress_test", &clone).action, XDP_DROP);
        assert_eq!(
            bench.reasons()[Reason::Surplus as usize],
            before[Reason::Surplus as usize] + 1
        );
    }
    assert!(sent > 100, "{sent}");
}

#[test]
fn a_slot_that_was_given_to_another_packet_does_not_leave() {
    needs_root!();
    let mut bench = Bench::take();
    let first = 5 * SLOTS;
    for sequence in first..first + 3 {
        fill(&mut bench, sequence, member(0));
    }
    let (clone, _) = ring(&mut bench, first, 3);
    // The next round of the same places; and one that is being written.
    fill(&mut bench, first + SLOTS, member(0));
    let unfinished = bench.rig.slots.fill(first + 1 + SLOTS, |room| {
        room.fill(0x55);
        None
    });
    assert!(!unfinished);
    let before = bench.reasons()[Reason::StaleSlot as usize];
    for _ in 0..2 {
        assert_eq!(bench.rig.run("egress_test", &clone).action, XDP_DROP);
    }
    assert_eq!(bench.reasons()[Reason::StaleSlot as usize], before + 2);
    assert_eq!(bench.rig.run("egress_test", &clone).action, XDP_PASS);
}

#[test]
fn frames_that_are_no_bells_ring_nothing() {
    needs_root!();
    let mut bench = Bench::take();
    let bell = Bell {
        worker: 0,
        first: SLOTS,
        count: 4,
        device: DEVICE,
    };
    let whole = bell.frame();
    let mut cases = vec![whole[..59].to_vec(), [&whole[..], &[0]].concat()];
    // Another EtherType, worker, count and device than there can be.
    for (at, byte) in [(12, 0x08), (17, 1), (24, 0), (24, 64), (28, 8), (31, 1)] {
        let mut bent = whole.to_vec();
        bent[at] = byte;
        cases.push(bent);
    }
    for frame in cases {
        let before = bench.reasons()[Reason::ForeignFrame as usize];
        assert_eq!(
            bench.rig.run("bell", &frame).action,
            XDP_DROP,
            "{frame:02x?}"
        );
        assert_eq!(bench.reasons()[Reason::ForeignFrame as usize], before + 1);
    }
}

/// What a stranger may send up the stack: a burst, then the rate.
#[test]
fn strangers_are_metered() {
    use forwarder_tests::{Family, cases};
    needs_root!();
    let mut bench = Bench::take();
    let mut stranger = cases::remote(Family::V6);
    stranger.set_port(6002);
    let username = [&cases::UFRAG[..], b":x"].concat();
    let check = forwarder_tests::frame::Frame::udp(
        cases::REMOTE_MAC,
        cases::LOCAL_MAC,
        stranger,
        cases::sealed_local(Family::V6),
        &cases::binding_request(&[(6, &username)]),
    )
    .build();
    bench.rig.forgive();
    let before = bench.reasons();
    let passed = (0..2000)
        .filter(|_| bench.rig.run("ingress", &check).action == XDP_PASS)
        .count() as u64;
    let counted = |reason: Reason| bench.reasons()[reason as usize] - before[reason as usize];
    assert!((257..1900).contains(&passed), "{passed}");
    assert_eq!(counted(Reason::Stun), passed);
    assert_eq!(counted(Reason::Metered), 2000 - passed);
}

/// What a pair may send up the stack: STUN, DTLS and RTCP count together, and those of another pair do not.
#[test]
fn pairs_are_metered() {
    use forwarder_tests::{Family, cases};
    needs_root!();
    let mut bench = Bench::take();
    let frame = |family, payload: &[u8]| {
        let (from, to) = (cases::remote(family), cases::sealed_local(family));
        forwarder_tests::frame::Frame::udp(cases::REMOTE_MAC, cases::LOCAL_MAC, from, to, payload)
            .build()
    };
    let kinds = |family| {
        [
            (Reason::Stun, frame(family, &cases::binding_request(&[]))),
            (Reason::Dtls, frame(family, &[22, 254, 253, 0, 0])),
            (Reason::Rtcp, frame(family, &[0x80, 200, 0, 0, 0, 0, 0, 0])),
        ]
    };
    bench.rig.forgive();
    let before = bench.reasons();
    let counted =
        |bench: &Bench, reason: Reason| bench.reasons()[reason as usize] - before[reason as usize];
    let sent = 4000;
    let mut passed = 0;
    for (_, bytes) in kinds(Family::V4).iter().cycle().take(sent) {
        passed += u64::from(bench.rig.run("ingress", bytes).action == XDP_PASS);
    }
    assert!((513..3900).contains(&passed), "{passed}");
    assert_eq!(counted(&bench, Reason::Metered), sent as u64 - passed);
    let of_kinds = kinds(Family::V4).map(|(reason, _)| counted(&bench, reason));
    assert_eq!(of_kinds.iter().sum::<u64>(), passed);
    assert!(of_kinds.iter().all(|count| *count > 80), "{of_kinds:?}");
    // Its RTP has the ring's own rules.
    let rtp = frame(Family::V4, &packet(1, 1, 1, 100));
    bench.rig.run("ingress", &rtp);
    assert_eq!(bench.rig.steered().len(), 1);
    for (reason, bytes) in kinds(Family::V6) {
        let before = counted(&bench, reason);
        assert_eq!(bench.rig.run("ingress", &bytes).action, XDP_PASS);
        assert_eq!(counted(&bench, reason), before + 1);
    }
    // Control may enter a pair anew, as when its payload types change.
    bench.rig.forgive();
    let (_, check) = &kinds(Family::V4)[0];
    assert_eq!(bench.rig.run("ingress", check).action, XDP_PASS);
}

/// A frame to the media port of sessions, of 1,200 bytes of RTP.
fn media(from: std::net::SocketAddr, payload_type: u8) -> Vec<u8> {
    use forwarder_tests::{Family, cases};
    let mut payload = vec![0x80, payload_type, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7];
    payload.resize(MEDIA_LEN, 1);
    forwarder_tests::frame::Frame::udp(
        cases::REMOTE_MAC,
        cases::LOCAL_MAC,
        from,
        cases::sealed_local(Family::V4),
        &payload,
    )
    .build()
}

const MEDIA_LEN: usize = 1200;
const VIDEO: u8 = 96;
/// What it takes in a ring: behind a header of its own and one of the kernel's (`BPF_RINGBUF_HDR_SZ`), by whole words.
const IN_RING: u64 = (MEDIA_LEN as u64 + 16).next_multiple_of(8) + 8;

/// Enters a session's pair: the remote port stands for the session.
fn enter(bench: &mut Bench, session: u32) -> (std::net::SocketAddr, TableOp) {
    use forwarder_tests::{Family, cases};
    let from = std::net::SocketAddr::new(cases::remote(Family::V4).ip(), 10_000 + session as u16);
    let octets = |address: std::net::SocketAddr| match address.ip() {
        std::net::IpAddr::V4(ip) => (ip.to_ipv6_mapped().octets(), address.port()),
        std::net::IpAddr::V6(ip) => (ip.octets(), address.port()),
    };
    let key = PairKey::new(octets(from), octets(cases::sealed_local(Family::V4)));
    let steer = Steer {
        worker: 0,
        session,
        ..Steer::default()
    };
    let put = TableOp::PutSteer {
        key,
        steer: steer.with_audio(cases::AUDIO),
    };
    bench.rig.tables.apply(&put).unwrap();
    (from, TableOp::DropSteer { key })
}

/// Many sessions fill a ring that nobody reads, each below its rate: at three quarters video is shed, and audio goes on to the last byte.
#[test]
fn a_full_ring_takes_no_video_and_then_nothing() {
    use forwarder_tests::cases;
    needs_root!();
    let mut bench = Bench::take();
    let entered: Vec<_> = (100..140)
        .map(|session| enter(&mut bench, session))
        .collect();
    let before = bench.reasons();
    let counts = |bench: &Bench| {
        let reasons = [
            Reason::Steered,
            Reason::VideoShed,
            Reason::RingFull,
            Reason::Metered,
        ];
        reasons.map(|reason| bench.reasons()[reason as usize] - before[reason as usize])
    };
    let send = |bench: &mut Bench, payload_type, packets: u64| {
        let mut from = entered.iter().map(|(from, _)| *from).cycle();
        for _ in 0..packets {
            let frame = media(from.next().unwrap(), payload_type);
            bench.rig.run("ingress", &frame);
        }
    };
    // The one that crosses the line is let in.
    let video = RING_VIDEO / IN_RING + 1;
    send(&mut bench, VIDEO, video);
    assert_eq!(counts(&bench), [video, 0, 0, 0]);
    send(&mut bench, VIDEO, 40);
    assert_eq!(counts(&bench), [video, 40, 0, 0]);
    let all = (u64::from(RING_BYTES) - 1) / IN_RING;
    let audio = all - video;
    assert!(audio > 800, "{audio}");
    send(&mut bench, cases::AUDIO, audio);
    assert_eq!(counts(&bench), [all, 40, 0, 0]);
    send(&mut bench, cases::AUDIO, 40);
    assert_eq!(counts(&bench), [all, 40, 40, 0]);
    send(&mut bench, VIDEO, 1);
    assert_eq!(counts(&bench), [all, 41, 40, 0]);
    // What was let in is there, and with room there is room for video.
    let taken = bench.rig.steered();
    assert_eq!(taken.len() as u64, all);
    let is_audio = |payload: &[u8]| payload[1] == cases::AUDIO;
    let heard = taken.iter().filter(|(_, payload)| is_audio(payload));
    assert_eq!(heard.count() as u64, audio);
    send(&mut bench, VIDEO, 1);
    assert_eq!(counts(&bench), [all + 1, 41, 40, 0]);
    assert_eq!(bench.rig.steered().len(), 1);
    for (_, drop) in entered {
        bench.rig.tables.apply(&drop).unwrap();
    }
}

/// Past half of a ring each session has its rate, so that one that floods does not keep the others out.
#[test]
fn a_session_that_floods_leaves_room() {
    use forwarder_tests::{Family, cases};
    needs_root!();
    let mut bench = Bench::take();
    let (other, drop) = enter(&mut bench, 78);
    let (flood, others) = (
        media(cases::remote(Family::V4), cases::AUDIO),
        media(other, cases::AUDIO),
    );
    let before = bench.reasons();
    let counted =
        |bench: &Bench, reason: Reason| bench.reasons()[reason as usize] - before[reason as usize];
    // What a ring of 4 MiB has no room for, and no worker takes anything out.
    let sent = 4000;
    for _ in 0..sent {
        bench.rig.run("ingress", &flood);
    }
    let (steered, metered) = (
        counted(&bench, Reason::Steered),
        counted(&bench, Reason::Metered),
    );
    let half = RING_SHARED / IN_RING;
    assert!((half..half + 1000).contains(&steered), "{steered}");
    assert_eq!(steered + metered, sent);
    for _ in 0..200 {
        bench.rig.run("ingress", &others);
    }
    assert_eq!(counted(&bench, Reason::Steered), steered + 200);
    let taken = bench.rig.steered();
    assert_eq!(taken.len() as u64, steered + 200);
    assert!(
        taken
            .iter()
            .rev()
            .take(200)
            .all(|(session, _)| *session == 78)
    );
    // With room in the ring nobody is metered.
    bench.rig.run("ingress", &flood);
    assert_eq!(bench.rig.steered().len(), 1);
    bench.rig.tables.apply(&drop).unwrap();
}
