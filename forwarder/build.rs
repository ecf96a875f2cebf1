//! Embeds the eBPF object: copies it to `OUT_DIR/forwarder.o`, from where the code includes it.
//!
//! `FORWARDER_BPF_OBJECT` names another object than `target/bpf/forwarder.o`.

use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "FORWARDER_BPF_OBJECT";
const OBJECT: &str = "forwarder.o";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let from = env::var_os(VARIABLE).map_or_else(default_object, PathBuf::from);
    println!("cargo::rerun-if-changed={}", from.display());
    let Ok(bytes) = fs::read(&from) else {
        println!(
            "cargo::error=the eBPF object {} is missing: run `cargo xtask build`",
            from.display()
        );
        return;
    };
    let to = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join(OBJECT);
    // Unchanged bytes keep the file's time, so that nothing is compiled again for them.
    if fs::read(&to).is_ok_and(|old| old == bytes) {
        return;
    }
    if let Err(error) = fs::write(&to, bytes) {
        println!("cargo::error=cannot write {}: {error}", to.display());
    }
}

fn default_object() -> PathBuf {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = package.parent().map(Path::to_path_buf).unwrap_or_default();
    root.join("target/bpf").join(OBJECT)
}
