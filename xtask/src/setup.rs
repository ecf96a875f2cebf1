//! `setup`: the eBPF toolchain, and the programs that demo and tests call.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::args;
use crate::debian;
use crate::process::find_program;
use crate::progress;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// A program that is called at run time, and the package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Namespaces, veth pairs, routes and neighbours.
pub const IP: Tool = Tool {
    program: "ip",
    package: "iproute2",
};
/// Offloads and ring sizes.
pub const ETHTOOL: Tool = Tool {
    program: "ethtool",
    package: "ethtool",
};
/// Captures that people read.
pub const TCPDUMP: Tool = Tool {
    program: "tcpdump",
    package: "tcpdump",
};
/// Encodes, publishes and decodes real media.
pub const FFMPEG: Tool = Tool {
    program: "ffmpeg",
    package: "ffmpeg",
};

/// What the network lab of tests and benches calls.
pub const LAB: &[Tool] = &[IP, ETHTOOL, TCPDUMP];
/// What the demo calls.
pub const DEMO: &[Tool] = &[IP, ETHTOOL, TCPDUMP, FFMPEG];

/// `cargo xtask setup`.
pub fn run(workspace: &Workspace, args: &args::Setup) -> Result<()> {
    let started = Instant::now();
    let toolchain = Toolchain::ensure(workspace)?;
    if !args.toolchain_only {
        packages(DEMO)?;
    }
    println!("eBPF toolchain: {}", toolchain.describe(workspace));
    println!("setup is complete ({} ms)", started.elapsed().as_millis());
    Ok(())
}

/// Installs those of these programs that are missing; where they are all there it only looks into PATH.
pub fn packages(tools: &[Tool]) -> Result<()> {
    let missing: Vec<_> = tools
        .iter()
        .filter(|tool| find_program(tool.program).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    if !debian::has_apt() {
        let programs: Vec<_> = missing.iter().map(|tool| tool.program).collect();
        bail!(
            "not installed: {}. Install them (Debian's packages: {})",
            programs.join(", "),
            packages.join(" ")
        );
    }
    debian::install(&packages)
}

/// As [`packages`], for those who can go on without: says what is missing instead of failing.
pub fn packages_if_possible(tools: &[Tool]) {
    if let Err(error) = packages(tools) {
        progress::note(&format!("going on without: {error:#}"));
    }
}
