//! What may not know what: the rules and the sans-IO core stand alone, so that they can be tested anywhere and fuzzed; and on the path of
//! packets nothing waits for a lock or writes a log.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::{cargo, output};
use crate::workspace::Workspace;

/// A rule: what must not be named where.
struct Rule {
    /// What is wrong where it is broken.
    message: &'static str,
    /// Folders, with all that is in them.
    folders: &'static [&'static str],
    /// Files in them that are let off.
    except: &'static [&'static str],
    /// Whether tests are let off: they may need the real thing for what they hold it against.
    tests: bool,
    /// Words and paths.
    forbidden: &'static [&'static str],
}

/// The folders that know no input and output, and are told the time.
const SANS_IO: &[&str] = &[
    "forwarder/src/core",
    "forwarder/src/feedback",
    "forwarder/src/jsep",
    "forwarder/src/media",
    "forwarder/src/rooms",
    "forwarder/src/sdp",
    "forwarder/src/sessions",
    "forwarder/src/srtp",
    "forwarder/src/transport",
];

/// The folders that packets go through.
const HOT: &[&str] = &[
    "forwarder/src/media",
    "forwarder/src/srtp",
    "forwarder/src/worker",
];

const RULES: [Rule; 4] = [
    Rule {
        message: "the sans-IO core names what does input and output",
        folders: SANS_IO,
        except: &[],
        tests: false,
        forbidden: &["tokio", "aya", "axum", "nix", "libc"],
    },
    Rule {
        message: "the sans-IO core has a socket or a clock of its own",
        folders: SANS_IO,
        except: &[],
        tests: true,
        forbidden: &[
            "UdpSocket",
            "TcpListener",
            "TcpStream",
            "UnixStream",
            "Instant::now",
            "SystemTime",
            "thread::sleep",
        ],
    },
    Rule {
        message: "the path of packets waits for a lock, or sleeps",
        folders: HOT,
        except: &[],
        tests: true,
        forbidden: &["Mutex", "RwLock", "Condvar", "thread::sleep"],
    },
    Rule {
        message: "the path of packets writes a log",
        folders: HOT,
        // It says what faults end a socket, a connection or the thread itself.
        except: &["forwarder/src/worker/thread.rs"],
        tests: true,
        forbidden: &["log", "print", "println", "eprint", "eprintln", "dbg"],
    },
];

/// Fails where a boundary is crossed.
pub fn check(workspace: &Workspace) -> Result<()> {
    for rule in &RULES {
        let found = rule.broken(workspace)?;
        if !found.is_empty() {
            bail!("{}:\n{}", rule.message, found.join("\n"));
        }
    }
    check_common(workspace)
}

impl Rule {
    /// Where it is broken: file, line and word.
    fn broken(&self, workspace: &Workspace) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for folder in self.folders {
            let files = sources(&workspace.root().join(folder))?;
            if files.is_empty() {
                bail!("{folder} has no sources: the rules of its boundary name another folder");
            }
            for file in files {
                let name = workspace.display(&file).to_string();
                if self.except.contains(&name.as_str()) || self.tests && is_test(&name) {
                    continue;
                }
                let text = fs::read_to_string(&file)?;
                let code = if self.tests {
                    without_tests(&text)
                } else {
                    &text
                };
                for (number, line) in code.lines().enumerate() {
                    if let Some(word) = forbidden_word(line, self.forbidden) {
                        found.push(format!("{name}:{}: {word}", number + 1));
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Whether a file is compiled for tests alone, by its name.
fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("tests/") || name.ends_with("/test_packets.rs")
}

/// What comes before the tests at a file's end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
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

/// The first forbidden word or path of a line, comments aside.
fn forbidden_word<'a>(line: &str, forbidden: &[&'a str]) -> Option<&'a str> {
    let code = line.split("//").next().unwrap_or_default();
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |at: usize, name: &str| {
        let before = code.get(..at).and_then(|before| before.chars().next_back());
        let after = code
            .get(at + name.len()..)
            .and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    };
    let mut names = forbidden.iter().copied();
    names.find(|name| code.match_indices(name).any(|(at, _)| is_whole(at, name)))
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
    use super::{forbidden_word, is_test, without_tests};

    #[test]
    fn words_count_only_as_wholes_and_in_code() {
        assert_eq!(forbidden_word("use tokio::net;", &["tokio"]), Some("tokio"));
        assert_eq!(forbidden_word("let my_tokio = 1;", &["tokio"]), None);
        assert_eq!(forbidden_word("x(); // not tokio", &["tokio"]), None);
        let clock = &["Instant::now"];
        assert_eq!(
            forbidden_word("Instant::now()", clock),
            Some("Instant::now")
        );
        assert_eq!(
            forbidden_word("time::Instant::now,", clock),
            Some("Instant::now")
        );
        assert_eq!(forbidden_word("fn at(now: Instant)", clock), None);
        assert_eq!(forbidden_word("Instant::nowhere()", clock), None);
        assert_eq!(
            forbidden_word("catalog, log::warn!()", &["log"]),
            Some("log")
        );
        assert_eq!(forbidden_word("catalog.log_in()", &["log"]), None);
    }

    #[test]
    fn tests_are_known() {
        assert!(is_test("forwarder/src/worker/slot_tests.rs"));
        assert!(is_test("forwarder/src/sessions/tests/world.rs"));
        assert!(!is_test("forwarder/src/worker/state.rs"));
        let code = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use log;\n}\n";
        assert_eq!(without_tests(code), "fn f() {}\n");
    }
}
