//! Hands the triple that xtask is built for to its code: cargo wants it in the name of a variable.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-env=HOST_TRIPLE={}",
        std::env::var("TARGET").unwrap_or_default()
    );
}
