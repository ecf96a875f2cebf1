//! `setup`: the eBPF toolchain, and the programs and libraries that demo and tests call.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::args;
use crate::clients;
use crate::debian;
use crate::fuzzer;
use crate::process::{find_program, output};
use crate::progress;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// What is called at run time, and the package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    file: File,
    package: &'static str,
}

/// How a tool is found.
#[derive(Clone, Copy, Debug)]
enum File {
    /// In PATH.
    Program(&'static str),
    /// In the cache of the dynamic linker.
    Library(&'static str),
    /// Many files: where packages are Debian's they are asked for, elsewhere they are taken to be there.
    Package,
}

impl Tool {
    /// A program, and the package that has it.
    pub const fn program(name: &'static str, package: &'static str) -> Self {
        let file = File::Program(name);
        Self { file, package }
    }

    /// A whole package.
    pub const fn package(package: &'static str) -> Self {
        let file = File::Package;
        Self { file, package }
    }

    fn name(&self) -> &'static str {
        match self.file {
            File::Program(name) | File::Library(name) => name,
            File::Package => self.package,
        }
    }

    fn is_there(&self) -> bool {
        match self.file {
            File::Program(name) => find_program(name).is_some(),
            File::Library(name) => find_program("ldconfig")
                .and_then(|program| output(Command::new(program).arg("-p")))
                .is_some_and(|cache| cache.contains(name)),
            File::Package => !debian::has_apt() || debian::missing(&[self.package]).is_empty(),
        }
    }
}

/// Namespaces, veth pairs, routes and neighbours.
pub const IP: Tool = Tool {
    file: File::Program("ip"),
    package: "iproute2",
};
/// Offloads and ring sizes.
pub const ETHTOOL: Tool = Tool {
    file: File::Program("ethtool"),
    package: "ethtool",
};
/// Captures that people read.
pub const TCPDUMP: Tool = Tool {
    file: File::Program("tcpdump"),
    package: "tcpdump",
};
/// Encodes, publishes and decodes real media.
pub const FFMPEG: Tool = Tool {
    file: File::Program("ffmpeg"),
    package: "ffmpeg",
};
/// What SRTP is compared with.
pub const LIBSRTP: Tool = Tool {
    file: File::Library("libsrtp2.so.1"),
    package: "libsrtp2-1",
};

/// What DTLS is compared with.
pub const OPENSSL: Tool = Tool {
    file: File::Program("openssl"),
    package: "openssl",
};

/// What the network lab of tests and benches calls.
pub const LAB: &[Tool] = &[IP, ETHTOOL, TCPDUMP];
/// What the tests call.
pub const TESTS: &[Tool] = &[IP, ETHTOOL, TCPDUMP, FFMPEG, LIBSRTP, OPENSSL];
/// What the demo calls.
pub const DEMO: &[Tool] = &[IP, ETHTOOL, TCPDUMP, FFMPEG];

/// `cargo xtask setup`.
pub fn run(workspace: &Workspace, args: &args::Setup) -> Result<()> {
    let started = Instant::now();
    let toolchain = Toolchain::ensure(workspace)?;
    if !args.toolchain_only {
        packages(DEMO)?;
        packages(TESTS)?;
        clients::ensure(workspace)?;
        fuzzer::ensure(workspace)?;
    }
    println!("eBPF toolchain: {}", toolchain.describe(workspace));
    println!("setup is complete ({} ms)", started.elapsed().as_millis());
    Ok(())
}

/// Installs those of these that are missing; where they are all there it only looks.
pub fn packages(tools: &[Tool]) -> Result<()> {
    let missing: Vec<_> = tools.iter().filter(|tool| !tool.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    if !debian::has_apt() {
        let names: Vec<_> = missing.iter().map(|tool| tool.name()).collect();
        bail!(
            "not installed: {}. Install them (Debian's packages: {})",
            names.join(", "),
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
