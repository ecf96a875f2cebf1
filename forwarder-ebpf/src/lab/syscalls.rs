//! Counts the system calls of one thread, by number.

use aya_ebpf::{
    bindings::bpf_pidns_info,
    helpers::bpf_get_ns_current_pid_tgid,
    macros::{map, raw_tracepoint},
    maps::Array,
    programs::RawTracePointContext,
};

use crate::traced::{SYSCALLS, Traced};

/// Whose calls are counted; nobody's while it is zero.
#[map]
static TRACED: Array<Traced> = Array::with_max_entries(1, 0);
#[map]
static CALLS: Array<u64> = Array::with_max_entries(SYSCALLS, 0);

/// A system call begins.
#[raw_tracepoint]
pub fn sys_enter(context: RawTracePointContext) -> u32 {
    let Some(traced) = TRACED.get(0) else {
        return 0;
    };
    let mut current = bpf_pidns_info { pid: 0, tgid: 0 };
    // SAFETY: the helper writes as many bytes as it is told; the thread's numbers are those of the namespace that is named.
    let outcome = unsafe {
        bpf_get_ns_current_pid_tgid(
            traced.device,
            traced.inode,
            &raw mut current,
            size_of::<bpf_pidns_info>() as u32,
        )
    };
    if outcome != 0 || current.pid != traced.thread {
        return 0;
    }
    // include/trace/events/syscalls.h, event sys_enter: registers, number.
    if let Some(count) = CALLS.get_ptr_mut(context.arg::<u64>(1) as u32) {
        // SAFETY: a map value; one thread makes one call at a time.
        unsafe { *count += 1 };
    }
    0
}
