//! The XDP programs of the forwarder.
//!
//! | program | attached to | does |
//! | --- | --- | --- |
//! | `ingress` | every media interface | judges a frame; takes those of known streams, and broadcasts their first chunk |
//! | `turn` | the far end of the loop | broadcasts further chunks, and packets that had to wait |
//! | `bell` | every worker's tap | broadcasts a bell, once per slot of sealed packets |
//! | `egress` | the entries of all devmaps | makes a clone the replica of one subscriber |
//! | `xmit` | `xdp:xdp_devmap_xmit` | counts what the devices took |
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "aya's macros drop the documentation of programs"
)]

mod bell;
mod clones;
mod counters;
mod egress;
mod fanout;
mod maps;
mod member;
mod packet;
mod payload;
mod xmit;

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::{raw_tracepoint, xdp},
    programs::{RawTracePointContext, XdpContext},
};
use forwarder_common::{
    ingress::{Verdict, judge},
    reason::Reason,
    wire,
};

use crate::{counters::count, packet::Frame};

// Our header lengths are those of the crate that other XDP programs parse with.
const _: () = assert!(
    network_types::eth::EthHdr::LEN == wire::eth::LEN
        && network_types::ip::Ipv4Hdr::LEN == wire::ip::V4_LEN
        && network_types::ip::Ipv6Hdr::LEN == wire::ip::V6_LEN
        && network_types::udp::UdpHdr::LEN == wire::udp::LEN
);

/// On every media interface.
#[xdp]
pub fn ingress(context: XdpContext) -> u32 {
    let mut frame = Frame::new(context.ctx);
    match judge(&frame, &maps::Tables) {
        Verdict::Pass(reason) => act(&context, reason, XDP_PASS),
        Verdict::Drop(reason) => act(&context, reason, XDP_DROP),
        Verdict::Steer(steered) => act(&context, payload::steer(&frame, &steered), XDP_DROP),
        Verdict::Take(taken) => match fanout::take(&mut frame, taken) {
            Ok(action) => action,
            Err(reason) => act(&context, reason, XDP_DROP),
        },
    }
}

/// At the far end of the loop.
#[xdp]
pub fn turn(context: XdpContext) -> u32 {
    match fanout::turn(&mut Frame::new(context.ctx)) {
        Ok(action) => action,
        Err(reason) => act(&context, reason, XDP_DROP),
    }
}

/// At every worker's tap.
#[xdp]
pub fn bell(context: XdpContext) -> u32 {
    match bell::ring(&mut Frame::new(context.ctx)) {
        Ok(action) => action,
        Err(reason) => act(&context, reason, XDP_DROP),
    }
}

/// Once per clone, before it goes to the device. `XDP_PASS` means: send it.
#[xdp(map = "devmap")]
pub fn egress(context: XdpContext) -> u32 {
    transmit(&mut Frame::new(context.ctx))
}

/// The same as `egress`, in a form that BPF_PROG_TEST_RUN accepts; only the tests load it.
#[xdp]
pub fn egress_test(context: XdpContext) -> u32 {
    transmit(&mut Frame::new(context.ctx))
}

/// At the trace point `xdp:xdp_devmap_xmit`.
#[raw_tracepoint]
pub fn xmit(context: RawTracePointContext) -> u32 {
    let _unknown_device = xmit::record(&context);
    0
}

#[inline(always)]
fn act(context: &XdpContext, reason: Reason, action: u32) -> u32 {
    count(reason);
    trace(context, reason);
    action
}

/// Logs what became of a packet that is not simply somebody else's.
#[cfg(feature = "trace")]
#[inline(always)]
fn trace(context: &XdpContext, reason: Reason) {
    if !matches!(reason, Reason::NotOurs) {
        aya_log_ebpf::debug!(context, "packet: reason {}", reason as u32);
    }
}

/// Production objects do not log.
#[cfg(not(feature = "trace"))]
#[inline(always)]
fn trace(_context: &XdpContext, _reason: Reason) {}

#[inline(always)]
fn transmit(frame: &mut Frame) -> u32 {
    if egress::send(frame) {
        XDP_PASS
    } else {
        XDP_DROP
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the build fails if the object refers to a panic.
    loop {}
}

/// Trace point programs must say that they are compatible with the GPL.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
