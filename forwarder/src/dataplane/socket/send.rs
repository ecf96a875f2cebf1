//! Sends replicas in batches, and counts what became of each: one that cannot be sent never holds up the others.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
};

use forwarder_common::{reason::Reason, wire::rtp};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    batch::{Outbox, Outgoing, SEND},
    destination::Marks,
    sockets::Sockets,
};
use crate::dataplane::{clock::boottime, shared::SharedTables};

/// Nanoseconds that one batch waits for room in a socket's send buffer, at most.
const PATIENCE: u64 = 2_000_000;

/// What is counted once a message has left.
#[derive(Clone, Copy, Debug, Default)]
struct Parcel {
    hop: u32,
    socket: u32,
    /// Of UDP payload.
    bytes: u32,
}

/// Room for one batch.
pub struct Sender {
    outbox: Outbox,
    parcels: Box<[Parcel]>,
    order: Box<[u16]>,
}

impl Sender {
    /// Empty room.
    #[must_use]
    pub fn new() -> Self {
        Self {
            outbox: Outbox::new(),
            parcels: vec![Parcel::default(); SEND].into(),
            order: vec![0; SEND].into(),
        }
    }

    /// Starts sending packets whose payloads stay where they are, for as long as `'p`.
    pub fn open<'s, 'p>(
        &'s mut self,
        tables: &'s SharedTables,
        sockets: &'s Sockets,
    ) -> Sending<'s, 'p> {
        Sending {
            outgoing: self.outbox.open(),
            parcels: &mut self.parcels,
            order: &mut self.order,
            tables,
            sockets,
            now: boottime(),
        }
    }
}

/// Replicas on their way out. What was pushed leaves with [`Sending::flush`], at the latest.
pub struct Sending<'s, 'p> {
    outgoing: Outgoing<'s, 'p>,
    /// One per message.
    parcels: &'s mut [Parcel],
    order: &'s mut [u16],
    sockets: &'s Sockets,
    /// The tables that replicas are made by and counted in.
    pub tables: &'s SharedTables,
    /// CLOCK_BOOTTIME in nanoseconds when this batch was begun.
    pub now: u64,
}

/// Where a replica goes.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The subscriber.
    pub to: SocketAddr,
    /// DSCP and hop limit.
    pub marks: Marks,
    /// Number of the socket that it leaves from.
    pub socket: u32,
    /// Number of the hop that counts it.
    pub hop: u32,
}

impl<'p> Sending<'_, 'p> {
    /// Adds a replica of `head`, if any, and then `tail`.
    #[inline]
    pub fn push(&mut self, label: Label, head: Option<&[u8; rtp::LEN]>, tail: &'p [u8]) {
        if self.outgoing.is_full() {
            self.flush();
        }
        let Some(bound) = self.sockets.find(label.socket) else {
            self.tables.worker.reasons.add(0, Reason::SendFailed, 1);
            return;
        };
        let marks = bound.differences(label.marks);
        let position = self.outgoing.len();
        let pushed = self.outgoing.push(label.to, marks, head, tail);
        if let (Some(()), Some(parcel)) = (pushed, self.parcels.get_mut(position)) {
            *parcel = Parcel {
                hop: label.hop,
                socket: label.socket,
                bytes: (head.map_or(0, |head| head.len()) + tail.len()) as u32,
            };
        }
    }

    /// Sends all that was pushed, in order as far as one socket is concerned.
    pub fn flush(&mut self) {
        if self.outgoing.is_empty() {
            return;
        }
        let len = self.outgoing.len();
        let (Some(order), Some(parcels)) = (self.order.get_mut(..len), self.parcels.get(..len))
        else {
            return;
        };
        for (position, at) in order.iter_mut().zip(0..) {
            *position = at;
        }
        let socket = |position: u16| {
            let parcel = parcels.get(usize::from(position));
            parcel.map_or(0, |parcel| parcel.socket)
        };
        // Sorting by position as well keeps what leaves from one socket in order.
        if !order.is_sorted_by_key(|&position| socket(position)) {
            order.sort_unstable_by_key(|&position| (socket(position), position));
        }
        let mut patience = Patience::default();
        for run in order.chunk_by(|&a, &b| socket(a) == socket(b)) {
            let number = run.first().map_or(0, |&position| socket(position));
            // It was there when they were pushed, and goes only between batches.
            if let Some(bound) = self.sockets.find(number) {
                send_run(
                    run,
                    |positions| self.outgoing.send(bound.as_fd(), positions),
                    || patience.wait(bound.as_fd()),
                    |outcome, positions| count(self.tables, parcels, self.now, outcome, positions),
                );
            }
        }
        self.outgoing.clear();
        self.now = boottime();
    }
}

/// Sends what leaves from one socket: `send` takes messages and says how many of the first have left, `wait` waits for
/// room and says whether there is any, `count` is told what became of each.
fn send_run(
    mut run: &[u16],
    mut send: impl FnMut(&[u16]) -> io::Result<usize>,
    mut wait: impl FnMut() -> bool,
    mut count: impl FnMut(Reason, &[u16]),
) {
    let mut retried = false;
    while let Some((first, others)) = run.split_first() {
        let failure = match send(run) {
            Ok(sent) => {
                let (sent, rest) = run.split_at_checked(sent).unwrap_or((run, &[]));
                count(Reason::Sent, sent);
                run = rest;
                retried = false;
                continue;
            }
            Err(error) => Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        };
        match failure {
            Errno::EINTR => {}
            Errno::EAGAIN if wait() => {}
            Errno::EAGAIN => {
                count(Reason::SendFailed, run);
                return;
            }
            Errno::EMSGSIZE => {
                count(Reason::TooBig, &[*first]);
                run = others;
                retried = false;
            }
            // It may have been left at the socket by an ICMP message about somebody else (`sock_error`), and is used up
            // by having been reported: the second time it is this message's own.
            _ if !retried => retried = true,
            _ => {
                count(Reason::SendFailed, &[*first]);
                run = others;
                retried = false;
            }
        }
    }
}

fn count(tables: &SharedTables, parcels: &[Parcel], now: u64, outcome: Reason, positions: &[u16]) {
    let counters = &tables.worker;
    counters.reasons.add(0, outcome, positions.len() as u64);
    if outcome == Reason::Sent {
        let sent = positions
            .iter()
            .filter_map(|&at| parcels.get(usize::from(at)));
        for parcel in sent {
            counters.hops.add(0, parcel.hop, parcel.bytes.into(), now);
        }
    }
}

/// How long a batch may still wait.
#[derive(Default)]
struct Patience {
    /// CLOCK_BOOTTIME in nanoseconds; none before the first wait.
    until: Option<u64>,
}

impl Patience {
    /// Waits until the socket takes more; false where patience is at its end.
    fn wait(&mut self, socket: BorrowedFd<'_>) -> bool {
        let now = boottime();
        let until = *self.until.get_or_insert(now.saturating_add(PATIENCE));
        let Some(left) = until.checked_sub(now).filter(|&left| left > 0) else {
            return false;
        };
        let milliseconds = u16::try_from(left.div_ceil(1_000_000)).unwrap_or(u16::MAX);
        let mut fds = [PollFd::new(socket, PollFlags::POLLOUT)];
        matches!(
            poll(&mut fds, PollTimeout::from(milliseconds)),
            Ok(1..) | Err(Errno::EINTR)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends messages 0 to 9 to a socket that answers with `script` and then takes everything, and has room again after
    /// the first `rooms` waits; gives what became of each message, and how often it was waited.
    fn outcomes(script: &[Result<usize, Errno>], rooms: usize) -> (Vec<(Reason, u16)>, usize) {
        let (mut script, mut waits) = (script.iter(), 0);
        let mut outcomes = Vec::new();
        send_run(
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            |run| match script.next() {
                Some(Ok(sent)) => Ok(*sent),
                Some(Err(error)) => Err((*error).into()),
                None => Ok(run.len()),
            },
            || {
                waits += 1;
                waits <= rooms
            },
            |reason, positions| outcomes.extend(positions.iter().map(|&at| (reason, at))),
        );
        (outcomes, waits)
    }

    /// All sent, but for these.
    fn sent_except(others: &[(Reason, u16)]) -> Vec<(Reason, u16)> {
        let other = |at| others.iter().find(|(_, other)| *other == at).copied();
        (0..10)
            .map(|at| other(at).unwrap_or((Reason::Sent, at)))
            .collect()
    }

    #[test]
    fn what_a_call_leaves_over_is_sent_by_the_next() {
        assert_eq!(outcomes(&[], 0), (sent_except(&[]), 0));
        let script = [Ok(3), Err(Errno::EINTR), Ok(1), Ok(5)];
        assert_eq!(outcomes(&script, 0), (sent_except(&[]), 0));
    }

    #[test]
    fn a_message_that_fails_twice_is_skipped_alone() {
        use Errno::{ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENOBUFS};
        // An error left by somebody else's ICMP message is not this message's fault.
        let script = [Ok(2), Err(ECONNREFUSED)];
        assert_eq!(outcomes(&script, 0).0, sent_except(&[]));
        let script = [Ok(2), Err(ECONNREFUSED), Err(EHOSTUNREACH), Err(ENOBUFS)];
        assert_eq!(
            outcomes(&script, 0).0,
            sent_except(&[(Reason::SendFailed, 2)])
        );
        let script = [Err(EMSGSIZE), Ok(8), Err(EMSGSIZE)];
        let expected = [(Reason::TooBig, 0), (Reason::TooBig, 9)];
        assert_eq!(outcomes(&script, 0).0, sent_except(&expected));
        let script = [ENOBUFS; 4].map(Err);
        let expected = [(Reason::SendFailed, 0), (Reason::SendFailed, 1)];
        assert_eq!(outcomes(&script, 0).0, sent_except(&expected));
    }

    #[test]
    fn a_full_buffer_is_waited_for_as_long_as_patience_lasts() {
        let script = [Ok(4), Err(Errno::EAGAIN), Ok(1), Err(Errno::EAGAIN)];
        assert_eq!(outcomes(&script, 2), (sent_except(&[]), 2));
        let expected: Vec<_> = (5..10).map(|at| (Reason::SendFailed, at)).collect();
        assert_eq!(outcomes(&script, 1), (sent_except(&expected), 2));
    }
}
