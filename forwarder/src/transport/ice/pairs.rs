//! The 5-tuples that authentic checks came over, and the one among them that is selected.

use arrayvec::ArrayVec;

use super::CONSENT;
use crate::transport::{Pair, Protocol};

/// How many are remembered: a peer with several interfaces of both families, over UDP and TCP, has no more that work at once.
const REMEMBERED: usize = 8;

/// A pair that was checked so lately, in nanoseconds, works: agents check the pair that they use every five seconds or so
/// (RFC 7675 §5.1).
const FRESH: u64 = 7_000_000_000;

#[derive(Debug, Clone, Copy)]
struct Known {
    pair: Pair,
    /// Stands for the pair among the [transactions](super::transactions).
    number: u32,
    priority: u32,
    /// When the last authentic check came.
    heard: u64,
    /// The number of the last nomination of this pair, counted over the session.
    nominated: Option<u64>,
}

/// A session's pairs.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    known: ArrayVec<Known, REMEMBERED>,
    selected: Option<Pair>,
    nominations: u64,
    numbers: u32,
}

impl Pairs {
    fn find(&self, pair: Pair) -> Option<&Known> {
        self.known.iter().find(|known| known.pair == pair)
    }

    /// The number of a known pair.
    pub(super) fn number(&self, pair: Pair) -> Option<u32> {
        self.find(pair).map(|known| known.number)
    }

    pub(super) fn contains(&self, pair: Pair) -> bool {
        self.find(pair).is_some()
    }

    pub(super) const fn selected(&self) -> Option<Pair> {
        self.selected
    }

    pub(super) fn selected_until(&self) -> Option<u64> {
        let known = self.find(self.selected?)?;
        Some(known.heard.saturating_add(CONSENT))
    }

    /// An authentic check came over a pair. Returns whether the pair is new; the one not heard of for longest makes room for it.
    pub(super) fn heard(&mut self, now: u64, pair: Pair, priority: u32) -> bool {
        if let Some(known) = self.known.iter_mut().find(|known| known.pair == pair) {
            (known.heard, known.priority) = (now, priority);
            return false;
        }
        if self.known.is_full() {
            let others = self.known.iter().enumerate();
            let longest = others
                .filter(|(_, known)| self.selected != Some(known.pair))
                .min_by_key(|(_, known)| known.heard);
            if let Some((at, _)) = longest {
                self.known.swap_remove(at);
            }
        }
        self.numbers = self.numbers.wrapping_add(1);
        let known = Known {
            pair,
            number: self.numbers,
            priority,
            heard: now,
            nominated: None,
        };
        // There is room: at most one of them is the selected pair.
        self.known.try_push(known).is_ok()
    }

    /// A check with USE-CANDIDATE came over a known pair. Returns whether the selected pair has changed. `restarted` says that it is
    /// the first nomination under new credentials, which counts whatever was before.
    ///
    /// A peer that nominates regularly names one pair at a time, and its last word counts, whatever the priorities: that is roaming.
    /// One that nominates aggressively (RFC 5245 §8.1.1.2) puts USE-CANDIDATE into all checks, and then the priority decides
    /// (RFC 8445 §8.1.1). They are told apart by whether the selected pair was nominated again since this pair was the last time.
    ///
    /// Firefox nominates each pair once, as its check succeeds, and uses the best. From UDP that works to TCP, which always comes last,
    /// nobody moves by choice; from one that is wrong for other reasons [`Self::goes_on_over`] finds back.
    pub(super) fn nominate(&mut self, now: u64, pair: Pair, restarted: bool) -> bool {
        let Some(known) = self.known.iter_mut().find(|known| known.pair == pair) else {
            return false;
        };
        self.nominations += 1;
        let (before, priority) = (known.nominated.replace(self.nominations), known.priority);
        if self.selected == Some(pair) {
            return false;
        }
        let stays = self.selected.and_then(|selected| self.find(selected));
        let stays = stays.is_some_and(|selected| {
            let alternates = before.is_some() && selected.nominated > before;
            let fresh = now < selected.heard.saturating_add(FRESH);
            let is_worse =
                selected.pair.protocol == Protocol::Udp && pair.protocol == Protocol::Tcp;
            let stays = alternates && selected.priority >= priority || is_worse && fresh;
            stays && !restarted
        });
        if !stays {
            self.selected = Some(pair);
        }
        if restarted {
            let others = self.known.iter_mut().filter(|known| known.pair != pair);
            others.for_each(|known| known.nominated = None);
        }
        !stays
    }

    /// A check came over a pair. Returns whether that is the selected pair now, because it was nominated once, and the one that was
    /// selected is checked no more.
    pub(super) fn goes_on_over(&mut self, now: u64, pair: Pair) -> bool {
        let is_nominated = self.find(pair).is_some_and(|it| it.nominated.is_some());
        let selected = self.selected.and_then(|selected| self.find(selected));
        let is_silent = selected.is_some_and(|it| now >= it.heard.saturating_add(FRESH));
        if is_nominated && is_silent {
            self.selected = Some(pair);
        }
        is_nominated && is_silent
    }

    /// Returns whether the pair was the selected one.
    pub(super) fn forget(&mut self, pair: Pair) -> bool {
        self.known.retain(|known| known.pair != pair);
        self.selected
            .take_if(|selected| *selected == pair)
            .is_some()
    }

    /// Forgets what has not been heard of for [`CONSENT`]; returns the selected pair if it is among them.
    pub(super) fn expire(&mut self, now: u64) -> Option<Pair> {
        self.known
            .retain(|known| now < known.heard.saturating_add(CONSENT));
        let selected = self.selected?;
        if self.contains(selected) {
            return None;
        }
        self.selected.take()
    }

    pub(super) fn poll_timeout(&self) -> u64 {
        let heard = self.known.iter().map(|known| known.heard).min();
        heard.map_or(u64::MAX, |heard| heard.saturating_add(CONSENT))
    }
}
