//! The pairs of one session that the data plane serves. Moving to another is make-before-break: the new pair is opened,
//! media goes there once it is ready, and the former one is still read for a while, because packets are under way. Pairs that
//! are valid and not selected are open on trial: a peer may begin DTLS on any of them (RFC 8445 §12.1).

use arrayvec::ArrayVec;
use forwarder_common::tables::MAX_PAIRS_PER_SESSION;

use crate::{transport::Pair, worker::command::Reach};

/// How long a pair is read after media has left it, in nanoseconds.
pub const LINGER: u64 = 3_000_000_000;
/// How long a valid pair is read without being selected, in nanoseconds.
pub const TRIAL: u64 = 10_000_000_000;
/// The least time between two renewals of a pair's lease, in nanoseconds.
const RENEWAL: u64 = 1_000_000_000;
/// The least time between two requests to open a pair, in nanoseconds: opening may fail where descriptors have run out.
const RETRY: u64 = 2_000_000_000;
/// Pairs that one session has open: the current one, its successor, and two that linger or are on trial.
const MAX_OPEN: usize = MAX_PAIRS_PER_SESSION as usize;

/// Something for the data plane to do.
#[derive(Debug)]
pub enum Step {
    /// Open the pair.
    Open(Pair),
    /// Close it.
    Close(Pair),
    /// Send to the current pair this way from now on.
    Send(Reach),
    /// Send no more: there is no way.
    Silence,
}

/// What is to be done, in this order.
pub type Steps = ArrayVec<Step, { 2 * MAX_OPEN }>;

#[derive(Debug)]
struct Open {
    pair: Pair,
    /// `None` until the data plane has said that it is ready.
    reach: Option<Reach>,
    /// When the data plane was asked last.
    asked: u64,
    /// When it is closed; `None` while it is wanted.
    close_at: Option<u64>,
}

impl Open {
    /// Asks the data plane again, if it could not serve the pair so far.
    fn ask_again(&mut self, now: u64, steps: &mut Steps) {
        if self.reach.is_none() && now >= self.asked.saturating_add(RETRY) {
            self.asked = now;
            steps.push(Step::Open(self.pair));
        }
    }
}

/// The open pairs of a session.
#[derive(Debug, Default)]
pub struct OpenPairs {
    open: ArrayVec<Open, MAX_OPEN>,
    /// What ICE selected.
    selected: Option<Pair>,
    /// Where media goes: the selected pair, or the one before it until that is ready.
    current: Option<Pair>,
    renewed: u64,
}

impl OpenPairs {
    /// ICE selected a pair.
    pub fn select(&mut self, now: u64, pair: Pair) -> Steps {
        self.selected = Some(pair);
        let mut steps = Steps::new();
        match self.open.iter_mut().find(|open| open.pair == pair) {
            Some(open) => {
                open.close_at = None;
                if let Some(reach) = open.reach.clone() {
                    self.current = Some(pair);
                    steps.push(Step::Send(reach));
                }
            }
            None => {
                if self.open.is_full() {
                    self.close_oldest(&mut steps);
                }
                // There is room: of four open pairs one can be closed.
                self.open(now, pair, None, &mut steps);
            }
        }
        self.let_linger(now);
        steps
    }

    /// A pair is valid, and may be selected or not: what comes from it is read for a while, if there is room. The first one is
    /// selected until ICE says otherwise.
    pub fn try_out(&mut self, now: u64, pair: Pair) -> Steps {
        if self.selected.is_none() {
            return self.select(now, pair);
        }
        let mut steps = Steps::new();
        let until = now.saturating_add(TRIAL);
        match self.open.iter_mut().find(|open| open.pair == pair) {
            Some(open) => {
                if let Some(at) = &mut open.close_at {
                    *at = until.max(*at);
                }
                open.ask_again(now, &mut steps);
            }
            None => self.open(now, pair, Some(until), &mut steps),
        }
        steps
    }

    /// Opens a pair, if there is room.
    fn open(&mut self, now: u64, pair: Pair, close_at: Option<u64>, steps: &mut Steps) {
        let open = Open {
            pair,
            reach: None,
            asked: now,
            close_at,
        };
        if self.open.try_push(open).is_ok() {
            steps.push(Step::Open(pair));
        }
    }

    /// The peer still wants the selected pair: asks for it again, if the data plane could not serve it so far.
    pub fn insist(&mut self, now: u64) -> Steps {
        let mut steps = Steps::new();
        let selected = self.selected;
        let mut open = self.open.iter_mut();
        if let Some(open) = open.find(|open| selected == Some(open.pair)) {
            open.ask_again(now, &mut steps);
        }
        steps
    }

    /// The data plane serves a pair, or serves it another way.
    pub fn ready(&mut self, now: u64, pair: Pair, reach: Reach) -> Steps {
        let mut steps = Steps::new();
        let Some(open) = self.open.iter_mut().find(|open| open.pair == pair) else {
            return steps;
        };
        open.reach = Some(reach.clone());
        if self.selected == Some(pair) || self.current == Some(pair) {
            if self.selected == Some(pair) {
                self.current = Some(pair);
            }
            steps.push(Step::Send(reach));
            self.let_linger(now);
        }
        steps
    }

    /// A pair is gone: the TCP connection was closed, or another session proved itself on it.
    pub fn lose(&mut self, pair: Pair) -> Steps {
        let mut steps = Steps::new();
        self.selected.take_if(|selected| *selected == pair);
        if self.current.take_if(|current| *current == pair).is_some() {
            steps.push(Step::Silence);
        }
        if let Some(at) = self.open.iter().position(|open| open.pair == pair) {
            self.open.remove(at);
            steps.push(Step::Close(pair));
        }
        steps
    }

    /// Closes what has lingered long enough.
    pub fn handle_timeout(&mut self, now: u64) -> Steps {
        let mut steps = Steps::new();
        self.open.retain(|open| {
            let over = open.close_at.is_some_and(|at| at <= now);
            if over {
                steps.push(Step::Close(open.pair));
            }
            !over
        });
        steps
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.open.iter().filter_map(|open| open.close_at).min()
    }

    /// Whether the lease of the selected pair is to be renewed at `now`, which is at most once a second.
    pub fn take_renewal(&mut self, now: u64, pair: Pair) -> bool {
        let due = self.contains(pair) && now >= self.renewed.saturating_add(RENEWAL);
        if due {
            self.renewed = now;
        }
        due
    }

    /// Whether a pair is open.
    pub fn contains(&self, pair: Pair) -> bool {
        self.open.iter().any(|open| open.pair == pair)
    }

    /// All that are open.
    pub fn iter(&self) -> impl Iterator<Item = Pair> {
        self.open.iter().map(|open| open.pair)
    }

    /// Where media goes.
    pub const fn current(&self) -> Option<Pair> {
        self.current
    }

    /// The way to the current pair.
    pub fn reach(&self) -> Option<&Reach> {
        let current = self.current?;
        let open = self.open.iter().find(|open| open.pair == current)?;
        open.reach.as_ref()
    }

    /// Sets the time to close for all that are neither selected nor current.
    fn let_linger(&mut self, now: u64) {
        for open in &mut self.open {
            let wanted = self.selected == Some(open.pair) || self.current == Some(open.pair);
            if !wanted && open.close_at.is_none() {
                open.close_at = Some(now.saturating_add(LINGER));
            }
        }
    }

    fn close_oldest(&mut self, steps: &mut Steps) {
        let others = self.open.iter().enumerate();
        let oldest = others
            .filter(|(_, open)| self.current != Some(open.pair))
            .min_by_key(|(_, open)| open.close_at.unwrap_or(0));
        if let Some((at, _)) = oldest {
            let open = self.open.remove(at);
            steps.push(Step::Close(open.pair));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(port: u16) -> Pair {
        Pair::udp(([192, 0, 2, 1], 7700).into(), ([192, 0, 2, 2], port).into())
    }

    const fn reach(connection: u32) -> Reach {
        Reach::Tcp {
            connection,
            worker: 0,
        }
    }

    fn text(steps: &Steps) -> String {
        let one = |step: &Step| match step {
            Step::Open(pair) => format!("open {}", pair.remote.port()),
            Step::Close(pair) => format!("close {}", pair.remote.port()),
            Step::Send(Reach::Tcp { connection, .. }) => format!("send {connection}"),
            Step::Send(_) => "send".to_owned(),
            Step::Silence => "silence".to_owned(),
        };
        steps.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn media_moves_once_the_new_pair_is_ready_and_the_old_one_lingers() {
        let mut pairs = OpenPairs::default();
        assert_eq!(text(&pairs.select(0, pair(1))), "open 1");
        assert_eq!(text(&pairs.ready(1, pair(1), reach(1))), "send 1");
        assert_eq!(text(&pairs.select(2, pair(2))), "open 2");
        assert_eq!(
            (pairs.current(), pairs.poll_timeout()),
            (Some(pair(1)), None)
        );
        // The old pair moves to another device meanwhile.
        assert_eq!(text(&pairs.ready(3, pair(1), reach(9))), "send 9");
        assert_eq!(text(&pairs.ready(10, pair(2), reach(2))), "send 2");
        assert_eq!(pairs.current(), Some(pair(2)));
        assert_eq!(pairs.poll_timeout(), Some(10 + LINGER));
        assert_eq!(text(&pairs.handle_timeout(9 + LINGER)), "");
        assert_eq!(text(&pairs.handle_timeout(10 + LINGER)), "close 1");
        assert_eq!(pairs.iter().collect::<Vec<_>>(), [pair(2)]);
    }

    #[test]
    fn back_to_a_pair_that_lingers_needs_no_opening() {
        let mut pairs = OpenPairs::default();
        pairs.select(0, pair(1));
        pairs.ready(0, pair(1), reach(1));
        pairs.select(0, pair(2));
        pairs.ready(0, pair(2), reach(2));
        assert_eq!(text(&pairs.select(5, pair(1))), "send 1");
        assert_eq!(text(&pairs.handle_timeout(5 + LINGER)), "close 2");
        assert_eq!(pairs.current(), Some(pair(1)));
    }

    #[test]
    fn a_pair_that_could_not_be_opened_is_asked_for_again() {
        let mut pairs = OpenPairs::default();
        assert_eq!(text(&pairs.insist(RETRY)), "");
        pairs.select(0, pair(1));
        assert_eq!(text(&pairs.insist(RETRY - 1)), "");
        assert_eq!(text(&pairs.insist(RETRY)), "open 1");
        assert_eq!(text(&pairs.insist(RETRY + 1)), "");
        pairs.ready(RETRY + 2, pair(1), reach(1));
        assert_eq!(text(&pairs.insist(9 * RETRY)), "");
    }

    #[test]
    fn a_restless_peer_holds_four_pairs_at_most() {
        let mut pairs = OpenPairs::default();
        pairs.select(0, pair(1));
        pairs.ready(0, pair(1), reach(1));
        for port in 2..100 {
            pairs.select(0, pair(port));
            assert!(pairs.open.len() <= MAX_OPEN);
            assert!(pairs.contains(pair(1)) && pairs.contains(pair(port)));
        }
    }

    #[test]
    fn valid_pairs_are_open_before_one_of_them_is_selected() {
        let mut pairs = OpenPairs::default();
        assert_eq!(text(&pairs.try_out(0, pair(1))), "open 1");
        assert_eq!(text(&pairs.ready(0, pair(1), reach(1))), "send 1");
        for port in 2..=4 {
            let opened = pairs.try_out(u64::from(port), pair(port));
            assert_eq!(text(&opened), format!("open {port}"));
            // They are read, and nothing is sent there.
            assert_eq!(text(&pairs.ready(9, pair(port), reach(port.into()))), "");
        }
        assert_eq!(text(&pairs.try_out(9, pair(5))), "", "four are open");
        assert_eq!(pairs.poll_timeout(), Some(2 + TRIAL));
        // Who is still heard stays.
        assert_eq!(text(&pairs.try_out(9, pair(2))), "");
        // The selected one was open already.
        assert_eq!(text(&pairs.select(10, pair(3))), "send 3");
        assert_eq!(text(&pairs.handle_timeout(10 + LINGER)), "close 1");
        assert_eq!(text(&pairs.handle_timeout(4 + TRIAL)), "close 4");
        assert_eq!(text(&pairs.handle_timeout(9 + TRIAL)), "close 2");
        assert_eq!(pairs.iter().collect::<Vec<_>>(), [pair(3)]);
        assert_eq!(pairs.poll_timeout(), None);
    }

    #[test]
    fn a_pair_on_trial_makes_room_for_the_selected_one() {
        let mut pairs = OpenPairs::default();
        for port in 1..=4 {
            pairs.try_out(port.into(), pair(port));
            pairs.ready(9, pair(port), reach(port.into()));
        }
        assert_eq!(text(&pairs.select(10, pair(9))), "close 2, open 9");
        assert_eq!(pairs.current(), Some(pair(1)));
        assert_eq!(text(&pairs.ready(11, pair(9), reach(9))), "send 9");
    }

    #[test]
    fn a_lost_pair_is_silent_and_closed() {
        let mut pairs = OpenPairs::default();
        pairs.select(0, pair(1));
        pairs.ready(0, pair(1), reach(1));
        assert!(pairs.take_renewal(RENEWAL, pair(1)));
        assert!(!pairs.take_renewal(RENEWAL + 1, pair(1)));
        assert_eq!(text(&pairs.lose(pair(1))), "silence, close 1");
        assert_eq!(text(&pairs.lose(pair(1))), "");
        assert_eq!(text(&pairs.ready(1, pair(1), reach(1))), "");
        assert!(pairs.reach().is_none());
    }
}
