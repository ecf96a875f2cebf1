//! What may not know what: the rules and the sans-IO core stand alone, so that they can be tested anywhere and fuzzed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::{cargo, output};
use crate::workspace::Workspace;

/// The folders that know no input and output.
const SANS_IO: [&str; 5] = [
    "forwarder/src/core",
    "forwarder/src/jsep",
    "forwarder/src/rooms",
    "forwarder/src/sdp",
    "forwarder/src/sessions",
];
/// The crates and modules that they must not name.
const FORBIDDEN: [&str; 5] = ["tokio", "aya", "axum", "nix", "libc"];

/// Fails where a boundary is crossed.
pub fn check(workspace: &Workspace) -> Result<()> {
    let mut found = Vec::new();
    let mut files = Vec::new();
    for folder in SANS_IO {
        files.extend(sources(&workspace.root().join(folder))?);
    }
    for file in files {
        let text = fs::read_to_string(&file)?;
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = forbidden_word(line, &FORBIDDEN) {
                found.push(format!(
                    "{}:{}: {word}",
                    workspace.display(&file),
                    number + 1
                ));
            }
        }
    }
    if !found.is_empty() {
        bail!(
            "the sans-IO core names what does input and output:\n{}",
            found.join("\n")
        );
    }
    check_common(workspace)
}

/// The crate of the rules has no dependency, except aya for the types' markers under its feature `user`.
fn check_common(workspace: &Workspace) -> Result<()> {
    let tree = output(cargo(workspace).args([
        "tree",
        "--quiet",
        "--package",
        "forwarder-common",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]))
    .context("`cargo tree` failed")?;
    let others: Vec<_> = tree
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .collect();
    if !others.is_empty() {
        bail!(
            "forwarder-common must not depend on anything, but depends on: {}",
            others.join(", ")
        );
    }
    Ok(())
}

/// The first forbidden word of a line, comments aside.
fn forbidden_word<'a>(line: &str, forbidden: &[&'a str]) -> Option<&'a str> {
    let code = line.split("//").next().unwrap_or_default();
    let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.find_map(|word| forbidden.iter().copied().find(|name| *name == word))
}

/// All Rust files under a folder; none if it is not there.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::forbidden_word;

    #[test]
    fn words_count_only_as_wholes_and_in_code() {
        assert_eq!(forbidden_word("use tokio::net;", &["tokio"]), Some("tokio"));
        assert_eq!(forbidden_word("let my_tokio = 1;", &["tokio"]), None);
        assert_eq!(forbidden_word("x(); // not tokio", &["tokio"]), None);
    }
}
