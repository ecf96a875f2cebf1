//! The pacer holds its promises on a simulated CPU: no ring overflows, nothing is lost or sent twice, order stays, and
//! it comes to rest; with frames lost on the loop it mends.

use proptest::{collection::vec, prelude::*};

use super::{
    cases,
    softirq::{Cpu, RING, Route},
};
use forwarder_common::pacer::{QUIET, STALLED};

/// Half of a veth's ring.
const WINDOW: u32 = 128;
/// Rounds after which a CPU that gets no more packets must have come to rest.
const PATIENCE: usize = 100_000;

/// Packets of one route that arrive together.
#[derive(Clone, Debug)]
struct Burst {
    route: usize,
    packets: usize,
    /// Since the burst before.
    after_polls: usize,
    /// If there is nothing to poll.
    after_nanoseconds: u64,
    /// For so many nanoseconds the CPU was kept from its softirqs.
    kept: u64,
}

/// Chunks as the control plane makes them (full but for the last), and as leaving and pausing leaves them behind.
fn route() -> impl Strategy<Value = Route> {
    prop_oneof![
        4 => (1..=1024_u32).prop_map(of_members),
        3 => (1..=32_u32).prop_map(|members| vec![members]),
        3 => vec(prop_oneof![Just(0), Just(1), 0..=64_u32, Just(64)], 1..=24),
    ]
}

fn of_members(members: u32) -> Route {
    (0..members.div_ceil(64))
        .map(|chunk| (members - 64 * chunk).min(64))
        .collect()
}

fn bursts(routes: usize) -> impl Strategy<Value = Vec<Burst>> {
    let packets = prop_oneof![1..=4_usize, 1..=64_usize, Just(64), Just(300)];
    let wait = prop_oneof![Just(0), Just(0), 1..=6_usize, 1..=60_usize];
    let pause = prop_oneof![Just(0), 0..=2 * QUIET, Just(QUIET + 1), Just(2 * STALLED)];
    let kept = prop_oneof![20 => Just(0), 1 => 0..=2 * QUIET, 1 => Just(2 * STALLED)];
    let burst = (0..routes, packets, wait, pause, kept);
    vec(
        burst.prop_map(
            |(route, packets, after_polls, after_nanoseconds, kept)| Burst {
                route,
                packets,
                after_polls,
                after_nanoseconds,
                kept,
            },
        ),
        1..=30,
    )
}

fn scenario() -> impl Strategy<Value = (Vec<Route>, Vec<Burst>)> {
    vec(route(), 1..=4).prop_flat_map(|routes| {
        let count = routes.len();
        (Just(routes), bursts(count))
    })
}

/// Delivers the bursts and runs until there is nothing to poll.
fn run(cpu: &mut Cpu, bursts: &[Burst]) {
    let mut left = bursts.iter();
    let mut next = left.next();
    let mut polls = 0;
    for _ in 0..PATIENCE {
        if cpu.is_idle() {
            let Some(burst) = next else { return };
            cpu.now += burst.after_nanoseconds;
            polls = burst.after_polls;
            deliver(cpu, &mut polls, &mut next, &mut left);
        }
        cpu.round(|cpu| {
            polls += 1;
            deliver(cpu, &mut polls, &mut next, &mut left);
        });
    }
    panic!("does not come to rest: {:?}", cpu.pacer);
}

fn deliver<'a>(
    cpu: &mut Cpu,
    polls: &mut usize,
    next: &mut Option<&'a Burst>,
    left: &mut impl Iterator<Item = &'a Burst>,
) {
    while let Some(burst) = next
        && *polls >= burst.after_polls
    {
        cpu.now += burst.kept;
        for _ in 0..burst.packets {
            cpu.arrive(burst.route);
        }
        *polls = 0;
        *next = left.next();
    }
}

/// Every packet that was not refused went to all of its chunks, once each, in order.
fn assert_whole(cpu: &Cpu) {
    let mut chunks = vec![Vec::new(); cpu.arrived()];
    for &(packet, chunk) in &cpu.sent {
        chunks[packet].push(chunk);
    }
    for (packet, sent) in chunks.iter().enumerate() {
        if cpu.full.contains(&packet) {
            assert_eq!(
                sent,
                &[] as &[usize],
                "packet {packet} was refused and sent"
            );
        } else {
            assert_eq!(sent, &cpu.chunks_of(packet), "packet {packet}");
        }
    }
}

/// Packets reach each subscriber in the order in which they came, and none is sent twice.
fn assert_order(cpu: &Cpu) {
    let mut last = std::collections::HashMap::new();
    for &(packet, chunk) in &cpu.sent {
        let previous = last.insert((cpu.route_of(packet), chunk), packet);
        assert!(
            previous.is_none_or(|previous| previous < packet),
            "packet {packet} left after {previous:?} towards chunk {chunk}"
        );
    }
}

fn assert_rings(cpu: &Cpu) {
    let (most, overflowed) = cpu.device_ring();
    assert!(
        overflowed == 0 && most <= RING,
        "the device's ring held {most} and threw {overflowed} away"
    );
    let (most, overflowed) = cpu.loop_ring();
    assert_eq!(overflowed, 0, "the loop's ring held {most}");
}

/// Numbers that look random (SplitMix64), for losses.
fn random(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn no_ring_overflows_and_nothing_is_lost((routes, bursts) in scenario()) {
        let mut cpu = Cpu::new(routes, WINDOW);
        run(&mut cpu, &bursts);
        assert_rings(&cpu);
        assert_whole(&cpu);
        assert_order(&cpu);
        cpu.assert_settled();
        prop_assert_eq!(cpu.stalled, 0);
    }

    #[test]
    fn any_window_makes_progress((routes, bursts) in scenario(), window in 1..=2 * WINDOW) {
        let mut cpu = Cpu::new(routes, window);
        run(&mut cpu, &bursts);
        if window <= WINDOW {
            assert_rings(&cpu);
        }
        assert_whole(&cpu);
        assert_order(&cpu);
        cpu.assert_settled();
    }

    /// One frame in `rarity` is lost on the loop. Then the losses end, packets come every now and then, and all is as it
    /// was: what comes after half a second of that is whole.
    #[test]
    fn a_broken_loop_mends(
        (routes, bursts) in scenario(),
        rarity in prop_oneof![Just(1_u64), 2..=10_u64, 50..=500_u64],
        seed in any::<u64>(),
    ) {
        // Packets without members do not get as far as the pacer.
        let with_members = routes.iter().position(|route| route.iter().any(|&members| members != 0));
        let mut cpu = Cpu::new(routes, WINDOW);
        let mut numbers = random(seed);
        cpu.lose = Box::new(move || numbers().is_multiple_of(rarity));
        run(&mut cpu, &bursts);
        cpu.lose = Box::new(|| false);
        let now_and_then = |nanoseconds| Burst {
            route: with_members.unwrap_or_default(),
            packets: 1,
            after_polls: usize::MAX,
            after_nanoseconds: nanoseconds,
            kept: 0,
        };
        run(&mut cpu, &vec![now_and_then(STALLED / 4); 20]);
        let mended = cpu.arrived();
        run(&mut cpu, &vec![now_and_then(0); 100]);
        assert_rings(&cpu);
        assert_order(&cpu);
        cpu.assert_settled();
        for packet in mended..cpu.arrived() {
            let chunks: Vec<usize> =
                cpu.sent.iter().filter(|(sent, _)| *sent == packet).map(|(_, chunk)| *chunk).collect();
            prop_assert_eq!(chunks, cpu.chunks_of(packet), "packet {} of {}", packet, mended);
        }
    }
}

fn together(packets: usize, after_polls: usize) -> Burst {
    Burst {
        route: 0,
        packets,
        after_polls,
        after_nanoseconds: 0,
        kept: 0,
    }
}

/// More frames on the loop than a bulk come around several times in one poll: that is no sign that the device drains.
#[test]
fn a_pass_of_the_loop_is_not_a_poll() {
    let mut cpu = Cpu::new(vec![vec![1, 64]], WINDOW);
    run(&mut cpu, &[together(20, 0)]);
    assert_rings(&cpu);
    assert_whole(&cpu);
}

/// A packet that arrives while a pass goes on must not get in front of those that still have to turn.
#[test]
fn nobody_overtakes_in_the_middle_of_a_pass() {
    let mut cpu = Cpu::new(vec![vec![1, 2]], WINDOW);
    let bursts = [
        together(64, 0),
        together(1, 5),
        together(32, 0),
        together(31, 3),
    ];
    run(&mut cpu, &bursts);
    assert_order(&cpu);
    assert_whole(&cpu);
}

/// One frame of several is lost: the others keep the loop turning, and the queue behind the lost one must go on.
#[test]
fn one_lost_frame_does_not_stop_the_queue() {
    let mut cpu = Cpu::new(vec![vec![8]], WINDOW);
    let mut frames = 0;
    cpu.lose = Box::new(move || {
        frames += 1;
        frames == 4
    });
    run(&mut cpu, &[together(64, 0)]);
    assert_eq!(cpu.stalled, 1);
    assert_eq!(cpu.sent.len(), 63);
    assert_order(&cpu);
    cpu.assert_settled();
}

/// A CPU that was kept from its softirqs for long finds its loop as it left it.
#[test]
fn time_alone_does_not_stall_the_loop() {
    let mut cpu = Cpu::new(vec![vec![64; 16]], WINDOW);
    let mut bursts = vec![together(4, 0); 2];
    bursts[1].after_polls = 5;
    bursts[1].kept = 2 * STALLED;
    run(&mut cpu, &bursts);
    assert_eq!(cpu.stalled, 0);
    assert_whole(&cpu);
}
