//! The compiler and the linker for eBPF: found where they are, else installed.
//!
//! Two routes. A rustup nightly with rust-src builds `core` itself. Debian ships a `core` for
//! `bpfel-unknown-none`, made for its own rustc, which is used through the stable cargo with `RUSTC_BOOTSTRAP=1`
//! (eBPF is a target without the stability promise). Both end in bpf-linker. Only the Debian route is tested.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::debian;
use crate::process::{cargo, find_program, forget_outer_cargo};
use crate::progress;
use crate::workspace::Workspace;

/// The target of every program: eBPF, little endian.
pub const TARGET: &str = "bpfel-unknown-none";

/// Debian's rustc-web links LLVM 22, and bpf-linker has to read the bitcode it writes.
const LLVM: &str = "/usr/lib/llvm-22";
const LINKER_VERSION: &str = "0.13.0";
const LINKER_FEATURE: &str = "llvm-22";
/// The compiler, `core` for the target, and the libraries of LLVM (bpf-linker links them dynamically, so nothing else is
/// needed; a C compiler comes with rustc-web).
const PACKAGES: [&str; 3] = ["rustc-web", "libstd-rust-web-dev-bpf", "llvm-22-dev"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const CHOICE: &str = "FORWARDER_BPF_TOOLCHAIN";

/// A complete toolchain.
#[derive(Debug)]
pub enum Toolchain {
    /// A rustup nightly with rust-src.
    Rustup {
        /// Its name, as in `rustup run NAME`.
        name: String,
        /// bpf-linker.
        linker: PathBuf,
    },
    /// The packages of Debian.
    Debian {
        /// bpf-linker, of our own.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The toolchain, if all of it is here. Looks at files only: some microseconds.
    pub fn find(workspace: &Workspace) -> Option<Self> {
        let rustup = || find_nightly().zip(find_program("bpf-linker"));
        if let Some((name, linker)) = allowed("rustup").then(rustup).flatten() {
            return Some(Self::Rustup { name, linker });
        }
        let linker = debian_linker(workspace);
        (allowed("debian") && debian_core() && linker.exists()).then_some(Self::Debian { linker })
    }

    /// The toolchain, installed if need be.
    pub fn ensure(workspace: &Workspace) -> Result<Self> {
        Self::packages(workspace)?;
        if let Some(found) = Self::find(workspace) {
            return Ok(found);
        }
        install_linker(workspace).with_context(manual)?;
        Self::find(workspace).context("the eBPF toolchain was installed, but is not found")
    }

    /// The packages of the toolchain, installed if need be: all but bpf-linker, which is built.
    pub fn packages(workspace: &Workspace) -> Result<()> {
        check_choice()?;
        if Self::find(workspace).is_some() {
            return Ok(());
        }
        if !allowed("debian") || !debian::is_debian() {
            bail!(manual());
        }
        debian::install(&PACKAGES).with_context(manual)?;
        if !debian_core() {
            bail!(
                "{}\n\n{DEBIAN_RUSTC} and /usr/lib/rustlib/{TARGET} should be there, and are not",
                manual()
            );
        }
        Ok(())
    }

    /// What it is, in a line.
    pub fn describe(&self, workspace: &Workspace) -> String {
        match self {
            Self::Rustup { name, linker } => format!("rustup {name} with {}", linker.display()),
            Self::Debian { linker } => {
                format!("Debian's {DEBIAN_RUSTC} with {}", workspace.display(linker))
            }
        }
    }

    /// `cargo build` for eBPF: all that differs between the routes is here.
    pub fn cargo_build(&self, workspace: &Workspace) -> Command {
        let (mut command, linker) = match self {
            Self::Rustup { name, linker } => {
                let mut command = Command::new("rustup");
                command.args(["run", name, "cargo", "build", "-Zbuild-std=core"]);
                command
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("RUSTC")
                    .env_remove("CARGO");
                command.current_dir(workspace.root());
                (command, linker)
            }
            Self::Debian { linker } => {
                let mut command = cargo(workspace);
                command
                    .arg("build")
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1");
                (command, linker)
            }
        };
        forget_outer_cargo(&mut command);
        // What a user sets for host builds is wrong here. LD_LIBRARY_PATH holds the libraries of the stable toolchain (from
        // `cargo run`), which would win over the LLVM that bpf-linker was linked with.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "LD_LIBRARY_PATH",
        ] {
            command.env_remove(name);
        }
        let flags = [
            "-Cdebuginfo=2".to_owned(),
            format!("-Clinker={}", linker.display()),
            "-Clink-arg=--btf".to_owned(),
        ];
        // Encoded with 0x1f between the flags, so that a path may hold blanks.
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        // The workspace asks for thin LTO for the host. Fat merges everything into one module before bpf-linker sees it, so
        // what is not used (memcmp, bcmp) is gone, and inlining does not depend on how the code is cut into crates.
        command.env("CARGO_PROFILE_RELEASE_LTO", "fat");
        command.args(["--release", "--target", TARGET]);
        command
    }
}

fn allowed(route: &str) -> bool {
    env::var(CHOICE).map_or(true, |choice| choice == route)
}

fn check_choice() -> Result<()> {
    match env::var(CHOICE) {
        Ok(value) if value != "rustup" && value != "debian" => {
            bail!("{CHOICE} is `{value}`: allowed are `rustup` and `debian`, or leave it unset")
        }
        _ => Ok(()),
    }
}

/// A rustup nightly that has the source of `core`: the undated one, else the newest.
fn find_nightly() -> Option<String> {
    let home = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".rustup")))?;
    let mut names: Vec<String> = std::fs::read_dir(home.join("toolchains"))
        .ok()?
        .flatten()
        .filter(|entry| {
            entry
                .path()
                .join("lib/rustlib/src/rust/library/core/Cargo.toml")
                .exists()
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("nightly-"))
        .collect();
    let dated = |name: &String| name.as_bytes().get(8).is_some_and(u8::is_ascii_digit);
    names.sort_by_key(|name| (!dated(name), name.clone()));
    names.pop()
}

/// Debian's compiler with its `core` for the target, and the LLVM that the linker needs at run time.
fn debian_core() -> bool {
    let core = Path::new("/usr/lib/rustlib").join(TARGET).join("lib");
    core.exists()
        && Path::new(DEBIAN_RUSTC).exists()
        && Path::new(LLVM).join("lib/libLLVM.so").exists()
}

fn debian_linker(workspace: &Workspace) -> PathBuf {
    workspace.target().join("bpf-tools/bin/bpf-linker")
}

fn install_linker(workspace: &Workspace) -> Result<()> {
    if debian_linker(workspace).exists() {
        return Ok(());
    }
    let mut command = cargo(workspace);
    command
        .args([
            "install",
            "bpf-linker",
            "--version",
            LINKER_VERSION,
            "--locked",
        ])
        .args([
            "--no-default-features",
            "--features",
            LINKER_FEATURE,
            "--root",
        ])
        .arg(workspace.target().join("bpf-tools"))
        .env("LLVM_PREFIX", LLVM)
        // Its work is done in LLVM, so what makes itself quicker or easier to debug would only take longer to build.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env_remove("CARGO_BUILD_TARGET")
        // A folder of its own, removed afterwards by cargo.
        .env_remove("CARGO_TARGET_DIR");
    progress::run(
        &format!("building bpf-linker {LINKER_VERSION} (about a minute, once)"),
        &mut command,
    )
}

/// What to do where nothing can be installed.
fn manual() -> String {
    format!(
        "the eBPF toolchain is not complete. Install one of:\n\
         \x20 a) with rustup:       rustup toolchain install nightly --component rust-src\n\
         \x20                       cargo install bpf-linker      (see its README for the LLVM it needs)\n\
         \x20 b) on Debian 12:      apt-get install {}\n\
         \x20                       then this command again: it builds bpf-linker itself",
        PACKAGES.join(" ")
    )
}
