//! Installing Debian packages: only the missing ones, and the package lists only when they are needed.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

use crate::privilege::Privilege;
use crate::process::{find_program, output};
use crate::progress;

/// Whether this system installs packages with apt-get.
pub fn has_apt() -> bool {
    Path::new("/etc/debian_version").exists() && find_program("apt-get").is_some()
}

/// Whether this is Debian itself, which alone has the packages of the eBPF toolchain.
pub fn is_debian() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| line == "ID=debian") && has_apt()
}

/// Which of these packages are not installed.
pub fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect()
}

fn is_installed(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
        .is_some_and(|status| status.contains("installed") && !status.contains("not-installed"))
}

/// Whether apt knows a version of this package to install.
fn has_candidate(package: &str) -> bool {
    output(
        Command::new("apt-cache")
            .env("LC_ALL", "C")
            .args(["policy", package]),
    )
    .and_then(|text| {
        text.lines()
            .find(|line| line.contains("Candidate:"))
            .map(str::to_owned)
    })
    .is_some_and(|line| !line.contains("(none)"))
}

/// Installs these packages; those that are there cost one query each. Never removes a package: where one is in the
/// way, the user decides.
pub fn install(packages: &[&str]) -> Result<()> {
    // apt-get waits for others that install, but not for others that fetch lists.
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _turn = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let privilege = Privilege::acquire();
    let mut fresh = false;
    if !missing.iter().all(|package| has_candidate(package)) {
        update(privilege, &list)?;
        fresh = true;
    }
    if let Some(unknown) = missing.iter().find(|package| !has_candidate(package)) {
        bail!(
            "the package sources of this system have no package `{unknown}` (looked for: {list})"
        );
    }
    let label = format!("installing packages {list}");
    let mut arguments = vec!["install", "--yes", "--no-install-recommends", "--no-remove"];
    arguments.extend(&missing);
    let first = progress::run(&label, &mut apt(privilege, &arguments, &list)?);
    if first.is_err() && !fresh {
        // Old lists name versions that the servers no longer have.
        update(privilege, &list)?;
        return progress::run(&label, &mut apt(privilege, &arguments, &list)?);
    }
    first
}

fn update(privilege: Privilege, wanted: &str) -> Result<()> {
    progress::run(
        "fetching package lists",
        &mut apt(privilege, &["update"], wanted)?,
    )
}

fn apt(privilege: Privilege, arguments: &[&str], wanted: &str) -> Result<Command> {
    // `env` because sudo may drop the variable.
    let Some(mut command) = privilege.command("env") else {
        bail!(
            "installing packages needs root: run `sudo apt-get install {wanted}`, then this command again"
        );
    };
    command
        .args([
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-o",
            "DPkg::Lock::Timeout=300",
        ])
        .args(arguments);
    Ok(command)
}
