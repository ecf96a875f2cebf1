//! The host's side: the shared rules on slices, and around them what forwarder-ebpf/src/{fanout,egress}.rs do with maps.

use std::{collections::VecDeque, sync::Arc};

use forwarder::{
    core::ops::{TableOp, Tables as _},
    dataplane::{memory::Sizes, shared::SharedTables, soft::SoftTables},
};
use forwarder_common::{
    checksum::Sum,
    egress::{admit, fits, replicate},
    ingress::{Lookup, Verdict, judge},
    pacer::{Arrival, Pacer},
    packet::Buffer,
    reason::Reason,
    tables::{
        Address, Endpoint, EndpointKey, Hop, MAX_DEVICES, NONE, PairKey, RouteKey, STALE, Steer,
    },
    ticket::{DONE, SENT, Ticket, WAITING},
};

use crate::{
    rig::WINDOW,
    world::{OWN_MACS, SIZES},
};

/// include/uapi/linux/bpf.h.
pub const XDP_DROP: u32 = 1;
pub const XDP_PASS: u32 = 2;
pub const XDP_REDIRECT: u32 = 4;
/// XDP_PACKET_HEADROOM.
const HEADROOM: usize = 256;
/// As in fanout.rs.
const SKIP: usize = 8;

/// What is to come out of a program.
#[derive(Debug)]
pub struct Expected {
    /// The XDP action.
    pub action: u32,
    /// The frame, where it goes on.
    pub frame: Option<Vec<u8>>,
    /// Counted, in any order.
    pub reasons: Vec<Reason>,
    /// The frame of this action goes on the loop as well, or only there.
    pub on_loop: bool,
    /// A frame that was put into this slot of the queue.
    pub queued: Option<(u32, Vec<u8>)>,
    /// Handed to the socket worker: first chunk and payload.
    pub punted: Option<(u32, Vec<u8>)>,
    /// Route and bytes of UDP payload.
    pub taken: Option<(u32, u16)>,
    /// Session and UDP payload that went to a worker.
    pub steered: Option<(u32, Vec<u8>)>,
}

/// What is to come out of egress.
#[derive(Debug, PartialEq, Eq)]
pub struct Replica {
    /// Number of the hop, if it was sent, and the frame.
    pub result: Result<(u32, Vec<u8>), Reason>,
    /// Number of the device.
    pub device: u32,
}

struct Next {
    chunk: u32,
    mask: u64,
    device: u32,
    more: bool,
}

/// Tables without a kernel, and one CPU's pacer.
pub struct Host {
    shared: Arc<SharedTables>,
    /// Kept equal to the kernel's.
    pub pacer: Pacer,
    waiting: VecDeque<(Ticket, Vec<u8>)>,
}

impl Lookup for Host {
    fn endpoint(&self, key: &EndpointKey) -> Option<Endpoint> {
        self.shared.lookup.endpoint(key)
    }

    fn steer(&self, key: &PairKey) -> Option<Steer> {
        self.shared.lookup.steer(key)
    }

    fn knows_ufrag(&self, ufrag: u64) -> bool {
        self.shared.lookup.knows_ufrag(ufrag)
    }

    fn meter(&self, _source: &Address) -> bool {
        true
    }

    fn meter_pair(&self, _pair: &PairKey) -> bool {
        true
    }

    fn is_own_mac(&self, mac: [u32; 2]) -> bool {
        OWN_MACS.contains(&mac)
    }

    fn route(&self, key: &RouteKey) -> Option<u32> {
        self.shared.lookup.routes().get(key).copied()
    }
}

impl Host {
    pub fn new(ops: &[TableOp]) -> Self {
        let mut tables = SoftTables::new(Sizes { cpus: 1, ..SIZES }, 16).unwrap();
        for op in ops {
            tables.apply(op).unwrap();
        }
        Self {
            shared: tables.shared(),
            pacer: Pacer::default(),
            waiting: VecDeque::new(),
        }
    }

    /// Forgets what waits.
    pub fn reset(&mut self, pacer: Pacer) {
        self.pacer = pacer;
        self.waiting.clear();
    }

    /// What waits longest, as if it had come at this time.
    pub fn longest_waiting(&mut self, came: u64) -> Option<Vec<u8>> {
        let (ticket, frame) = self.waiting.front_mut()?;
        ticket.now = came;
        set_time(frame, came);
        Some(frame.clone())
    }

    /// The program `ingress`.
    pub fn ingress(&mut self, frame: &[u8], now: u64) -> Expected {
        let mut expected = Expected {
            action: XDP_DROP,
            frame: None,
            reasons: Vec::new(),
            on_loop: false,
            queued: None,
            punted: None,
            taken: None,
            steered: None,
        };
        let taken = match judge(frame, self) {
            Verdict::Pass(reason) => {
                expected.action = XDP_PASS;
                expected.frame = Some(frame.to_vec());
                expected.reasons.push(reason);
                return expected;
            }
            Verdict::Drop(reason) => {
                expected.reasons.push(reason);
                return expected;
            }
            Verdict::Steer(steered) => {
                let (at, len) = (
                    usize::from(steered.header_len),
                    usize::from(steered.payload_len),
                );
                expected.steered = Some((steered.session, frame[at..at + len].to_vec()));
                expected.reasons.push(Reason::Steered);
                return expected;
            }
            Verdict::Take(taken) => taken,
        };
        expected.reasons.push(Reason::Taken);
        expected.taken = Some((taken.route, taken.payload_len));
        let memory = &self.shared.memory;
        let route = memory.route(taken.route);
        let end = usize::from(taken.header_len) + usize::from(taken.payload_len);
        let frame = frame[usize::from(taken.tag_len())..end].to_vec();
        let header_len = taken.header_len - taken.tag_len();
        let payload = &frame[usize::from(header_len)..];
        if route.socket_head != NONE {
            expected.punted = Some((route.socket_head, payload.to_vec()));
            expected.reasons.push(Reason::Punted);
        }
        let sum = Sum::default().bytes(&payload[12..]).fold();
        let Some(next) = self.next_chunk(route.head) else {
            if route.socket_head == NONE {
                expected.reasons.push(Reason::NoMembers);
            }
            return expected;
        };
        let lost = self.pacer.restart_if_stalled(now);
        expected.reasons.extend((0..lost).map(|_| Reason::Stalled));
        let replicas = next.mask.count_ones();
        let mut ticket = Ticket {
            tag: 0,
            chunk: next.chunk,
            mask: next.mask,
            now,
            payload_len: taken.payload_len,
            sum,
            header_len: header_len as u8,
            state: WAITING,
            round: 0,
            load: replicas as u8,
        };
        match self.pacer.arrive(now, replicas, next.more, WINDOW) {
            Arrival::Send { on_loop } => {
                ticket.state = if next.more { SENT } else { DONE };
                self.broadcast(ticket, frame, next.device, on_loop, &mut expected);
            }
            Arrival::Loop => {
                expected.reasons.push(Reason::Queued);
                self.circulate(ticket, frame, &mut expected);
            }
            Arrival::Queue(slot) => {
                expected.reasons.push(Reason::Queued);
                let frame = written(&ticket, frame);
                expected.queued = Some((slot, frame.clone()));
                self.waiting.push_back((ticket, frame));
            }
            Arrival::Full => expected.reasons.push(Reason::QueueFull),
        }
        expected
    }

    /// The program `turn`. `now` is when it says that it sent; by `clock` it judges what is too old, of which it says no time.
    pub fn turn(&mut self, frame: &[u8], now: u64, clock: u64) -> Expected {
        let mut expected = Expected {
            action: XDP_DROP,
            frame: None,
            reasons: Vec::new(),
            on_loop: false,
            queued: None,
            punted: None,
            taken: None,
            steered: None,
        };
        let mut frame = frame.to_vec();
        let mut ticket = Ticket::read(frame.as_slice()).unwrap();
        let Some(lost) = self.pacer.turn(ticket.state >> 2, ticket.round) else {
            expected.reasons.push(Reason::ForeignFrame);
            return expected;
        };
        expected.reasons.extend((0..lost).map(|_| Reason::Stalled));
        let mut state = ticket.state & 3;
        let mut following = match state {
            SENT => self.shared.memory.chunk_next(ticket.chunk),
            WAITING => ticket.chunk,
            _ => NONE,
        };
        if state == DONE {
            if !self.pacer.is_waiting() {
                self.pacer.leave();
                return expected;
            }
            let may_take = self.pacer.may_take() && {
                let replicas = self.waiting[0].0.mask.count_ones();
                self.pacer.may_send(replicas, WINDOW)
            };
            if !may_take {
                self.circulate(ticket, frame, &mut expected);
                return expected;
            }
            (ticket, frame) = self.waiting.pop_front().unwrap();
            let replicas = ticket.mask.count_ones();
            ticket.load = replicas as u8;
            let _slot = self.pacer.take(replicas);
            following = ticket.chunk;
            state = WAITING;
        }
        if clock.saturating_sub(ticket.now) > STALE {
            self.pacer.finish(u32::from(ticket.load));
            expected.reasons.push(Reason::Stalled);
            ticket.state = DONE;
            self.circulate(ticket, frame, &mut expected);
            return expected;
        }
        let memory = &self.shared.memory;
        let next = if state == WAITING {
            Some(Next {
                chunk: following,
                mask: ticket.mask,
                device: memory.chunk_device(following),
                more: memory.chunk_next(following) != NONE,
            })
        } else {
            self.next_chunk(following)
        };
        let Some(next) = next else {
            self.pacer.finish(u32::from(ticket.load));
            ticket.state = DONE;
            self.circulate(ticket, frame, &mut expected);
            return expected;
        };
        (ticket.chunk, ticket.mask, ticket.now) = (next.chunk, next.mask, now);
        let replicas = next.mask.count_ones();
        if !self.pacer.may_send(replicas, WINDOW) {
            ticket.state = WAITING;
            self.circulate(ticket, frame, &mut expected);
            return expected;
        }
        self.pacer.sent(now, replicas);
        ticket.state = if next.more {
            SENT
        } else {
            self.pacer.finish(u32::from(ticket.load));
            DONE
        };
        let on_loop = next.more || self.pacer.is_waiting();
        if !on_loop {
            self.pacer.leave();
        }
        self.broadcast(ticket, frame, next.device, on_loop, &mut expected);
        expected
    }

    /// The program `egress`, for the member in `slot`.
    pub fn egress(&self, frame: &[u8], slot: u32) -> Replica {
        let ticket = Ticket::read(frame).unwrap();
        let memory = &self.shared.memory;
        let mut bytes = [&[0; HEADROOM], frame].concat();
        let mut replica = || {
            let (number, hop) = self.admitted(&ticket, slot)?;
            let mut frame = Buffer::new(&mut bytes, HEADROOM).unwrap();
            let _len = replicate(&mut frame, &hop, &ticket)?;
            Ok((number, frame.frame().to_vec()))
        };
        Replica {
            result: replica(),
            device: memory.chunk_device(ticket.chunk) % MAX_DEVICES,
        }
    }

    fn next_chunk(&self, mut chunk: u32) -> Option<Next> {
        let memory = &self.shared.memory;
        let mut found = None;
        for _ in 0..SKIP {
            if chunk == NONE {
                return None;
            }
            let next = memory.chunk_next(chunk);
            found = Some(Next {
                chunk,
                mask: memory.chunk_mask(chunk),
                device: memory.chunk_device(chunk),
                more: next != NONE,
            });
            if memory.chunk_mask(chunk) != 0 {
                return found;
            }
            chunk = next;
        }
        found.filter(|next| next.more)
    }

    fn broadcast(
        &mut self,
        mut ticket: Ticket,
        frame: Vec<u8>,
        device: u32,
        on_loop: bool,
        expected: &mut Expected,
    ) {
        if device >= MAX_DEVICES {
            expected.reasons.push(Reason::NoDevice);
            return;
        }
        self.cut_refused_tail(&mut ticket, expected);
        if ticket.mask == 0 && !on_loop {
            return;
        }
        ticket.tag = self.pacer.next_tag();
        if on_loop {
            self.stamp(&mut ticket);
        }
        expected.action = XDP_REDIRECT;
        expected.on_loop = on_loop;
        expected.frame = Some(written(&ticket, frame));
    }

    fn cut_refused_tail(&self, ticket: &mut Ticket, expected: &mut Expected) {
        while let Some(highest) = ticket.mask.checked_ilog2() {
            let admitted = self.admitted(ticket, highest);
            let Err(reason) = admitted.and_then(|(_, hop)| fits(&hop, ticket.payload_len)) else {
                return;
            };
            expected.reasons.push(reason);
            ticket.mask ^= 1 << highest;
        }
    }

    /// The hop of the member in `slot`, and its number, if it may be sent to.
    fn admitted(&self, ticket: &Ticket, slot: u32) -> Result<(u32, Hop), Reason> {
        let memory = &self.shared.memory;
        let member = memory.chunk_slot(ticket.chunk, slot);
        if member.hop == NONE || member.hop >= SIZES.hops {
            return Err(Reason::Removed);
        }
        let hop = memory.hop(member.hop).ok_or(Reason::StaleHop)?;
        let deadline = memory.lease(hop.lease);
        admit(&hop, member.generation, deadline, ticket.now)?;
        Ok((member.hop, hop))
    }

    fn circulate(&mut self, mut ticket: Ticket, frame: Vec<u8>, expected: &mut Expected) {
        self.stamp(&mut ticket);
        expected.action = XDP_REDIRECT;
        expected.on_loop = true;
        expected.frame = Some(written(&ticket, frame));
    }

    fn stamp(&mut self, ticket: &mut Ticket) {
        let state = ticket.state & 3;
        ticket.round = self.pacer.launch(state != DONE, u32::from(ticket.load));
        ticket.state = state | self.pacer.epoch << 2;
    }
}

/// Makes a frame with a ticket one that came at this time.
pub fn set_time(frame: &mut [u8], came: u64) {
    let mut ticket = Ticket::read(&*frame).unwrap();
    ticket.now = came;
    ticket.write(frame).unwrap();
}

fn written(ticket: &Ticket, mut frame: Vec<u8>) -> Vec<u8> {
    ticket.write(frame.as_mut_slice()).unwrap();
    frame
}
