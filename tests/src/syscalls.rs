//! The system calls that one thread makes, counted by number in the kernel: the thread is neither stopped nor slowed down, as by ptrace.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};
use aya::maps::{Array, MapData};
use aya::programs::RawTracePoint;
use aya::programs::raw_trace_point::RawTracePointLink;
use aya::{Ebpf, Pod};

#[path = "../../forwarder-ebpf/src/lab/traced.rs"]
mod traced;

use traced::{SYSCALLS, Traced};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lab.o"));

// SAFETY: repr(C), integers only and without padding.
unsafe impl Pod for Traced {}

/// Counts until it is dropped.
pub struct Syscalls {
    counts: Array<MapData, u64>,
    _attached: RawTracePointLink,
    _object: Ebpf,
}

impl Syscalls {
    /// Counts the calls of a thread from now on.
    ///
    /// # Errors
    /// No privilege, or a kernel without the trace point.
    pub fn of(thread: i32) -> Result<Self> {
        let mut object = Ebpf::load(OBJECT).context("the kernel refuses the lab's object")?;
        let namespace = std::fs::metadata("/proc/self/ns/pid")?;
        let device = namespace.dev();
        let traced = Traced {
            device: u64::from(libc::major(device)) << 20 | u64::from(libc::minor(device)),
            inode: namespace.ino(),
            thread: u32::try_from(thread)?,
            zero: 0,
        };
        let settings = object.map_mut("TRACED").context("no map TRACED")?;
        Array::try_from(settings)?.set(0, traced, 0)?;
        let counts = object.take_map("CALLS").context("no map CALLS")?;
        let program = object.program_mut("sys_enter").context("no program")?;
        let program: &mut RawTracePoint = program.try_into()?;
        program.load()?;
        let id = program.attach("sys_enter")?;
        let attached = program.take_link(id)?;
        Ok(Self {
            counts: Array::try_from(counts)?,
            _attached: attached,
            _object: object,
        })
    }

    /// Calls up to now, by number, those that were made at all.
    ///
    /// # Errors
    /// The kernel's.
    pub fn counts(&self) -> Result<BTreeMap<i64, u64>> {
        let mut counts = BTreeMap::new();
        for number in 0..SYSCALLS {
            let count = self.counts.get(&number, 0)?;
            if count > 0 {
                counts.insert(i64::from(number), count);
            }
        }
        Ok(counts)
    }
}
