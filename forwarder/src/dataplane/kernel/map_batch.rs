//! Many entries of a map of maps in one system call.
//!
//! Every single update of such a map waits for a grace period of RCU (`maybe_wait_bpf_programs` in
//! kernel/bpf/syscall.c); a batch waits once. The kernel takes such batches since 5.19, aya does not have them yet.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use anyhow::{Result, bail};
use aya::maps::{Map, MapData};

/// `BPF_MAP_UPDATE_BATCH`, include/uapi/linux/bpf.h.
const UPDATE_BATCH: libc::c_long = 26;

/// The member `batch` of `union bpf_attr`.
#[repr(C)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    elem_flags: u64,
    flags: u64,
}

/// Puts maps at places of an array of maps.
///
/// # Errors
/// It is no array of maps, or the kernel's.
pub fn set(array: &Map, entries: &[(u32, MapData)]) -> Result<()> {
    let Map::ArrayOfMaps(array) = array else {
        bail!("not an array of maps");
    };
    let keys: Vec<u32> = entries.iter().map(|(place, _)| *place).collect();
    let values: Vec<u32> = entries
        .iter()
        .map(|(_, map)| map.fd().as_fd().as_raw_fd().cast_unsigned())
        .collect();
    let mut batch = Batch {
        in_batch: 0,
        out_batch: 0,
        keys: keys.as_ptr().expose_provenance() as u64,
        values: values.as_ptr().expose_provenance() as u64,
        count: u32::try_from(entries.len())?,
        map: array.fd().as_fd().as_raw_fd().cast_unsigned(),
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads `count` keys and as many values of 4 bytes, which both vectors hold for the whole call, and
    // the attributes, of the stated size; of those it writes the count.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            UPDATE_BATCH,
            &raw mut batch,
            size_of::<Batch>(),
        )
    };
    if outcome != 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(())
}
