//! Times NAPI polls, apart for those in which a sink saw frames.
//!
//! The trace point `napi_poll` comes after each poll, so the time since the one before, or since the softirq began, is
//! what the poll took. No names of kernel structures are needed: whether it was a sink's poll shows in the sink's count.

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    macros::{map, raw_tracepoint},
    maps::PerCpuArray,
    programs::RawTracePointContext,
};

use crate::{layout::Polls, sink};

/// `NET_RX_SOFTIRQ`, include/linux/interrupt.h.
const NET_RX: u32 = 3;

#[map]
static POLLS: PerCpuArray<Polls> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
fn now() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_ns() }
}

#[inline(always)]
fn state() -> Option<(&'static mut Polls, u64)> {
    // SAFETY: per CPU, and both trace points are passed in softirqs, which do not nest.
    let polls = unsafe { &mut *POLLS.get_ptr_mut(0)? };
    // SAFETY: this CPU's element.
    let frames = unsafe { (*sink::seen()?).frames };
    Some((polls, frames))
}

/// A softirq begins.
#[raw_tracepoint]
pub fn softirq_entry(context: RawTracePointContext) -> u32 {
    if context.arg::<u64>(0) as u32 == NET_RX
        && let Some((polls, frames)) = state()
    {
        polls.frames = frames;
        polls.since = now();
    }
    0
}

/// A poll has ended.
#[raw_tracepoint]
pub fn napi_poll(_context: RawTracePointContext) -> u32 {
    if let Some((polls, frames)) = state() {
        let now = now();
        let took = now - polls.since;
        if frames == polls.frames {
            polls.other_time += took;
            polls.other_polls += 1;
        } else {
            polls.sink_time += took;
            polls.sink_polls += 1;
        }
        polls.frames = frames;
        polls.since = now;
    }
    0
}
