//! What an eBPF object must hold and must not hold, checked before the kernel sees it.

use anyhow::{Context as _, Result, bail};
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _, ObjectSymbol as _};

/// Parts of the names of functions that panic. A program in the kernel has nobody to panic to: a check that the
/// compiler could not remove is a bug, and shows as a call to one of these.
const PANICS: [&str; 5] = [
    "panic",
    "rust_begin_unwind",
    "unwrap_failed",
    "expect_failed",
    "slice_index_fail",
];

/// Fails if the object has code that panics, or lacks the type information that the verifier wants.
pub fn check(name: &str, bytes: &[u8]) -> Result<()> {
    let file = ElfFile64::<Endianness>::parse(bytes)
        .with_context(|| format!("{name} is not an ELF object"))?;
    let panics: Vec<_> = file
        .symbols()
        .filter_map(|symbol| symbol.name().ok())
        .filter(|symbol| PANICS.iter().any(|part| symbol.contains(part)))
        .collect();
    if !panics.is_empty() {
        bail!(
            "{name} can panic: it holds {}. Look for an index, a slice, an unwrap, a division or a checked sum whose bounds \
             the compiler cannot prove, and write it with `get`, a mask or wrapping arithmetic",
            panics.join(", ")
        );
    }
    if file
        .section_by_name(".BTF")
        .is_none_or(|section| section.size() == 0)
    {
        bail!("{name} has no BTF: it was built without debuginfo or without `--btf`");
    }
    Ok(())
}
