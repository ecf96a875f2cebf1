//! Packages that are put under `target/` in the versions that a list names: virtual environments of Python, and what is done once for
//! such a list.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::progress;

/// Debian's Python: the one that sees Debian's bindings of GStreamer.
const PYTHON: &str = "/usr/bin/python3";

/// Makes a virtual environment with the packages of PyPI that `requirements` names, unless it is there.
pub fn ensure(requirements: &Path, folder: &Path) -> Result<()> {
    once_for(requirements, folder, |folder| {
        let label = "making a virtual environment of Python";
        let mut venv = Command::new(PYTHON);
        progress::run(label, venv.args(["-m", "venv", "--clear"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--requirement"]);
        progress::run("installing packages of PyPI", pip.arg(requirements))
    })
}

/// Does `work` in a folder, unless it was done there for the same list of versions.
pub fn once_for(list: &Path, folder: &Path, work: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let wanted = fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
    let done = folder.join("installed");
    if fs::read(&done).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    work(folder)?;
    fs::write(done, wanted)?;
    Ok(())
}
