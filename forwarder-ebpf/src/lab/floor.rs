//! The floor under every fan-out by XDP: a bare broadcast of the frame as it came, without a program at the egress.

use aya_ebpf::{
    bindings::{
        BPF_F_BROADCAST,
        xdp_action::{XDP_ABORTED, XDP_DROP},
    },
    macros::{map, xdp},
    maps::{Array, DevMap},
    programs::XdpContext,
};

use crate::layout::FLOOR_MAX;

/// How many clones, one of those below.
#[map]
static FLOOR_SIZE: Array<u32> = Array::with_max_entries(1, 0);

// A broadcast walks a whole map, so there is one for each number of clones.
#[map]
static FLOOR_1: DevMap = DevMap::with_max_entries(1, 0);
#[map]
static FLOOR_4: DevMap = DevMap::with_max_entries(4, 0);
#[map]
static FLOOR_16: DevMap = DevMap::with_max_entries(16, 0);
#[map]
static FLOOR_64: DevMap = DevMap::with_max_entries(64, 0);
#[map]
static FLOOR_128: DevMap = DevMap::with_max_entries(FLOOR_MAX, 0);

/// Broadcasts.
#[xdp]
pub fn floor(_context: XdpContext) -> u32 {
    let flags = u64::from(BPF_F_BROADCAST) | u64::from(XDP_DROP);
    let redirected = match FLOOR_SIZE.get(0) {
        Some(1) => FLOOR_1.redirect(0, u64::from(XDP_DROP)),
        Some(4) => FLOOR_4.redirect(0, flags),
        Some(16) => FLOOR_16.redirect(0, flags),
        Some(64) => FLOOR_64.redirect(0, flags),
        Some(128) => FLOOR_128.redirect(0, flags),
        _ => Err(XDP_ABORTED),
    };
    redirected.unwrap_or(XDP_DROP)
}
