//! Schemathesis, which fuzzes the API against its document: a package of PyPI, put under `target/` in the version that
//! `tests/openapi` names.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::debian;
use crate::progress;
use crate::workspace::Workspace;

/// Installs it, unless the same version is there.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let list = workspace.root().join("tests/openapi/requirements.txt");
    let folder = workspace.host_target().join("openapi");
    let wanted = fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let done = folder.join("installed");
    if fs::read(&done).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    if debian::has_apt() {
        debian::install(&["python3-venv"])?;
    }
    let mut venv = Command::new("/usr/bin/python3");
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    progress::run("making a virtual environment of Python", &mut venv)?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--requirement"]).arg(&list);
    progress::run("installing Schemathesis", &mut pip)?;
    fs::write(done, wanted)?;
    Ok(())
}

/// As [`ensure`], for those who can go on without: says what is missing instead of failing, and whether all is there.
pub fn ensure_if_possible(workspace: &Workspace) -> bool {
    let outcome = ensure(workspace);
    if let Err(error) = &outcome {
        progress::note(&format!("going on without Schemathesis: {error:#}"));
    }
    outcome.is_ok()
}
