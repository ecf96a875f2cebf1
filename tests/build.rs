//! Embeds the eBPF object of the tests: copies it to `OUT_DIR/lab.o`, from where the code includes it.
//!
//! `FORWARDER_LAB_OBJECT` names another object than `target/bpf/lab.o`.

use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "FORWARDER_LAB_OBJECT";
const OBJECT: &str = "lab.o";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let from = env::var_os(VARIABLE).map_or_else(default_object, PathBuf::from);
    println!("cargo::rerun-if-changed={}", from.display());
    if !from.is_file() {
        println!(
            "cargo::error=the eBPF object {} is missing: run `cargo xtask build`",
            from.display()
        );
        return;
    }
    let to = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join(OBJECT);
    if let Err(error) = fs::copy(&from, &to) {
        println!(
            "cargo::error=cannot copy {} to {}: {error}",
            from.display(),
            to.display()
        );
    }
}

fn default_object() -> PathBuf {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = package.parent().map(Path::to_path_buf).unwrap_or_default();
    root.join("target/bpf").join(OBJECT)
}
