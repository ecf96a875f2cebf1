//! What the kernel says about the programs and maps of an object.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use aya::maps::MapInfo;
use aya::programs::{Program, ProgramError};
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// An object that the kernel took.
#[derive(Debug, Serialize)]
pub struct Object {
    /// The file's name without `.o`.
    pub name: String,
    /// Its programs by name.
    pub programs: BTreeMap<String, Size>,
    /// Kernel memory of its maps by name, in bytes.
    pub maps: BTreeMap<String, u64>,
}

/// How large a program is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Instructions after the kernel has rewritten the program.
    pub instructions: u64,
    /// Instructions that the verifier walked over all paths; the kernel stops at a million.
    pub verified: u64,
    /// Bytes of stack of the program and its functions together: no less than the deepest chain of calls, of which the kernel
    /// allows 512.
    pub stack: u64,
}

impl Object {
    /// Loads the object, attaches nothing, and asks.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut ebpf = EbpfLoader::new()
            .load(&bytes)
            .with_context(|| format!("cannot load {}", path.display()))?;
        let maps = map_memory()?;
        let mut programs = BTreeMap::new();
        for (program_name, program) in ebpf.programs_mut() {
            load(program).with_context(|| {
                format!(
                    "the kernel refuses program `{program_name}` of {}",
                    path.display()
                )
            })?;
            let info = program.info()?;
            let size = Size {
                instructions: u64::from(
                    info.size_translated()
                        .context("the kernel does not tell the size")?,
                ) / 8,
                verified: u64::from(
                    info.verified_instruction_count()
                        .context("needs kernel 5.16 or later")?,
                ),
                stack: 0,
            };
            programs.insert(program_name.to_owned(), size);
        }
        drop(ebpf);
        for (program_name, stack) in stacks(&bytes)? {
            if let Some(size) = programs.get_mut(&program_name) {
                size.stack = stack;
            }
        }
        Ok(Self {
            name,
            programs,
            maps,
        })
    }

    /// Kernel memory of all maps, in KiB.
    pub fn map_kib(&self) -> u64 {
        self.maps.values().sum::<u64>().div_ceil(1024)
    }
}

fn load(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::Xdp(program) => program.load(),
        Program::TracePoint(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

/// Stack by program.
///
/// Only the verifier's log tells it, and aya shows the log only of a load that failed. So the load is made to fail after the
/// verifier is done: a process that may not have another file descriptor gets EMFILE where the kernel installs the
/// program's. aya then asks again with the log switched on.
fn stacks(bytes: &[u8]) -> Result<BTreeMap<String, u64>> {
    let mut ebpf = EbpfLoader::new()
        .verifier_log_level(VerifierLogLevel::STATS)
        .load(bytes)?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard)?;
    let logs = logs_of_failed_loads(&mut ebpf);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    logs?
        .into_iter()
        .map(|(name, log)| {
            let stack = stack_depth(&log).with_context(|| {
                format!("no stack depth in the verifier's log of `{name}`: {log}")
            })?;
            Ok((name, stack))
        })
        .collect()
}

fn logs_of_failed_loads(ebpf: &mut Ebpf) -> Result<Vec<(String, String)>> {
    let mut logs = Vec::new();
    for (name, program) in ebpf.programs_mut() {
        match load(program) {
            Err(ProgramError::LoadError { verifier_log, .. }) => {
                logs.push((name.to_owned(), verifier_log.to_string()))
            }
            Err(error) => return Err(error.into()),
            Ok(()) => bail!("the kernel gave a file descriptor beyond RLIMIT_NOFILE"),
        }
    }
    Ok(logs)
}

/// The sum of `stack depth 96+16+0`: the program, then each of its functions.
fn stack_depth(log: &str) -> Option<u64> {
    let line = log
        .lines()
        .find_map(|line| line.trim().strip_prefix("stack depth "))?;
    let depths = line.split_whitespace().next()?;
    depths
        .split('+')
        .map(|depth| depth.parse::<u64>().ok())
        .sum()
}

/// Memory of every map that this process holds, from the `memlock` of its descriptors.
fn map_memory() -> Result<BTreeMap<String, u64>> {
    let mut maps = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        // The descriptor of this very listing is gone when it is read.
        let Ok(text) = fs::read_to_string(entry?.path()) else {
            continue;
        };
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<u64>().ok()
        };
        let (Some(id), Some(bytes)) = (field("map_id:"), field("memlock:")) else {
            continue;
        };
        let info = MapInfo::from_id(u32::try_from(id)?)?;
        maps.insert(info.name_as_str().unwrap_or("?").to_owned(), bytes);
    }
    Ok(maps)
}

#[cfg(test)]
mod tests {
    use super::stack_depth;

    #[test]
    fn stack_depths_are_summed() {
        let log =
            "verification time 51 usec\nstack depth 96+16+0\nprocessed 12 insns (limit 1000000)";
        assert_eq!(stack_depth(log), Some(112));
        assert_eq!(stack_depth("processed 12 insns"), None);
    }
}
