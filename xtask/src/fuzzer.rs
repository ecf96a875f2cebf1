//! Schemathesis, which fuzzes the API against its document: a package of PyPI, put under `target/` in the version that
//! `tests/openapi` names.

use anyhow::Result;

use crate::debian;
use crate::progress;
use crate::venv;
use crate::workspace::Workspace;

/// Installs it, unless the same version is there.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    if debian::has_apt() {
        debian::install(&["python3-venv"])?;
    }
    let list = workspace.root().join("tests/openapi/requirements.txt");
    venv::ensure(&list, &workspace.host_target().join("openapi"))
}

/// As [`ensure`], for those who can go on without: says what is missing instead of failing, and whether all is there.
pub fn ensure_if_possible(workspace: &Workspace) -> bool {
    let outcome = ensure(workspace);
    if let Err(error) = &outcome {
        progress::note(&format!("going on without Schemathesis: {error:#}"));
    }
    outcome.is_ok()
}
