//! Generates packets: run by BPF_PROG_TEST_RUN with live frames, it sends them into a veth, from whose far end they come
//! like any other.
//!
//! The kernel fills a frame once, when it makes its page, and frames come back as their receivers left them. So the
//! headers are written anew each time; the payload is nobody's to change.

use aya_ebpf::{
    bindings::xdp_action::XDP_DROP,
    helpers::bpf_ktime_get_ns,
    macros::{map, xdp},
    maps::{Array, DevMap},
    programs::XdpContext,
};

use crate::{
    cpu::cpu,
    layout::{Aim, HEADER_LEN, MAX_CPUS, MAX_OUTS, SEQUENCE_AT, STAMP_AT},
};

/// Looks at the clock while a frame is not due yet; some 30 nanoseconds each.
const PATIENCE: u32 = 4096;

#[map]
pub(crate) static AIMS: Array<Aim> = Array::with_max_entries(MAX_CPUS, 0);
#[map]
pub(crate) static OUTS: DevMap = DevMap::with_max_entries(MAX_OUTS, 0);

#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// Waits until the frame is due. Late frames do not make later ones come faster.
#[inline(always)]
pub(crate) fn wait(aim: &mut Aim) {
    let mut time = now();
    let mut looks = 0;
    while time < aim.due && looks < PATIENCE {
        time = now();
        looks += 1;
    }
    aim.due = if aim.due == 0 || time > aim.due + aim.interval {
        time + aim.interval
    } else {
        aim.due + aim.interval
    };
}

/// Makes the next frame and sends it.
#[xdp]
pub fn generate(context: XdpContext) -> u32 {
    // SAFETY: this CPU's element, and a program is not interrupted by itself.
    let Some(aim) = AIMS.get_ptr_mut(cpu()).map(|aim| unsafe { &mut *aim }) else {
        return XDP_DROP;
    };
    let frame = context.data();
    if frame + STAMP_AT + size_of::<u64>() > context.data_end() {
        return XDP_DROP;
    }
    let header = aim.header.as_ptr();
    // In words: LLVM would copy bytes, since it assumes that BPF cannot access unaligned words.
    // SAFETY: both sides are long enough, as just checked and by its type. x86-64 and arm64 take unaligned words.
    unsafe {
        let mut at = 0;
        while at + 8 <= HEADER_LEN {
            *((frame + at) as *mut u64) = *header.add(at).cast::<u64>();
            at += 8;
        }
        *((frame + at) as *mut u32) = *header.add(at).cast::<u32>();
        at += 4;
        *((frame + at) as *mut u16) = *header.add(at).cast::<u16>();
        *((frame + SEQUENCE_AT) as *mut u16) = (aim.sent as u16).to_be();
    }
    aim.sent += 1;
    if aim.interval != 0 {
        wait(aim);
    }
    if aim.stamp != 0 {
        // SAFETY: inside of the frame, as checked above.
        unsafe { *((frame + STAMP_AT) as *mut u64) = now() };
    }
    OUTS.redirect(aim.out, u64::from(XDP_DROP))
        .unwrap_or(XDP_DROP)
}

const _: () = assert!(HEADER_LEN % 8 == 6);
