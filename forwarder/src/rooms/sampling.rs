//! What is looked at from time to time while somebody is there: how loud the sound of publications is, and how much they bring.

use std::sync::atomic::Ordering::Relaxed;

use super::{Rooms, What, speaking::Levels};
use crate::{
    media::Kind,
    sessions::{Sessions, ids::SessionId},
};

/// How often, in nanoseconds.
const EVERY: u64 = 150_000_000;
/// Rates are over so many nanoseconds at least.
const RATE_OVER: u64 = 1_000_000_000;
/// Nanoseconds in a second.
const SECOND: u128 = 1_000_000_000;

/// How much a session brings.
#[derive(Debug, Default)]
pub struct Meter {
    since: Option<(u64, u64)>,
    rate: u64,
}

impl Meter {
    /// Bits per second, over the last whole second or a little more.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// Takes in how many bytes have come by now.
    fn count(&mut self, now: u64, bytes: u64) {
        let (since, before) = *self.since.get_or_insert((now, bytes));
        let passed = now.saturating_sub(since);
        // A publication that ended has taken its bytes along.
        if bytes < before {
            self.since = Some((now, bytes));
        } else if passed >= RATE_OVER {
            let bits = u128::from(bytes - before) * 8 * SECOND / u128::from(passed);
            self.rate = u64::try_from(bits).unwrap_or(u64::MAX);
            self.since = Some((now, bytes));
        }
    }
}

impl Rooms {
    /// When [`Self::handle_timeout`] has something to do; `u64::MAX` if never.
    #[must_use]
    pub fn poll_timeout(&self) -> u64 {
        let offers = self.deadlines.first().map(|(due, _)| *due);
        let all = [self.sample_due, offers].into_iter().flatten();
        all.min().unwrap_or(u64::MAX)
    }

    /// Does what is due. [`Self::settle`] does what follows.
    pub fn handle_timeout(&mut self, sessions: &mut Sessions, now: u64) {
        self.give_offers_up(sessions, now);
        if self.sample_due.is_some_and(|due| due <= now) {
            self.sample(sessions, now);
            self.sample_due = Some(now + EVERY);
        }
    }

    /// Somebody is there.
    pub(super) fn begin_sampling(&mut self, now: u64) {
        self.sample_due.get_or_insert(now + EVERY);
    }

    fn sample(&mut self, sessions: &Sessions, now: u64) {
        let mut changed: Vec<(SessionId, What)> = Vec::new();
        for (id, member) in &mut self.members {
            let mut bytes = 0_u64;
            for publication in sessions.publications(*id) {
                let counters = publication.counters;
                bytes = bytes.wrapping_add(counters.bytes.load(Relaxed));
                if publication.kind != Kind::Audio {
                    continue;
                }
                let muted = publication.muted;
                let publication = publication.id;
                let speaker = self.speakers.entry(publication).or_default();
                // Nobody hears who is muted.
                let levels = if muted {
                    speaker.before()
                } else {
                    Levels {
                        packets: counters.levels.load(Relaxed),
                        loudness: counters.loudness.load(Relaxed),
                        voiced: counters.voiced.load(Relaxed),
                    }
                };
                if let Some(speaking) = speaker.sample(levels) {
                    changed.push((
                        *id,
                        What::Speaking {
                            publication,
                            speaking,
                        },
                    ));
                }
            }
            member.meter.count(now, bytes);
        }
        for room in self.rooms.values_mut() {
            let rates = room.members.iter().filter_map(|id| self.members.get(id));
            room.bitrate = rates.map(|member| member.meter.rate()).sum();
        }
        // No version changes: whoever holds one would else never get to use it.
        for (session, what) in changed {
            self.tell(session, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_over_a_second_and_begin_anew_when_something_ended() {
        let mut meter = Meter::default();
        meter.count(0, 500);
        meter.count(EVERY, 1_000);
        assert_eq!(meter.rate(), 0);
        meter.count(2 * RATE_OVER, 500 + 250_000);
        assert_eq!(meter.rate(), 1_000_000);
        meter.count(3 * RATE_OVER, 100);
        assert_eq!(meter.rate(), 1_000_000);
        meter.count(4 * RATE_OVER, 100);
        assert_eq!(meter.rate(), 0);
    }
}
