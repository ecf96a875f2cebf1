//! Which CPU a program runs on: maps that userspace sets or reads per CPU are indexed by it.

use aya_ebpf::helpers::bpf_get_smp_processor_id;

/// The number of this CPU.
#[inline(always)]
pub fn cpu() -> u32 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_smp_processor_id() as u32 }
}
