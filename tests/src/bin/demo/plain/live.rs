//! What is shown while media flows: a table that is drawn over on a terminal, else one line a second.

use std::time::Duration;

use crate::cpu::Used;
use crate::table::{Screen, align, microseconds, plain_table};
use super::media::{self, Publication};

/// One look at everything.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Since the media began.
    pub elapsed: Duration,
    /// Packets that left the publisher, by publication.
    pub sent: [u64; media::COUNT],
    /// Replicas that came and were right, by publication.
    pub received: [u64; media::COUNT],
    /// Replicas that should have come and have not, by publication.
    pub missing: [u64; media::COUNT],
    /// Packets that differ from their original or belong to nobody.
    pub faulty: u64,
    /// Pictures decoded, per decoding receiver.
    pub frames: Vec<u64>,
    /// From the publisher's interface to the receiver's: half of the last second's replicas took less, nanoseconds.
    pub p50_ns: u64,
    /// 99 of 100 took less.
    pub p99_ns: u64,
    /// CPU time.
    pub used: Used,
}

/// Shows looks as they come.
pub struct Display {
    screen: Screen,
    last: Look,
    publications: [Publication; media::COUNT],
    path: String,
}

impl Display {
    /// A display for standard output; quiet if that is to hold JSON only.
    pub fn new(quiet: bool, publications: [Publication; media::COUNT], path: &str) -> Self {
        Self {
            screen: Screen::new(quiet),
            last: Look::default(),
            publications,
            path: path.to_owned(),
        }
    }

    /// Shows a look.
    pub fn show(&mut self, look: Look) {
        let mut screen = std::mem::replace(&mut self.screen, Screen::new(true));
        screen.show(|| self.table(&look), || self.line(&look));
        self.screen = screen;
        self.last = look;
    }

    fn seconds_since_last(&self, look: &Look) -> f64 {
        (look.elapsed.saturating_sub(self.last.elapsed))
            .as_secs_f64()
            .max(1e-3)
    }

    fn line(&self, look: &Look) -> String {
        let seconds = self.seconds_since_last(look);
        let (sent, received) = (sum(&look.sent), sum(&look.received));
        format!(
            "{:>3.0} s  in {sent} ({:.0}/s)  replicas {received} ({:.0}/s)  lost {}  wrong {}  path {}  latency p50 {} p99 {}  \
             cpu/replica {}  frames {}",
            look.elapsed.as_secs_f64(),
            (sent - sum(&self.last.sent)) as f64 / seconds,
            (received - sum(&self.last.received)) as f64 / seconds,
            sum(&look.missing),
            look.faulty,
            self.path,
            microseconds(look.p50_ns as f64),
            microseconds(look.p99_ns as f64),
            microseconds(look.used.per_replica_ns(received)),
            frames(&look.frames),
        )
    }

    fn table(&self, look: &Look) -> String {
        let seconds = self.seconds_since_last(look);
        let mut table = plain_table(&["stream", "in", "in/s", "replicas", "replicas/s", "lost"]);
        for (n, publication) in self.publications.iter().enumerate() {
            let rate = |now: u64, before: u64| format!("{:.0}", (now - before) as f64 / seconds);
            table.add_row([
                publication.to_string(),
                look.sent[n].to_string(),
                rate(look.sent[n], self.last.sent[n]),
                look.received[n].to_string(),
                rate(look.received[n], self.last.received[n]),
                look.missing[n].to_string(),
            ]);
        }
        align(&mut table);
        format!(
            "{table}\n{:.0} s, path {}, wrong {}, latency p50 {} p99 {}\nCPU per replica at most {}; pictures decoded {}",
            look.elapsed.as_secs_f64(),
            self.path,
            look.faulty,
            microseconds(look.p50_ns as f64),
            microseconds(look.p99_ns as f64),
            microseconds(look.used.per_replica_ns(sum(&look.received))),
            frames(&look.frames),
        )
    }
}

/// Of all publications.
pub fn sum(by_publication: &[u64; media::COUNT]) -> u64 {
    by_publication.iter().sum()
}

fn frames(all: &[u64]) -> String {
    all.iter().map(u64::to_string).collect::<Vec<_>>().join("/")
}
