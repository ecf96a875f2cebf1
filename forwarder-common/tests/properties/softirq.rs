//! One CPU as the pacer sees it: `net_rx_action` polls each scheduled NAPI once per round, 64 frames each; redirects
//! are queued in bulks of 16 and flushed when a poll ends; a veth's ring holds 256 frames.
//!
//! `take` and `turn` do what forwarder-ebpf/src/fanout.rs does around the pacer, with a list instead of frames.

use std::collections::VecDeque;

use forwarder_common::{
    pacer::{Arrival, Pacer, QUEUE},
    ticket::{DONE, SENT, WAITING},
};

/// NAPI_POLL_WEIGHT, include/linux/netdevice.h.
const WEIGHT: usize = 64;
/// VETH_RING_SIZE, drivers/net/veth.c.
pub const RING: usize = 256;
/// DEV_MAP_BULK_SIZE, include/net/xdp.h.
const BULK: usize = 16;
/// As in fanout.rs.
const SKIP: usize = 8;

/// Members of each chunk of a route.
pub type Route = Vec<u32>;

/// A packet on its way: what the ticket holds, as far as the pacer goes.
#[derive(Clone, Copy, Debug)]
struct Frame {
    packet: usize,
    chunk: usize,
    state: u8,
    epoch: u8,
    round: u8,
    replicas: u32,
    load: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Napi {
    Ingress,
    Loop,
    Device,
}

/// What a redirect puts into: a bulk that is flushed into a ring.
#[derive(Debug)]
struct Port<T> {
    bulk: Vec<T>,
    ring: VecDeque<T>,
    most: usize,
    overflowed: usize,
}

impl<T> Default for Port<T> {
    fn default() -> Self {
        Self {
            bulk: Vec::new(),
            ring: VecDeque::new(),
            most: 0,
            overflowed: 0,
        }
    }
}

impl<T> Port<T> {
    /// `bq_enqueue`: a full bulk is flushed before the next frame is put in.
    fn enqueue(&mut self, frame: T) {
        if self.bulk.len() == BULK {
            self.flush();
        }
        self.bulk.push(frame);
    }

    fn flush(&mut self) {
        for frame in self.bulk.drain(..) {
            if self.ring.len() < RING {
                self.ring.push_back(frame);
            } else {
                self.overflowed += 1;
            }
        }
        self.most = self.most.max(self.ring.len());
    }
}

/// The CPU.
pub struct Cpu {
    pub pacer: Pacer,
    pub now: u64,
    window: u32,
    routes: Vec<Route>,
    /// Route of every packet that ever arrived.
    packets: Vec<usize>,
    arrivals: VecDeque<usize>,
    queue: Vec<Option<Frame>>,
    device: Port<()>,
    around: Port<Frame>,
    /// What this pass has still to poll, the one being polled first.
    list: VecDeque<Napi>,
    /// What used up its budget in this pass.
    again: Vec<Napi>,
    scheduled: Vec<Napi>,
    /// Broadcasts: packet and chunk.
    pub sent: Vec<(usize, usize)>,
    /// Packets that were answered with `Full`.
    pub full: Vec<usize>,
    /// Packets that the pacer gave up.
    pub stalled: u32,
    pub turns: u64,
    /// Asked for every frame that goes on the loop: whether it is lost (no memory). A broadcast is lost with it, since
    /// the loop comes first in it.
    pub lose: Box<dyn FnMut() -> bool>,
}

impl Cpu {
    pub fn new(routes: Vec<Route>, window: u32) -> Self {
        Self {
            pacer: Pacer::default(),
            now: 1_000_000_000,
            window,
            routes,
            packets: Vec::new(),
            arrivals: VecDeque::new(),
            queue: vec![None; QUEUE as usize],
            device: Port::default(),
            around: Port::default(),
            list: VecDeque::new(),
            again: Vec::new(),
            scheduled: Vec::new(),
            sent: Vec::new(),
            full: Vec::new(),
            stalled: 0,
            turns: 0,
            lose: Box::new(|| false),
        }
    }

    /// A packet reaches the ring of the media interface.
    pub fn arrive(&mut self, route: usize) {
        self.packets.push(route);
        self.arrivals.push_back(self.packets.len() - 1);
        self.schedule(Napi::Ingress);
    }

    /// Packets that arrived so far.
    pub fn arrived(&self) -> usize {
        self.packets.len()
    }

    /// The route of a packet.
    pub fn route_of(&self, packet: usize) -> usize {
        self.packets[packet]
    }

    /// Chunks with members of a packet, in their order.
    pub fn chunks_of(&self, packet: usize) -> Vec<usize> {
        let route = &self.routes[self.packets[packet]];
        (0..route.len())
            .filter(|&chunk| route[chunk] != 0)
            .collect()
    }

    /// The most frames that the device's ring ever held, and how many it threw away.
    pub fn device_ring(&self) -> (usize, usize) {
        (self.device.most, self.device.overflowed)
    }

    /// The most frames that the loop's ring ever held, and how many it threw away.
    pub fn loop_ring(&self) -> (usize, usize) {
        (self.around.most, self.around.overflowed)
    }

    /// Nothing to poll.
    pub fn is_idle(&self) -> bool {
        self.scheduled.is_empty()
    }

    /// One pass of `net_rx_action` over its list: what is scheduled meanwhile comes next, what used up its budget after
    /// that. `between` runs before every poll.
    pub fn round(&mut self, mut between: impl FnMut(&mut Self)) {
        self.list = std::mem::take(&mut self.scheduled).into();
        while let Some(&napi) = self.list.front() {
            between(self);
            let work = self.poll(napi);
            self.list.pop_front();
            if work == WEIGHT {
                self.again.push(napi);
            } else if self.has_work(napi) {
                // `napi_complete_done`, and the look at the ring after it.
                self.schedule(napi);
            }
        }
        self.scheduled.append(&mut self.again);
    }

    /// `napi_schedule`: nothing for a NAPI that is scheduled or being polled.
    fn schedule(&mut self, napi: Napi) {
        let is_scheduled = [&self.scheduled, &self.again]
            .into_iter()
            .flatten()
            .chain(&self.list)
            .any(|&other| other == napi);
        if !is_scheduled {
            self.scheduled.push(napi);
        }
    }

    fn has_work(&self, napi: Napi) -> bool {
        match napi {
            Napi::Device => !self.device.ring.is_empty(),
            Napi::Ingress => !self.arrivals.is_empty(),
            Napi::Loop => !self.around.ring.is_empty(),
        }
    }

    /// The poll function of a veth: up to 64 frames, then `xdp_do_flush`.
    fn poll(&mut self, napi: Napi) -> usize {
        self.now += 500;
        let mut work = 0;
        while work < WEIGHT {
            let some = match napi {
                Napi::Device => self.device.ring.pop_front().is_some(),
                Napi::Ingress => match self.arrivals.pop_front() {
                    Some(packet) => {
                        self.take(packet);
                        true
                    }
                    None => false,
                },
                Napi::Loop => match self.around.ring.pop_front() {
                    Some(frame) => {
                        self.turn(frame);
                        true
                    }
                    None => false,
                },
            };
            if !some {
                break;
            }
            work += 1;
            self.now += 50;
        }
        self.device.flush();
        self.around.flush();
        for target in [Napi::Device, Napi::Loop] {
            if self.has_work(target) {
                self.schedule(target);
            }
        }
        work
    }

    /// `next_chunk`: index, members, whether more chunks follow.
    fn next_chunk(&self, packet: usize, from: usize) -> Option<(usize, u32, bool)> {
        let route = &self.routes[self.packets[packet]];
        let mut found = None;
        for chunk in from..from + SKIP {
            let &members = route.get(chunk)?;
            found = Some((chunk, members, chunk + 1 < route.len()));
            if members != 0 {
                return found;
            }
        }
        found.filter(|&(_, _, more)| more)
    }

    /// fanout.rs, `take`.
    fn take(&mut self, packet: usize) {
        let Some((chunk, replicas, more)) = self.next_chunk(packet, 0) else {
            return;
        };
        let epoch = self.pacer.epoch;
        self.stalled += self.pacer.restart_if_stalled(self.now);
        if self.pacer.epoch != epoch {
            self.queue.fill(None);
        }
        let mut frame = Frame {
            packet,
            chunk,
            state: WAITING,
            epoch: 0,
            round: 0,
            replicas,
            load: replicas,
        };
        match self.pacer.arrive(self.now, replicas, more, self.window) {
            Arrival::Send { on_loop } => {
                frame.state = if more { SENT } else { DONE };
                self.broadcast(frame, on_loop);
            }
            Arrival::Loop => self.circulate(frame),
            Arrival::Queue(slot) => {
                let slot = &mut self.queue[slot as usize];
                assert!(slot.is_none(), "a slot is used twice");
                *slot = Some(frame);
            }
            Arrival::Full => self.full.push(packet),
        }
    }

    /// fanout.rs, `turn`.
    fn turn(&mut self, mut frame: Frame) {
        self.turns += 1;
        let Some(lost) = self.pacer.turn(frame.epoch, frame.round) else {
            return;
        };
        self.stalled += lost;
        let mut following = None;
        let mut waits = frame.state == WAITING;
        if frame.state == SENT {
            following = Some(frame.chunk + 1);
        }
        if frame.state == DONE {
            if !self.pacer.is_waiting() {
                self.pacer.leave();
                return;
            }
            if !self.pacer.may_take() {
                return self.circulate(frame);
            }
            let slot = self.pacer.head as usize % self.queue.len();
            let waiting = self.queue[slot].expect("the queue holds what the pacer counted");
            if !self.pacer.may_send(waiting.replicas, self.window) {
                return self.circulate(frame);
            }
            let taken = self.pacer.take(waiting.replicas);
            assert_eq!(taken as usize, slot);
            self.queue[slot] = None;
            frame = waiting;
            waits = true;
        }
        let next = if waits {
            let more = frame.chunk + 1 < self.routes[self.packets[frame.packet]].len();
            Some((frame.chunk, frame.replicas, more))
        } else {
            self.next_chunk(frame.packet, following.unwrap_or_default())
        };
        let Some((chunk, replicas, more)) = next else {
            self.pacer.finish(frame.load);
            frame.state = DONE;
            return self.circulate(frame);
        };
        (frame.chunk, frame.replicas) = (chunk, replicas);
        if !self.pacer.may_send(replicas, self.window) {
            frame.state = WAITING;
            return self.circulate(frame);
        }
        self.pacer.sent(self.now, replicas);
        if more {
            frame.state = SENT;
        } else {
            self.pacer.finish(frame.load);
            frame.state = DONE;
        }
        let on_loop = more || self.pacer.is_waiting();
        if !on_loop {
            self.pacer.leave();
        }
        self.broadcast(frame, on_loop);
    }

    fn broadcast(&mut self, frame: Frame, on_loop: bool) {
        if on_loop && !self.circulates(frame) {
            return;
        }
        for _ in 0..frame.replicas {
            self.device.enqueue(());
        }
        if frame.replicas != 0 {
            self.sent.push((frame.packet, frame.chunk));
        }
        self.now += 100 * u64::from(frame.replicas);
    }

    fn circulate(&mut self, frame: Frame) {
        let _lost = self.circulates(frame);
    }

    /// Stamps the frame and sends it around; false where it is lost.
    fn circulates(&mut self, mut frame: Frame) -> bool {
        frame.epoch = self.pacer.epoch;
        frame.round = self.pacer.launch(frame.state != DONE, frame.load);
        if (self.lose)() {
            return false;
        }
        self.around.enqueue(frame);
        true
    }

    /// Nothing is on the loop, nothing waits, and the pacer knows it.
    pub fn assert_settled(&self) {
        assert!(self.around.ring.is_empty() && self.device.ring.is_empty());
        assert_eq!(
            (self.pacer.frames, self.pacer.jobs, self.pacer.load),
            (0, 0, 0),
            "{:?}",
            self.pacer
        );
        assert!(!self.pacer.is_waiting(), "{:?}", self.pacer);
    }
}
