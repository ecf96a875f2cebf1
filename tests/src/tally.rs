//! Who received what: per receiver and stream, which packets came, how often, in which order.

use std::collections::BTreeMap;

use crate::rtp::Stream;

/// What one receiver got of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// One bit per packet index.
    seen: Vec<u64>,
    /// Different packets that came.
    pub packets: u64,
    /// RTP bytes of all that came.
    pub bytes: u64,
    /// Packets that came once more.
    pub duplicates: u64,
    /// Packets that came after one of a higher index.
    pub reordered: u64,
    /// Lowest index that came.
    pub first: Option<u64>,
    /// Highest index that came.
    pub last: Option<u64>,
}

impl Tally {
    /// Notes a packet.
    pub fn note(&mut self, index: u64, bytes: usize) {
        self.bytes += bytes as u64;
        let (word, bit) = ((index / 64) as usize, 1 << (index % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.duplicates += 1;
            return;
        }
        self.seen[word] |= bit;
        self.packets += 1;
        self.reordered += u64::from(self.last.is_some_and(|last| index < last));
        self.first = Some(self.first.map_or(index, |first| first.min(index)));
        self.last = Some(self.last.map_or(index, |last| last.max(index)));
    }

    /// Whether packet `index` came.
    #[must_use]
    pub fn has(&self, index: u64) -> bool {
        self.seen
            .get((index / 64) as usize)
            .is_some_and(|word| word >> (index % 64) & 1 != 0)
    }

    /// The packets of `wanted` that did not come.
    pub fn missing(&self, wanted: std::ops::Range<u64>) -> impl Iterator<Item = u64> + '_ {
        wanted.filter(|index| !self.has(*index))
    }

    /// Says what differs from "every packet of `wanted`, once, and nothing else"; `None` if nothing does. Order is not asked.
    #[must_use]
    pub fn differs_from(&self, wanted: std::ops::Range<u64>) -> Option<String> {
        let missing: Vec<u64> = self.missing(wanted.clone()).collect();
        let surplus =
            self.packets - (wanted.end.saturating_sub(wanted.start) - missing.len() as u64);
        let mut differences = Vec::new();
        if let Some(first) = missing.first() {
            differences.push(format!("{} missing, the first is {first}", missing.len()));
        }
        if surplus > 0 {
            differences.push(format!(
                "{surplus} outside {wanted:?} (came {:?} to {:?})",
                self.first, self.last
            ));
        }
        if self.duplicates > 0 {
            differences.push(format!("{} twice", self.duplicates));
        }
        (!differences.is_empty()).then(|| differences.join(", "))
    }
}

/// A stream that a receiver is to get, and what it got of it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The stream as it must arrive.
    pub stream: Stream,
    /// What came.
    pub tally: Tally,
}

/// What the receivers of one namespace got.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Per receiver and SSRC.
    pub streams: BTreeMap<(usize, u32), Expected>,
    /// Packets that differ from what their stream says, or belong to none. Must be 0.
    pub faulty: u64,
    /// The first of them, in words.
    pub faults: Vec<String>,
    /// Packets that the sockets lost for lack of room: nothing exact can be said if there are any.
    pub lost: u64,
    /// Time from sending to reading, nanoseconds.
    pub latency: Latency,
}

/// A histogram of nanoseconds, two significant digits.
#[derive(Clone, Debug)]
pub struct Latency(hdrhistogram::Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        // With bounds, since `saturating_record` clamps to them instead of growing.
        let minute = 60_000_000_000;
        let histogram = hdrhistogram::Histogram::new_with_bounds(1, minute, 2);
        Self(histogram.expect("two digits and these bounds are allowed"))
    }
}

impl Latency {
    /// Notes a duration.
    pub fn note(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// The duration below which this share (0 to 1) of all lie, nanoseconds.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// How many were noted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

impl Report {
    /// All packets that came as they should, duplicates aside.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.streams
            .values()
            .map(|expected| expected.tally.packets)
            .sum()
    }

    /// What receiver `n` got of the stream it sees under this SSRC.
    #[must_use]
    pub fn tally(&self, receiver: usize, ssrc: u32) -> Option<&Tally> {
        self.streams
            .get(&(receiver, ssrc))
            .map(|expected| &expected.tally)
    }

    /// Every receiver got the packets `wanted` of every stream it expects, once each, and nothing else.
    ///
    /// # Errors
    /// With the first differences, in words.
    pub fn exactly(&self, wanted: std::ops::Range<u64>) -> anyhow::Result<()> {
        let mut differences: Vec<String> = self.faults.clone();
        for ((receiver, ssrc), expected) in &self.streams {
            if let Some(difference) = expected.tally.differs_from(wanted.clone()) {
                differences.push(format!("receiver {receiver}, ssrc {ssrc:#x}: {difference}"));
            }
        }
        anyhow::ensure!(
            self.lost == 0,
            "the receivers' own sockets lost {} packets: nothing exact can be said",
            self.lost
        );
        let count = differences.len();
        differences.truncate(12);
        anyhow::ensure!(
            count == 0 && self.faulty == 0,
            "{} faulty packets, {count} differences:\n  {}",
            self.faulty,
            differences.join("\n  ")
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told() {
        let mut tally = Tally::default();
        for index in [0, 1, 3, 2, 70] {
            tally.note(index, 100);
        }
        assert_eq!(
            (
                tally.packets,
                tally.bytes,
                tally.reordered,
                tally.duplicates
            ),
            (5, 500, 1, 0)
        );
        assert_eq!(
            tally.differs_from(0..4).unwrap(),
            "1 outside 0..4 (came Some(0) to Some(70))"
        );
        tally.note(3, 100);
        assert_eq!(
            tally.differs_from(0..71).unwrap(),
            "66 missing, the first is 4, 1 twice"
        );
        assert_eq!(Tally::default().differs_from(5..5), None);
    }

    #[test]
    fn quantiles_are_those_of_what_was_noted() {
        let mut latency = Latency::default();
        for microseconds in 1..=100 {
            latency.note(microseconds * 1_000);
        }
        let (half, most) = (latency.quantile(0.5), latency.quantile(0.99));
        assert!((49_000..=51_000).contains(&half), "{half}");
        assert!((98_000..=100_000).contains(&most), "{most}");
        assert_eq!(latency.count(), 100);
    }
}
