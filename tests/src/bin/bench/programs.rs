//! The programs of the lab, loaded and attached.

use anyhow::{Context, Result};
use aya::maps::{Array, DevMap, Map};
use aya::programs::links::Link;
use aya::programs::raw_trace_point::RawTracePointLink;
use aya::programs::{RawTracePoint, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader, Pod};
use forwarder_tests::Netns;

use crate::layout::{Aim, FLOOR_MAX, Polls, Seen};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lab.o"));

// SAFETY: repr(C), integers only and without padding.
unsafe impl Pod for Aim {}
// SAFETY: as above.
unsafe impl Pod for Seen {}
// SAFETY: as above.
unsafe impl Pod for Polls {}

/// Frames that can be prepared.
pub const PREPARED: u32 = 4096;

/// The object of the lab. What is attached stays so until this is dropped.
pub struct Programs {
    ebpf: Ebpf,
}

impl Programs {
    /// Makes the maps.
    ///
    /// # Errors
    /// No privilege, or no BTF.
    pub fn load() -> Result<Self> {
        let ebpf = EbpfLoader::new()
            .map_max_entries("PREPARED", PREPARED)
            .load(OBJECT)
            .context("the kernel does not take the lab's eBPF object")?;
        Ok(Self { ebpf })
    }

    /// An XDP program, loaded.
    ///
    /// # Errors
    /// The verifier's.
    pub fn xdp(&mut self, name: &str) -> Result<&mut Xdp> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("the lab's object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program
                .load()
                .with_context(|| format!("the verifier refuses {name}"))?;
        }
        Ok(program)
    }

    /// An XDP program that has been loaded before.
    ///
    /// # Errors
    /// It has not.
    pub fn loaded(&self, name: &str) -> Result<&Xdp> {
        let program = self
            .ebpf
            .program(name)
            .with_context(|| format!("the lab's object has no program {name}"))?;
        Ok(program.try_into()?)
    }

    /// Attaches an XDP program in native mode.
    ///
    /// # Errors
    /// The driver's.
    pub fn attach(&mut self, name: &str, netns: &Netns, interface: &str) -> Result<()> {
        let program = self.xdp(name)?;
        netns
            .enter(|| -> Result<()> {
                let index = nix::net::if_::if_nametoindex(interface)?;
                program.attach_to_if_index(index, XdpMode::Driver)?;
                Ok(())
            })
            .with_context(|| format!("cannot attach {name} to {interface}"))
    }

    /// Lets the generator send into an interface as its output number `out`.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn set_out(&mut self, out: u32, netns: &Netns, interface: &str) -> Result<()> {
        let mut map = DevMap::try_from(self.map_mut("OUTS")?)?;
        netns.enter(|| -> Result<()> {
            let index = nix::net::if_::if_nametoindex(interface)?;
            Ok(map.set(out, index, None, 0)?)
        })
    }

    /// Fills the devmaps of the floor with one interface.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn set_floor(&mut self, netns: &Netns, interface: &str) -> Result<()> {
        for clones in [1, 4, 16, 64, FLOOR_MAX] {
            let mut map = DevMap::try_from(self.map_mut(&format!("FLOOR_{clones}"))?)?;
            netns.enter(|| -> Result<()> {
                let index = nix::net::if_::if_nametoindex(interface)?;
                for entry in 0..clones {
                    map.set(entry, index, None, 0)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes an array map out.
    ///
    /// # Errors
    /// There is none of this name and type.
    pub fn take_array<V: Pod>(&mut self, name: &str) -> Result<Array<aya::maps::MapData, V>> {
        Ok(Array::try_from(self.take(name)?)?)
    }

    /// Takes a map out.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn take(&mut self, name: &str) -> Result<Map> {
        self.ebpf
            .take_map(name)
            .with_context(|| format!("the lab's object has no map {name}"))
    }

    /// Times polls until what is returned is dropped.
    ///
    /// # Errors
    /// No such trace points.
    pub fn time_polls(&mut self) -> Result<[TracePoint; 2]> {
        Ok([
            self.trace_point("softirq_entry")?,
            self.trace_point("napi_poll")?,
        ])
    }

    fn trace_point(&mut self, name: &str) -> Result<TracePoint> {
        let program: &mut RawTracePoint = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("the lab's object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program.load()?;
        }
        let id = program
            .attach(name)
            .with_context(|| format!("cannot attach to the trace point {name}"))?;
        Ok(TracePoint(Some(program.take_link(id)?)))
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        self.ebpf
            .map_mut(name)
            .with_context(|| format!("the lab's object has no map {name}"))
    }
}

/// A program at a trace point, until dropped.
pub struct TracePoint(Option<RawTracePointLink>);

impl Drop for TracePoint {
    fn drop(&mut self) {
        if let Some(link) = self.0.take() {
            let _gone_anyway = link.detach();
        }
    }
}
