//! The ladder: one devmap for every device and number of clones, with and without the loop.
//!
//! They are made once at start, in one call: changing a map of maps waits for a grace period of RCU, while a route that
//! gains or loses members only needs another of these.

use anyhow::{Context, Result, bail};
use aya::{
    maps::{DevMap, Map, MapData},
    programs::ProgramFd,
};
use forwarder_common::tables::{CHUNK_SLOTS, ladder_index};

use super::{map_batch, namespace::Namespace, object::Object};

/// `BPF_MAP_TYPE_DEVMAP`, include/uapi/linux/bpf.h.
const DEVMAP: u32 = 14;
/// Bytes of `struct bpf_devmap_val`.
const DEVMAP_VALUE: u32 = 8;

/// Fills the ladder, and gives the map of the loop alone; for `devices`, given by interface index in the order of their numbers.
///
/// # Errors
/// The kernel's: an interface is gone or cannot be a target of redirects.
pub fn build(
    object: &mut Object,
    namespace: &Namespace,
    near: u32,
    devices: &[u32],
    egress: &ProgramFd,
) -> Result<Map> {
    let mut with_loop = vec![object.take_map("LOOP")?];
    let mut places = Vec::new();
    let mut rungs = Vec::new();
    for (number, &ifindex) in (0..).zip(devices) {
        for replicas in 1..=CHUNK_SLOTS as u32 {
            let map = rung(0, replicas, ifindex, egress)?;
            rungs.push((ladder_index(number, false, replicas), into_data(map)?));
        }
        for replicas in 0..=CHUNK_SLOTS as u32 {
            // The loop comes first: the last entry of a broadcast gets the original frame, and that one may lack the
            // room to become another packet.
            with_loop.push(rung(1, replicas, ifindex, egress)?);
            places.push(ladder_index(number, true, replicas));
        }
    }
    // Interface indices are looked up in the namespace of the thread that stores them.
    namespace.run(|| {
        for map in &mut with_loop {
            DevMap::try_from(map)?
                .set(0, near, None, 0)
                .context("the loop cannot be a target of redirects")?;
        }
        Ok(())
    })?;
    let mut maps = with_loop.into_iter();
    let loop_alone = maps.next().context("the map of the loop is gone")?;
    for (place, map) in places.into_iter().zip(maps) {
        rungs.push((place, into_data(map)?));
    }
    map_batch::set(object.map("LADDER")?, &rungs).context("cannot put the ladder together")?;
    Ok(loop_alone)
}

/// A devmap with `reserved` empty entries, then `replicas` entries for the same interface.
///
/// # Errors
/// The kernel's.
pub fn rung(reserved: u32, replicas: u32, ifindex: u32, egress: &ProgramFd) -> Result<Map> {
    let object = aya_obj::Map::new_from_params(
        DEVMAP,
        size_of::<u32>() as u32,
        DEVMAP_VALUE,
        reserved + replicas,
        0,
    );
    let mut map = Map::DevMap(MapData::create(object, "rung", None)?);
    let mut entries = DevMap::try_from(&mut map)?;
    for entry in reserved..reserved + replicas {
        entries
            .set(entry, ifindex, Some(egress), 0)
            .with_context(|| format!("interface {ifindex} cannot be a target of redirects"))?;
    }
    Ok(map)
}

/// The map itself, as the ladder takes it.
///
/// # Errors
/// It is no devmap.
pub fn into_data(map: Map) -> Result<MapData> {
    match map {
        Map::DevMap(data) => Ok(data),
        _ => bail!("a rung of the ladder is no devmap"),
    }
}
