//! Drops every frame where the forwarder would take it: what generating and receiving cost.

use aya_ebpf::{bindings::xdp_action::XDP_DROP, macros::xdp, programs::XdpContext};

/// Drops.
#[xdp]
pub fn swallow(_context: XdpContext) -> u32 {
    XDP_DROP
}
