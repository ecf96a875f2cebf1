//! Runs both sides on the same frame, step by step, and compares everything that can be seen of them.

use std::{
    collections::VecDeque,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use forwarder::{core::ops::Tables as _, dataplane::clock::boottime};
use forwarder_common::{
    pacer::{Pacer, QUEUE},
    reason::{COUNT, Reason},
    tables::STALE,
    ticket::Ticket,
};

use crate::{
    host::{Expected, Host, Replica, XDP_DROP, XDP_PASS, XDP_REDIRECT, set_time},
    rig::{Output, Rig},
    world,
};

/// Both sides.
pub struct Bench {
    /// The kernel's side.
    pub rig: Rig,
    /// The host's side.
    pub host: Host,
    /// Frames on the loop, oldest first.
    around: VecDeque<Vec<u8>>,
    /// Tags go on when the pacer starts anew, since cursors stay.
    tag: u32,
    /// Replicas that egress let go.
    pub replicas: u64,
}

impl Bench {
    /// The one bench of this process, in turns: a ladder takes seconds to build, since every rung waits for RCU.
    pub fn take() -> MutexGuard<'static, Self> {
        static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| Mutex::new(Bench::new()));
        Rig::pin_this_thread();
        // A test that failed leaves nothing that the next one builds on.
        let mut bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
        bench.fresh();
        bench
    }

    fn new() -> Self {
        let ops = world::ops();
        Self {
            rig: Rig::new(&ops),
            host: Host::new(&ops),
            around: VecDeque::new(),
            tag: 0,
            replicas: 0,
        }
    }

    /// Nothing outstanding, nothing on the loop.
    pub fn fresh(&mut self) {
        self.fresh_with(Pacer::default());
    }

    /// The pacer in some state, with nothing on the loop.
    pub fn fresh_with(&mut self, pacer: Pacer) {
        self.tag = self.tag.max(self.host.pacer.tag);
        let pacer = Pacer {
            tag: self.tag,
            ..pacer
        };
        self.rig.set_pacer(pacer);
        self.host.reset(pacer);
        self.around.clear();
    }

    /// Counts of the kernel's side.
    pub fn reasons(&self) -> [u64; COUNT] {
        self.rig.reasons()
    }

    /// `ingress`, and egress for all members of what it broadcasts.
    pub fn through(&mut self, name: &str, frame: &[u8]) {
        if let Some(sent) = self.ingress(name, frame) {
            self.clones(name, &sent);
        }
    }

    /// `ingress` alone; gives the frame that it broadcasts.
    pub fn ingress(&mut self, name: &str, frame: &[u8]) -> Option<Vec<u8>> {
        self.step(name, "ingress", frame)
    }

    /// As if no time had passed since the loop last turned: these tests are slower than a loop may be.
    pub fn stop_the_clock(&mut self) {
        self.host.pacer.watched = 0;
        self.rig.set_pacer(self.host.pacer);
    }

    /// As if what is on the loop, and what waits longest, had come this long ago: these tests are slower than packets may be.
    fn came(&mut self, ago: Duration) {
        let at = boottime() - ago.as_nanos() as u64;
        if let Some(frame) = self.around.front_mut() {
            set_time(frame, at);
        }
        if let Some(frame) = self.host.longest_waiting(at) {
            let slot = self.host.pacer.head & (QUEUE - 1);
            self.rig.set_queued(slot, &frame);
        }
    }

    /// Turns what is on the loop once, as if it had come too long ago to be sent.
    pub fn turn_too_late(&mut self) {
        for _ in 0..self.around.len() {
            self.came(2 * Duration::from_nanos(STALE));
            let frame = self.around.pop_front().unwrap();
            self.turn_with("too late", &frame);
        }
    }

    /// One turn of everything that is on the loop now.
    pub fn turn_around(&mut self) {
        for _ in 0..self.around.len() {
            self.came(Duration::ZERO);
            let frame = self.around.pop_front().unwrap();
            if let Some(sent) = self.step("on the loop", "turn", &frame) {
                self.clones("on the loop", &sent);
            }
        }
    }

    /// Turns until nothing is left to send.
    pub fn turn_until_empty(&mut self) {
        let mut turns = 0;
        while !self.around.is_empty() {
            self.turn_around();
            turns += 1;
            assert!(turns < 10_000, "{:?}", self.host.pacer);
        }
        let Pacer { frames, jobs, .. } = self.host.pacer;
        assert_eq!((frames, jobs, self.host.pacer.is_waiting()), (0, 0, false));
    }

    /// `turn` on any frame.
    pub fn turn_with(&mut self, name: &str, frame: &[u8]) {
        self.step(name, "turn", frame);
    }

    fn step(&mut self, name: &str, program: &str, frame: &[u8]) -> Option<Vec<u8>> {
        let before = self.reasons();
        let traffic = |rig: &Rig, route| rig.tables.route_traffic(route);
        let routes: Vec<_> = (0..8).map(|route| traffic(&self.rig, route)).collect();
        if program == "ingress" {
            self.rig.forgive();
        }
        let clock = boottime();
        let output = self.rig.run(program, frame);
        let pacer = self.rig.pacer();
        let now = self.time_of(&output, &pacer);
        let expected = match program {
            "ingress" => self.host.ingress(frame, now),
            _ => self.host.turn(frame, now, clock),
        };
        let name = &format!("{name}: {program}");
        assert_eq!(
            output.action, expected.action,
            "{name}: {:?}",
            expected.reasons
        );
        self.assert_counted(name, &before, &expected.reasons);
        if let Some(bytes) = &expected.frame {
            assert_same(name, &output.frame, bytes);
        }
        self.host.pacer.waiting_since = pacer.waiting_since;
        assert_eq!(pacer, self.host.pacer, "{name}");
        if let Some((slot, bytes)) = &expected.queued {
            assert_same(name, &self.rig.queued(*slot), bytes);
        }
        let punted: Vec<_> = expected.punted.iter().cloned().collect();
        assert_eq!(self.rig.punted(), punted, "{name}");
        let steered: Vec<_> = expected.steered.iter().cloned().collect();
        assert_eq!(self.rig.steered(), steered, "{name}");
        for (route, before) in (0..).zip(routes) {
            let after = traffic(&self.rig, route);
            let bytes = expected
                .taken
                .filter(|taken| taken.0 == route)
                .map(|taken| taken.1);
            assert_eq!(
                after.packets - before.packets,
                u64::from(bytes.is_some()),
                "{name}"
            );
            assert_eq!(
                after.bytes - before.bytes,
                u64::from(bytes.unwrap_or(0)),
                "{name}"
            );
        }
        self.follow(&output, &expected)
    }

    /// When the kernel says that it was: on the ticket, or on the pacer. Where neither has it, it did not matter.
    fn time_of(&self, output: &Output, pacer: &Pacer) -> u64 {
        let ticket = Ticket::read(output.frame.as_slice());
        match ticket {
            Some(ticket) if output.action == XDP_REDIRECT => ticket.now,
            Some(ticket) if pacer.tail != self.host.pacer.tail => ticket.now,
            _ => pacer.last_sent.max(self.host.pacer.last_sent),
        }
    }

    /// Puts what goes around on the loop; gives what goes to members.
    fn follow(&mut self, output: &Output, expected: &Expected) -> Option<Vec<u8>> {
        if output.action != XDP_REDIRECT {
            return None;
        }
        if expected.on_loop {
            self.around.push_back(output.frame.clone());
        }
        let ticket = Ticket::read(output.frame.as_slice()).unwrap();
        // What only circulates has the tag of an earlier broadcast, or none.
        let is_broadcast = ticket.tag == self.host.pacer.tag && ticket.tag != self.tag;
        self.tag = self.host.pacer.tag;
        is_broadcast.then(|| output.frame.clone())
    }

    /// One clone per member, as the ladder makes them, and one too many.
    fn clones(&mut self, name: &str, sent: &[u8]) {
        let ticket = Ticket::read(sent).unwrap();
        for slot in (0..64).filter(|slot| ticket.mask >> slot & 1 != 0) {
            let Replica { result, device } = self.host.egress(sent, slot);
            self.clone_is(&format!("{name}: member {slot}"), sent, device, result);
        }
        let device = self.host.egress(sent, 0).device;
        self.clone_is(name, sent, device, Err(Reason::Surplus));
    }

    fn clone_is(
        &mut self,
        name: &str,
        sent: &[u8],
        device: u32,
        expected: Result<(u32, Vec<u8>), Reason>,
    ) {
        let before = self.reasons();
        let drops = self.rig.egress_drops(device);
        let hop = expected.as_ref().map_or(0, |(hop, _)| *hop);
        let traffic = self.rig.tables.hop_traffic(hop);
        let output = self.rig.run("egress_test", sent);
        let after = self.rig.tables.hop_traffic(hop);
        let counted = match expected {
            Ok((_, bytes)) => {
                assert_eq!(output.action, XDP_PASS, "{name}");
                assert_same(name, &output.frame, &bytes);
                let payload = u64::from(Ticket::read(sent).unwrap().payload_len);
                assert_eq!(after.packets - traffic.packets, 1, "{name}");
                assert_eq!(after.bytes - traffic.bytes, payload, "{name}");
                assert_eq!(self.rig.egress_drops(device), drops, "{name}");
                self.replicas += 1;
                // Counted as sent once the device took it.
                None
            }
            Err(reason) => {
                assert_eq!(output.action, XDP_DROP, "{name}: {reason:?}");
                assert_eq!(after, traffic, "{name}");
                assert_eq!(self.rig.egress_drops(device), drops + 1, "{name}");
                Some(reason)
            }
        };
        self.assert_counted(name, &before, counted.as_slice());
    }

    fn assert_counted(&self, name: &str, before: &[u64; COUNT], expected: &[Reason]) {
        let after = self.reasons();
        let mut counted = Vec::new();
        for &reason in Reason::ALL {
            let number = after[reason as usize] - before[reason as usize];
            counted.extend((0..number).map(|_| reason));
        }
        let mut expected = expected.to_vec();
        expected.sort_by_key(|&reason| reason as u32);
        assert_eq!(counted, expected, "{name}: counted, and to be counted");
    }
}

/// Equal, with a message that shows where they differ.
fn assert_same(name: &str, kernel: &[u8], host: &[u8]) {
    assert_eq!(
        kernel.len(),
        host.len(),
        "{name}: length of the frame, kernel and host"
    );
    if let Some(at) = (0..kernel.len()).find(|&at| kernel[at] != host[at]) {
        let end = kernel.len().min(at + 16);
        let (kernel, host) = (&kernel[at..end], &host[at..end]);
        panic!("{name}: from byte {at} on the kernel has {kernel:02x?}, the host {host:02x?}");
    }
}
