//! `lint`: form, style, documents, boundaries, licences and advisories. Everything is run, then the failures are named.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::args;
use crate::boundary;
use crate::bpf::{self, Variant};
use crate::process::{cargo, find_program, run as run_command};
use crate::progress::{self, heading, note, seconds};
use crate::workspace::Workspace;

/// The workspace of the fuzz targets.
const FUZZ: &str = "tests/fuzz/Cargo.toml";
const DENY_VERSION: &str = "0.20.2";

/// `cargo xtask lint`.
pub fn run(workspace: &Workspace, args: &args::Lint) -> Result<()> {
    let started = Instant::now();
    let failed = thread::scope(|scope| {
        // With target folders of their own, so these need not wait for the others, and take what CPU they leave.
        let beside = scope.spawn(|| {
            perform(&[
                ("licences and advisories", &|| {
                    deny(workspace, args.install_deny)
                }),
                ("clippy on the eBPF crate", &|| clippy_bpf(workspace)),
            ])
        });
        // The host crates embed the objects, so even checking them needs these.
        bpf::build(workspace, &[Variant::Plain])?;
        let mut failed = perform(&[
            ("rustfmt", &|| rustfmt(workspace, args.fix)),
            ("boundaries", &|| boundary::check(workspace)),
            ("clippy on the host crates", &|| clippy_host(workspace)),
            ("fuzz targets", &|| fuzz_targets(workspace)),
            ("docs", &|| docs(workspace)),
        ]);
        match beside.join() {
            Ok(more) => failed.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        anyhow::Ok(failed)
    })?;
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    println!("lint passed in {}", seconds(started.elapsed()));
    Ok(())
}

/// A check and its name.
type Check<'a> = (&'static str, &'a dyn Fn() -> Result<()>);

/// Runs all of these; gives the names of those that failed.
fn perform(checks: &[Check]) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for (name, check) in checks {
        heading(&format!("lint: {name}"));
        if let Err(error) = check() {
            note(&format!("{name}: {error:#}"));
            failed.push(*name);
        }
    }
    failed
}

fn rustfmt(workspace: &Workspace, fix: bool) -> Result<()> {
    let mut command = cargo(workspace);
    command.args(["fmt", "--all"]);
    let mut fuzz = cargo(workspace);
    fuzz.args(["fmt", "--manifest-path", FUZZ]);
    for command in [&mut command, &mut fuzz] {
        if !fix {
            command.arg("--check");
        }
        run_command(command)?;
    }
    Ok(())
}

fn clippy_host(workspace: &Workspace) -> Result<()> {
    run_command(
        cargo(workspace)
            .args([
                "clippy",
                "--quiet",
                "--workspace",
                "--exclude",
                "forwarder-ebpf",
                "--all-targets",
            ])
            .args(["--", "-D", "warnings"]),
    )
}

/// Clippy has to match the compiler that made `core`, and Debian ships none with rustc-web. So the eBPF crate is checked as if
/// it were for the host: nothing is linked, and aya-ebpf has a body for every helper there. Apart from the host crates,
/// since features are unified within one run.
fn clippy_bpf(workspace: &Workspace) -> Result<()> {
    for features in ["", "trace"] {
        run_command(
            cargo(workspace)
                .args([
                    "clippy",
                    "--quiet",
                    "--package",
                    "forwarder-ebpf",
                    "--bins",
                    "--features",
                    features,
                ])
                .arg("--target-dir")
                .arg(workspace.target().join("bpf-lint"))
                // Without std there is nobody to unwind.
                .env("CARGO_PROFILE_DEV_PANIC", "abort")
                .args(["--", "-D", "warnings"]),
        )?;
    }
    Ok(())
}

/// Fuzzing wants a nightly compiler and libFuzzer, a C++ compiler. That the targets compile wants neither.
fn fuzz_targets(workspace: &Workspace) -> Result<()> {
    run_command(
        cargo(workspace)
            .args(["check", "--quiet", "--locked", "--manifest-path", FUZZ])
            .args(["--no-default-features", "--target-dir"])
            .arg(workspace.host_target()),
    )
}

fn docs(workspace: &Workspace) -> Result<()> {
    run_command(
        cargo(workspace)
            .args([
                "doc",
                "--quiet",
                "--no-deps",
                "--workspace",
                "--exclude",
                "forwarder-ebpf",
                "--exclude",
                "xtask",
            ])
            .args(["--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn deny(workspace: &Workspace, install: bool) -> Result<()> {
    let own = workspace.target().join("lint-tools/bin/cargo-deny");
    let program = if own.exists() {
        Some(own.clone())
    } else {
        find_program("cargo-deny")
    };
    let program = match program {
        Some(program) => program,
        None if install => install_deny(workspace, own)?,
        None => {
            note(
                "left out: cargo-deny is not installed; `cargo xtask lint --install-deny` builds it (two minutes)",
            );
            return Ok(());
        }
    };
    let check = |what: &[&str]| {
        let mut command = Command::new(&program);
        command
            .current_dir(workspace.root())
            .args(["--log-level", "error", "check"])
            .args(what);
        command
    };
    run_command(&mut check(&["licenses", "bans", "sources"]))?;
    // The advisories are a repository on a git host. Without it there is nothing to check against, which is not the fault of
    // the code.
    let fetched = Command::new(&program)
        .current_dir(workspace.root())
        .args(["--log-level", "error", "fetch", "db"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !fetched {
        note(
            "left out: advisories, since their database (github.com/rustsec/advisory-db) cannot be fetched from here",
        );
        return Ok(());
    }
    run_command(&mut check(&["--disable-fetch", "advisories"]))
}

fn install_deny(workspace: &Workspace, program: PathBuf) -> Result<PathBuf> {
    let mut command = cargo(workspace);
    command
        .args([
            "install",
            "cargo-deny",
            "--version",
            DENY_VERSION,
            "--locked",
            // Not optimised: ready in two minutes instead of four, and quick enough.
            "--debug",
            "--root",
        ])
        .arg(workspace.target().join("lint-tools"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("CARGO_TARGET_DIR");
    progress::run(
        &format!("building cargo-deny {DENY_VERSION} (two minutes, once)"),
        &mut command,
    )?;
    Ok(program)
}
