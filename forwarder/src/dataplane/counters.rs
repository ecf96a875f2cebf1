//! What was carried: traffic per hop and per route, and a count per reason, one row per CPU, summed by the reader.
//!
//! A row has one writer (the programs of one CPU, or the socket worker), so adding is a plain load and store.

use std::{io, sync::atomic::Ordering::Relaxed};

use forwarder_common::{
    reason::{self, Reason},
    tables::Traffic,
};

use super::region::{Region, WORD};

/// Bytes of one [`Traffic`].
pub const TRAFFIC_STRIDE: usize = size_of::<Traffic>();

/// [`Traffic`] of `entries` things, in one row per CPU: element `cpu * entries + index`.
#[derive(Debug)]
pub struct TrafficTable {
    region: Region,
    entries: u32,
    cpus: u32,
}

impl TrafficTable {
    /// Bytes that `entries` things take on `cpus` CPUs.
    #[must_use]
    pub fn len(entries: u32, cpus: u32) -> usize {
        entries as usize * cpus as usize * TRAFFIC_STRIDE
    }

    /// A table in `region`, which is at least [`TrafficTable::len`] bytes long; what it lacks reads as zero.
    #[must_use]
    pub fn new(region: Region, entries: u32, cpus: u32) -> Self {
        Self {
            region,
            entries,
            cpus,
        }
    }

    fn at(&self, cpu: u32, index: u32) -> Option<usize> {
        let element = cpu as usize * self.entries as usize + index as usize;
        (cpu < self.cpus && index < self.entries).then_some(element * TRAFFIC_STRIDE)
    }

    /// The sum over all CPUs; nothing for an index outside.
    #[must_use]
    pub fn sum(&self, index: u32) -> Traffic {
        let mut sum = Traffic::default();
        for words in (0..self.cpus).filter_map(|cpu| self.region.words::<3>(self.at(cpu, index)?)) {
            let [packets, bytes, last_seen] = words;
            sum.packets = sum.packets.wrapping_add(packets.load(Relaxed));
            sum.bytes = sum.bytes.wrapping_add(bytes.load(Relaxed));
            sum.last_seen = sum.last_seen.max(last_seen.load(Relaxed));
        }
        sum
    }

    /// Counts one packet with `bytes` of UDP payload at `now` (CLOCK_BOOTTIME, nanoseconds) in the row of `cpu`, whose
    /// only writer the caller is.
    #[inline]
    pub fn add(&self, cpu: u32, index: u32, bytes: u64, now: u64) {
        let words = self
            .at(cpu, index)
            .and_then(|at| self.region.words::<3>(at));
        if let Some([packets, total, last_seen]) = words {
            packets.store(packets.load(Relaxed).wrapping_add(1), Relaxed);
            total.store(total.load(Relaxed).wrapping_add(bytes), Relaxed);
            last_seen.store(now, Relaxed);
        }
    }

    /// Forgets what `index` carried, for an index that is about to be reused and that nobody counts at.
    pub fn clear(&self, index: u32) {
        for words in (0..self.cpus).filter_map(|cpu| self.region.words::<3>(self.at(cpu, index)?)) {
            for word in words {
                word.store(0, Relaxed);
            }
        }
    }
}

/// A count per [`Reason`], in one row per CPU.
#[derive(Debug)]
pub struct ReasonTable {
    region: Region,
    cpus: u32,
}

impl ReasonTable {
    /// A table in memory of this process.
    ///
    /// # Errors
    /// Out of memory.
    pub fn heap(rows: u32) -> io::Result<Self> {
        Ok(Self::new(Region::heap(Self::len(rows))?, rows))
    }

    /// Bytes that the counts of `cpus` CPUs take.
    #[must_use]
    pub fn len(cpus: u32) -> usize {
        cpus as usize * reason::COUNT * WORD
    }

    /// A table in `region`, which is at least [`ReasonTable::len`] bytes long; what it lacks reads as zero.
    #[must_use]
    pub fn new(region: Region, cpus: u32) -> Self {
        Self { region, cpus }
    }

    fn at(cpu: u32, reason: Reason) -> usize {
        (cpu as usize * reason::COUNT + reason as usize) * WORD
    }

    /// The sum over all CPUs.
    #[must_use]
    pub fn sum(&self, reason: Reason) -> u64 {
        (0..self.cpus).fold(0, |sum: u64, cpu| {
            sum.wrapping_add(self.region.load_u64(Self::at(cpu, reason), Relaxed))
        })
    }

    /// Counts `times` in the row of `cpu`, whose only writer the caller is.
    #[inline]
    pub fn add(&self, cpu: u32, reason: Reason, times: u64) {
        if let Some([word]) = self.region.words::<1>(Self::at(cpu, reason)) {
            word.store(word.load(Relaxed).wrapping_add(times), Relaxed);
        }
    }
}

/// All counters of one path.
#[derive(Debug)]
pub struct Counters {
    /// Per hop.
    pub hops: TrafficTable,
    /// Per route.
    pub routes: TrafficTable,
    /// Per reason.
    pub reasons: ReasonTable,
}

impl Counters {
    /// Counters in memory of this process.
    ///
    /// # Errors
    /// Out of memory.
    pub fn heap(hops: u32, routes: u32, cpus: u32) -> io::Result<Self> {
        let traffic = |entries| {
            let region = Region::heap(TrafficTable::len(entries, cpus))?;
            Ok::<_, io::Error>(TrafficTable::new(region, entries, cpus))
        };
        Ok(Self {
            hops: traffic(hops)?,
            routes: traffic(routes)?,
            reasons: ReasonTable::new(Region::heap(ReasonTable::len(cpus))?, cpus),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_summed_and_the_latest_packet_wins() {
        let counters = Counters::heap(3, 1, 2).unwrap();
        counters.hops.add(0, 2, 100, 50);
        counters.hops.add(1, 2, 20, 40);
        counters.hops.add(0, 1, 1, 1);
        let expected = Traffic {
            packets: 2,
            bytes: 120,
            last_seen: 50,
        };
        assert_eq!(counters.hops.sum(2), expected);
        counters.hops.clear(2);
        assert_eq!(counters.hops.sum(2), Traffic::default());
        assert_eq!(counters.hops.sum(1).packets, 1);

        counters.reasons.add(0, Reason::Taken, 2);
        counters.reasons.add(1, Reason::Taken, 3);
        assert_eq!(counters.reasons.sum(Reason::Taken), 5);
        assert_eq!(counters.reasons.sum(Reason::Sent), 0);
    }

    #[test]
    fn outside_nothing_is_counted() {
        let counters = Counters::heap(2, 1, 1).unwrap();
        counters.hops.add(1, 0, 1, 1);
        counters.hops.add(0, 2, 1, 1);
        assert_eq!(counters.hops.sum(2), Traffic::default());
        assert_eq!(counters.hops.sum(0), Traffic::default());
    }
}
