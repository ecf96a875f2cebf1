//! The tests of the page's modules, by the test runner of Node.js.

use std::{io::ErrorKind, path::Path, process::Command};

#[test]
fn the_modules_of_the_page_pass_their_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/tests");
    let outcome = match Command::new("node").arg("--test").arg(&folder).output() {
        Ok(outcome) => outcome,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return println!("left out: needs node (Debian package nodejs): the page's modules");
        }
        Err(error) => panic!("node: {error}"),
    };
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success(), "{text}");
    // A runner that found no test is content too.
    let passed = text.lines().find_map(|line| line.split("pass ").nth(1));
    assert!(passed.is_some_and(|count| count.trim() != "0"), "{text}");
}
