//! Other people's WebRTC clients, which the tests drive: Debian's browsers and GStreamer, packages of npm and of PyPI. The latter
//! are put under `target/`, in the versions that `tests/browsers` names.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::progress;
use crate::setup::{self, Tool};
use crate::workspace::Workspace;

/// Debian's Python: the one that sees Debian's bindings of GStreamer.
const PYTHON: &str = "/usr/bin/python3";

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
    install(&lock, &to, |folder| {
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
    let to = workspace.host_target().join("python");
    install(&requirements, &to, |folder| {
        let label = "making a virtual environment of Python";
        let mut venv = Command::new(PYTHON);
        progress::run(label, venv.args(["-m", "venv", "--clear"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--requirement"]);
        progress::run("installing packages of PyPI", pip.arg(&requirements))
    })
}

/// Does `work` in a folder, unless it was done there for the same list of versions.
fn install(list: &Path, folder: &Path, work: impl Fn(&Path) -> Result<()>) -> Result<()> {
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
