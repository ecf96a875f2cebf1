//! The programs of the tests and benches. One file each; what they share with userspace is in `layout`.
//!
//! | program | attached to | does |
//! | --- | --- | --- |
//! | `generate` | run by BPF_PROG_TEST_RUN with live frames | writes a fresh header, and sends the frame into a device |
//! | `play` | the same | sends frames that userspace has prepared: sealed packets, no two alike |
//! | `swallow` | the forwarder's end of a publisher's wire | drops: what a frame costs until it has arrived |
//! | `floor` | the forwarder's end of a publisher's wire | broadcasts, and rewrites nothing |
//! | `sink` | a receiver's end of a wire | counts and drops |
//! | `sink_latency` | a receiver's end of a wire | the same, and reads the generator's stamp |
//! | `sink_sequence` | a receiver's end of a wire | the same for frames of `play`, by the sequence number |
//! | `softirq_entry`, `napi_poll` | the trace points of these names | time what the sinks take |
//! | `sys_enter` | the trace point of this name | counts the system calls of one thread |
#![no_std]
#![no_main]

mod cpu;
mod floor;
mod generate;
mod layout;
mod play;
mod polls;
mod sink;
mod swallow;
mod syscalls;
mod traced;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the build fails if the object refers to a panic.
    loop {}
}

/// Trace point programs must say that they are compatible with the GPL.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
