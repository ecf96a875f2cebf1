//! Building the eBPF objects: `forwarder.o` (the product), `lab.o` (tests and benches), `forwarder-trace.o` (logs packets).

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::object_file;
use crate::process::{run, write_if_changed};
use crate::progress;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::Workspace;

const PACKAGE: &str = "forwarder-ebpf";

/// Which objects to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// `forwarder.o` and `lab.o`.
    Plain,
    /// `forwarder-trace.o`.
    Trace,
}

impl Variant {
    /// The programs of the package, and the objects they become.
    fn objects(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Plain => &[("forwarder-bpf", "forwarder.o"), ("lab-bpf", "lab.o")],
            Self::Trace => &[("forwarder-bpf", "forwarder-trace.o")],
        }
    }
}

/// Sets up the toolchain, builds, checks the objects and puts them where the build scripts of the host crates look.
pub fn build(workspace: &Workspace, variants: &[Variant]) -> Result<()> {
    let toolchain = Toolchain::ensure(workspace)?;
    let folder = workspace.target().join("bpf-build");
    for &variant in variants {
        let mut command = toolchain.cargo_build(workspace);
        // Its own folder: another compiler, another target. `-p` alone keeps the features of the host crates
        // (forwarder-common/user) out of the resolution.
        command
            .args(["--package", PACKAGE, "--target-dir"])
            .arg(&folder);
        for (bin, _) in variant.objects() {
            command.args(["--bin", bin]);
        }
        if variant == Variant::Trace {
            command.args(["--features", "trace"]);
        }
        run(&mut command).context("the eBPF programs do not build")?;
        for (bin, object) in variant.objects() {
            finish(
                workspace,
                folder.join(TARGET).join("release").join(bin),
                object,
            )?;
        }
    }
    Ok(())
}

fn finish(workspace: &Workspace, built: PathBuf, object: &str) -> Result<()> {
    let bytes =
        std::fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    object_file::check(object, &bytes)?;
    let path = workspace.object(object);
    let changed = write_if_changed(&path, &bytes)
        .with_context(|| format!("cannot write {}", path.display()))?;
    if changed {
        progress::note(&format!(
            "{} ({} kB)",
            workspace.display(&path),
            bytes.len() / 1000
        ));
    }
    Ok(())
}
