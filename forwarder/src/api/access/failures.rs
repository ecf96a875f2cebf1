//! Guessing: whoever shows credentials that do not hold may do so a number of times, and then as often as that number renews.
//!
//! Each source has an allowance of its own, so that one that guesses keeps nobody else out. Until it renews, credentials from that
//! source are not looked at, right ones neither: else the answers would tell them apart, and guessing go on.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Source;

/// Sources that are remembered; the one that may guess most is forgotten first.
const MOST: usize = 4096;

/// How often a source may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// At once.
    pub burst: u32,
    /// Time until there is one more.
    pub renewal: Duration,
}

/// How often sources may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowances {
    /// This host: a proxy on it may stand for many.
    pub loopback: Allowance,
    /// Every other one.
    pub others: Allowance,
}

impl Default for Allowances {
    fn default() -> Self {
        Self {
            loopback: Allowance {
                burst: 1000,
                renewal: Duration::from_millis(10),
            },
            others: Allowance {
                burst: 20,
                renewal: Duration::from_secs(3),
            },
        }
    }
}

impl Allowances {
    const fn of(&self, source: Source) -> Allowance {
        if source.is_loopback() {
            self.loopback
        } else {
            self.others
        }
    }
}

/// Who has failed lately.
pub struct Failures {
    allowances: Allowances,
    /// When each source's allowance will be whole again.
    whole_at: Mutex<HashMap<Source, Instant>>,
}

impl Failures {
    /// Nobody has.
    pub fn new(allowances: Allowances) -> Self {
        Self {
            allowances,
            whole_at: Mutex::default(),
        }
    }

    fn whole_at(&self) -> MutexGuard<'_, HashMap<Source, Instant>> {
        // Nothing that holds it can panic half way.
        self.whole_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long credentials from a source are not looked at, if at all.
    pub fn wait(&self, source: Source, now: Instant) -> Option<Duration> {
        let whole_at = *self.whole_at().get(&source)?;
        let Allowance { burst, renewal } = self.allowances.of(source);
        let missing = whole_at.saturating_duration_since(now);
        let most = renewal * burst.saturating_sub(1);
        (missing > most).then(|| missing - most)
    }

    /// Notes that a source has failed.
    pub fn note(&self, source: Source, now: Instant) {
        let mut sources = self.whole_at();
        if sources.len() >= MOST && !sources.contains_key(&source) {
            sources.retain(|_, whole_at| *whole_at > now);
            let least = sources.iter().min_by_key(|(_, whole_at)| **whole_at);
            let least = least.map(|(source, _)| *source);
            if let Some(least) = least.filter(|_| sources.len() >= MOST) {
                sources.remove(&least);
            }
        }
        let whole_at = sources.entry(source).or_insert(now);
        *whole_at = (*whole_at).max(now) + self.allowances.of(source).renewal;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn source(number: u32) -> Source {
        IpAddr::from(Ipv4Addr::from(0x0a00_0000 + number)).into()
    }

    #[test]
    fn an_allowance_is_used_up_and_renews() {
        let (failures, now) = (Failures::new(Allowances::default()), Instant::now());
        let others = Allowances::default().others;
        for _ in 0..others.burst {
            assert_eq!(failures.wait(source(1), now), None);
            failures.note(source(1), now);
        }
        assert_eq!(failures.wait(source(1), now), Some(others.renewal));
        assert_eq!(failures.wait(source(2), now), None);
        let later = now + others.renewal;
        assert_eq!(failures.wait(source(1), later), None);
        failures.note(source(1), later);
        assert_eq!(failures.wait(source(1), later), Some(others.renewal));
        let whole = later + others.renewal * others.burst;
        for _ in 0..others.burst {
            assert_eq!(failures.wait(source(1), whole), None);
            failures.note(source(1), whole);
        }
        assert!(failures.wait(source(1), whole).is_some());
        let own = IpAddr::from(Ipv4Addr::LOCALHOST).into();
        for _ in 0..others.burst * 10 {
            failures.note(own, now);
        }
        assert_eq!(failures.wait(own, now), None);
    }

    #[test]
    fn the_table_has_a_bound_and_keeps_the_worst() {
        let (failures, now) = (Failures::new(Allowances::default()), Instant::now());
        for _ in 0..Allowances::default().others.burst {
            failures.note(source(0), now);
        }
        for number in 1..20_000 {
            failures.note(source(number), now);
        }
        assert_eq!(failures.whole_at().len(), MOST);
        assert!(failures.wait(source(0), now).is_some());
    }
}
