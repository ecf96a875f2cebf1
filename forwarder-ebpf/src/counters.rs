//! Counters: per CPU, so plain additions.

use forwarder_common::reason::Reason;

use crate::maps;

/// Counts one packet or replica under `reason`.
#[inline(always)]
pub fn count(reason: Reason) {
    count_many(reason, 1);
}

/// Counts several.
#[inline(always)]
pub fn count_many(reason: Reason, number: u32) {
    if let Some(counter) = maps::reason(reason as u32) {
        // SAFETY: this CPU's element of the map.
        unsafe { *counter += u64::from(number) };
    }
}

/// Counts a packet of a route.
#[inline(always)]
pub fn route(route: u32, payload_len: u16, now: u64) {
    if let Some(traffic) = maps::route_traffic(route) {
        // SAFETY: this CPU's element of the map.
        unsafe {
            (*traffic).packets += 1;
            (*traffic).bytes += u64::from(payload_len);
            (*traffic).last_seen = now;
        }
    }
}

/// Counts a replica of a hop.
#[inline(always)]
pub fn hop(hop: u32, payload_len: u16, now: u64) {
    if let Some(traffic) = maps::hop_traffic(hop) {
        // SAFETY: this CPU's element of the map.
        unsafe {
            (*traffic).packets += 1;
            (*traffic).bytes += u64::from(payload_len);
            (*traffic).last_seen = now;
        }
    }
}

/// Counts a clone that egress dropped, which the device reports as its own drop.
#[inline(always)]
pub fn egress_drop(device: u32) {
    if let Some(traffic) = maps::device_traffic(device) {
        // SAFETY: this CPU's element of the map.
        unsafe { (*traffic).egress_drops += 1 };
    }
}
