//! What the devices took: there is no other way to see replicas that a full ring threw away.

use aya_ebpf::programs::TracePointContext;

use crate::maps;

// Offsets of include/trace/events/xdp.h, event xdp_devmap_xmit, as its format file in tracefs prints them.
const TO_IFINDEX: usize = 20;
const DROPS: usize = 24;
const SENT: usize = 28;
const ERR: usize = 32;

/// Counts one bulk that a device was given.
#[inline(always)]
pub fn record(context: &TracePointContext) -> Option<()> {
    // SAFETY: the offsets are those of the event, whose record is longer than all of them.
    let (ifindex, drops, sent, err) = unsafe {
        (
            context.read_at::<i32>(TO_IFINDEX).ok()?,
            context.read_at::<i32>(DROPS).ok()?,
            context.read_at::<i32>(SENT).ok()?,
            context.read_at::<i32>(ERR).ok()?,
        )
    };
    let traffic = maps::device_traffic(maps::device(ifindex as u32)?)?;
    // SAFETY: this CPU's element of the map.
    unsafe {
        (*traffic).sent += sent as u64;
        (*traffic).drops += drops as u64;
        (*traffic).errors += u64::from(err < 0);
    }
    Some(())
}
