//! The browsers, and what drives them: where they are, and what is missing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// A browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's Chromium.
    Chromium,
    /// Debian's Firefox ESR.
    Firefox,
}

impl Kind {
    /// As the driver calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox-esr",
        }
    }

    /// The browser's program.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn find(self) -> Result<PathBuf> {
        in_path(self.program())
    }
}

/// Node.js.
///
/// # Errors
/// When it is not installed.
pub fn node() -> Result<PathBuf> {
    in_path("node")
}

/// The folder of the packages of npm that the driver and peers need, where `cargo xtask` has put them.
///
/// # Errors
/// When they are not there.
pub fn modules() -> Result<PathBuf> {
    let folder = target()?.join("browsers/node_modules");
    for package in ["puppeteer-core", "node-datachannel"] {
        let package = folder.join(package);
        ensure!(
            package.is_dir(),
            "no {}: run `cargo xtask setup`",
            package.display()
        );
    }
    Ok(folder)
}

/// The program that drives a browser.
#[must_use]
pub fn driver() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browsers/driver.mjs")
}

/// Why browsers cannot be driven here, if they cannot.
#[must_use]
pub fn missing() -> Option<String> {
    let all = [
        node(),
        modules(),
        Kind::Chromium.find(),
        Kind::Firefox.find(),
    ];
    let errors = all.into_iter().filter_map(Result::err);
    let reasons: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Where pictures of failures and of pages are kept: `target/artefacts`.
///
/// # Errors
/// When the folder cannot be made.
pub fn artefacts() -> Result<PathBuf> {
    let folder = target()?.join("artefacts");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Cargo's target folder. This program is in `PROFILE` of it, or in `PROFILE/deps`.
pub(super) fn target() -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path")?;
    let folder = own.parent().context("a program is in a folder")?;
    let profile = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(profile.parent().unwrap_or(profile).to_owned())
}

fn in_path(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("`{program}` is not installed"))
}
