//! What the devices took: there is no other way to see replicas that a full ring threw away.
//!
//! The kernel runs `egress` over a bulk of clones, gives what it left to the driver, and reports the bulk to the trace
//! point, all on one CPU and without a pause (`bq_xmit_all` in kernel/bpf/devmap.c). So the device that egress noted
//! last is the one that the report is about; interface indices would not do, since they repeat between namespaces.

use aya_ebpf::programs::RawTracePointContext;

use forwarder_common::reason::Reason;

use crate::{counters::count_many, maps};

// Arguments of include/trace/events/xdp.h, event xdp_devmap_xmit: from_dev, to_dev, sent, drops, err.
const SENT: usize = 2;
const DROPS: usize = 3;
const ERR: usize = 4;

/// Counts one bulk that a device was given; bulks that `egress` had no part in are not ours.
#[inline(always)]
pub fn record(context: &RawTracePointContext) -> Option<()> {
    let device = maps::clones()?.take_noted()?;
    let traffic = maps::device_traffic(device)?;
    // The event has five arguments.
    let sent = context.arg::<u64>(SENT) as u32;
    count_many(Reason::Sent, sent);
    // SAFETY: this CPU's element of the map.
    unsafe {
        (*traffic).sent += u64::from(sent);
        (*traffic).drops += u64::from(context.arg::<u64>(DROPS) as u32);
        (*traffic).errors += u64::from((context.arg::<u64>(ERR) as i32) < 0);
    }
    Some(())
}
