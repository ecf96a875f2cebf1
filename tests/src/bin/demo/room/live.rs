//! What is shown while media flows: a table that is drawn over on a terminal, else one line a second.

use std::time::Duration;

use forwarder_tests::rtc::{Published, Report};

use crate::table::{Screen, align, plain_table};

/// One look at everything.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Since everybody was there.
    pub elapsed: Duration,
    /// Per published track.
    pub tracks: Vec<TrackLook>,
    /// SRTP packets that subscribers have received.
    pub packets: u64,
    /// Of all subscribers: packets that are missing, doubled or out of order.
    pub odd_packets: u64,
}

/// One look at a published track.
#[derive(Clone, Debug, Default)]
pub struct TrackLook {
    /// What it is.
    pub name: String,
    /// Frames that were published.
    pub published: u64,
    /// Frames that subscribers received, and that are right.
    pub received: u64,
    /// Frames that they missed.
    pub missing: u64,
    /// Frames that are wrong, doubled or misnumbered.
    pub wrong: u64,
}

impl Look {
    /// Sums up what subscribers saw; their tracks come in the order in which everything was published.
    pub fn of(elapsed: Duration, published: &[Published], reports: &[Report]) -> Self {
        let mut look = Self {
            elapsed,
            ..Self::default()
        };
        for (n, one) in published.iter().enumerate() {
            let mut track = TrackLook {
                name: name(n, one),
                published: one.track.ledger.len(),
                ..TrackLook::default()
            };
            let mid = n.to_string();
            for inbound in reports.iter().filter_map(|report| report.inbound.get(&mid)) {
                track.received += inbound.frames;
                track.missing += inbound.missing();
                track.wrong += inbound.wrong + inbound.doubled + inbound.misnumbered;
            }
            look.tracks.push(track);
        }
        for stream in reports.iter().flat_map(|report| report.wire.streams.values()) {
            look.packets += stream.packets;
            look.odd_packets += stream.lost() + stream.duplicates + stream.reordered;
        }
        look
    }

    /// Packets from one look to a later one.
    pub fn packets_between(before: &Self, after: &Self) -> u64 {
        after.packets.saturating_sub(before.packets)
    }

    fn sum(&self, of: impl Fn(&TrackLook) -> u64) -> u64 {
        self.tracks.iter().map(of).sum()
    }
}

/// A published track in words.
pub fn name(n: usize, published: &Published) -> String {
    let codec = published.track.clip.codec;
    format!("{} of publisher {}", codec.name(), n / 2 + 1)
}

/// Shows looks as they come.
pub struct Display {
    screen: Screen,
    path: String,
    last: Look,
}

impl Display {
    /// A display for standard output; quiet if that is to hold JSON only.
    pub fn new(quiet: bool, path: &str) -> Self {
        Self {
            screen: Screen::new(quiet),
            path: path.to_owned(),
            last: Look::default(),
        }
    }

    /// Shows a look.
    pub fn show(&mut self, look: Look) {
        let seconds = look.elapsed.saturating_sub(self.last.elapsed);
        let rate = Look::packets_between(&self.last, &look) as f64 / seconds.as_secs_f64().max(1e-3);
        let tail = format!(
            "path {}  packets {} ({rate:.0}/s), {} of them lost, twice or late",
            self.path, look.packets, look.odd_packets
        );
        let line = || {
            format!(
                "{:>3.0} s  frames {} published, {} received, {} missing, {} wrong  {tail}",
                look.elapsed.as_secs_f64(),
                look.sum(|track| track.published),
                look.sum(|track| track.received),
                look.sum(|track| track.missing),
                look.sum(|track| track.wrong),
            )
        };
        self.screen.show(|| table(&look, &tail), line);
        // The first second has no look before it.
        self.last = look;
    }
}

fn table(look: &Look, tail: &str) -> String {
    let mut table = plain_table(&["track", "published", "received", "missing", "wrong"]);
    for track in &look.tracks {
        table.add_row([
            track.name.clone(),
            track.published.to_string(),
            track.received.to_string(),
            track.missing.to_string(),
            track.wrong.to_string(),
        ]);
    }
    align(&mut table);
    format!("{table}\n{:.0} s  {tail}", look.elapsed.as_secs_f64())
}
