//! Keeping neighbours alive that only XDP sends to.
//!
//! The kernel renews a neighbour entry when its own stack sends to it. Frames that XDP sends do not count: left alone, the entry of
//! a receiver that gets megabits goes stale and is collected after a minute. So the kernel is told that they are in use.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::facts::Neighbour;
use super::kernel::ProbeError;
use super::resolver::Resolver;

/// Each neighbour in use is probed this often. An entry counts as reachable for 15 to 45 s and is collected 60 s after it went
/// stale (`base_reachable_time_ms`, `gc_stale_time`).
pub const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// Neighbours without a MAC address are probed this often; the kernel gives up on each attempt after 3 s.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(3);

/// Probes the neighbours that `in_use` names, for as long as the future is polled. It is asked every [`RETRY_INTERVAL`], and a
/// part of the neighbours gets its turn each time, so that thousands do not answer all at once.
///
/// Returns if probing is not permitted (then there is no XDP either).
pub async fn keep_fresh(resolver: Resolver, mut in_use: impl FnMut() -> BTreeSet<Neighbour>) {
    let turns = (PROBE_INTERVAL.as_secs() / RETRY_INTERVAL.as_secs()).max(1);
    let mut ticks = tokio::time::interval(RETRY_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in (0..turns).cycle() {
        ticks.tick().await;
        for neighbour in in_use() {
            if turn_of(&neighbour, turns) != turn && resolver.is_resolved(&neighbour) {
                continue;
            }
            match resolver.probe(neighbour).await {
                Ok(()) => {}
                Err(error @ ProbeError::NotPermitted) => {
                    log::warn!("neighbours are not kept fresh: {error}");
                    return;
                }
                Err(error) => log::debug!("{neighbour:?}: {error}"),
            }
        }
    }
}

/// The turn in which a neighbour is probed: the same every time, whatever else is in use.
fn turn_of(neighbour: &Neighbour, turns: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    neighbour.hash(&mut hasher);
    hasher.finish() % turns
}
