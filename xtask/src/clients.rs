//! Other people's WebRTC clients, which the tests drive: Debian's browsers and GStreamer, packages of npm and of PyPI. The latter
//! are put under `target/`, in the versions that `tests/browsers` names.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::progress;
use crate::setup::{self, Tool};
use crate::venv::{self, once_for};
use crate::workspace::Workspace;

/// Browsers, and what their drivers run in.
const TOOLS: &[Tool] = &[
    Tool::program("chromium", "chromium"),
    Tool::program("firefox-esr", "firefox-esr"),
    Tool::program("node", "nodejs"),
    Tool::program("npm", "npm"),
    Tool::package("python3-venv"),
    Tool::package("python3-gst-1.0"),
    Tool::package("gir1.2-gst-plugins-base-1.0"),
    Tool::package("gir1.2-gst-plugins-bad-1.0"),
    Tool::package("gstreamer1.0-plugins-base"),
    Tool::package("gstreamer1.0-plugins-good"),
    Tool::package("gstreamer1.0-plugins-bad"),
    Tool::package("gstreamer1.0-nice"),
];

/// Whether a run of this package and suite has tests of these clients in it.
pub fn are_wanted(package: Option<&str>, suite: Option<&str>) -> bool {
    package.is_none_or(|name| name == "forwarder-tests")
        && suite.is_none_or(|name| name == "browsers")
}

/// Installs what is missing.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    setup::packages(TOOLS)?;
    modules(workspace)?;
    python(workspace)
}

/// As [`ensure`], for those who can go on without: says what is missing instead of failing, and whether all is there.
pub fn ensure_if_possible(workspace: &Workspace) -> bool {
    let outcome = ensure(workspace);
    if let Err(error) = &outcome {
        progress::note(&format!("going on without browsers: {error:#}"));
    }
    outcome.is_ok()
}

/// The driver's packages, in `target/browsers/node_modules`.
fn modules(workspace: &Workspace) -> Result<()> {
    let (from, to) = (
        workspace.root().join("tests/browsers"),
        workspace.host_target().join("browsers"),
    );
    let lock = from.join("package-lock.json");
    once_for(&lock, &to, |folder| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(from.join(name), folder.join(name))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        progress::run(
            "installing packages of npm for the browsers' driver",
            npm.current_dir(folder),
        )
    })
}

/// aiortc, and an ffmpeg that knows WHIP, in `target/python`.
fn python(workspace: &Workspace) -> Result<()> {
    let requirements = workspace
        .root()
        .join("tests/browsers/python/requirements.txt");
    venv::ensure(&requirements, &workspace.host_target().join("python"))
}
