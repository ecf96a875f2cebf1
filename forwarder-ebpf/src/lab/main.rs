//! Placeholder program, replaced by the data plane.
#![no_std]
#![no_main]
use aya_ebpf::{macros::xdp, programs::XdpContext, bindings::xdp_action::XDP_PASS};
/// Passes everything.
#[xdp]
pub fn pass(_ctx: XdpContext) -> u32 { XDP_PASS }
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
