//! Second chances, of a workspace that is made for each test and whose tests cargo really runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::process::forget_outer_cargo;

/// Passes from its second run on: the first leaves a file behind.
const UNSTEADY: &str = r#"
    #[test] fn is_good() {}
    mod inner {
        #[test] fn is_unsteady() -> Result<(), String> {
            println!("failures:\n    is_no_name\n");
            let ran = concat!(env!("CARGO_MANIFEST_DIR"), "/ran");
            let before = std::fs::exists(ran).unwrap();
            std::fs::write(ran, "").unwrap();
            before.then_some(()).ok_or("the first time".to_owned())
        }
    }"#;
const BAD: &str = "#[test] fn is_bad() { panic!() }";
const CRASHES: &str = "#[test] fn crashes() { std::process::abort() }";
const GOOD: &str = "#[test] fn is_good() {}";

/// A workspace of the package of the lab, with these suites, and of another package with a suite.
struct Made(PathBuf);

impl Made {
    fn with(suites: &[(&str, &str)], other: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("xtask-{}-{n}", std::process::id()));
        let made = Self(folder);
        made.write(
            "Cargo.toml",
            "[workspace]\nresolver = '3'\nmembers = ['lab', 'other']",
        );
        for (folder, name) in [("lab", PACKAGE), ("other", "other")] {
            let manifest = format!("package = {{ name = '{name}', edition = '2024' }}");
            made.write(&format!("{folder}/Cargo.toml"), &manifest);
            made.write(&format!("{folder}/src/lib.rs"), "");
        }
        for (name, code) in suites {
            made.write(&format!("lab/tests/{name}.rs"), code);
        }
        made.write("other/tests/api.rs", other);
        made
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn test(&self) -> Command {
        let mut command = Command::new(env!("CARGO"));
        forget_outer_cargo(&mut command);
        command
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .env("RUST_BACKTRACE", "0")
            .args(["test", "--offline", "--workspace"]);
        command
    }

    fn run(&self) -> Result<Vec<Failed>> {
        let mut all = self.test();
        all.arg("--no-fail-fast");
        run(all, |failed| {
            let mut alone = self.test();
            alone.args(["--test", &failed.suite, "--", "--exact", &failed.test]);
            alone
        })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_failed_once_is_told_and_what_fails_again_is_a_failure() {
    let made = Made::with(&[("lab", UNSTEADY), ("node", GOOD)], GOOD);
    let unsteady = Failed {
        suite: "lab".to_owned(),
        test: "inner::is_unsteady".to_owned(),
    };
    assert_eq!(made.run().unwrap(), [unsteady]);
    assert_eq!(made.run().unwrap(), []);
    made.write("lab/tests/node.rs", BAD);
    let error = made.run().unwrap_err().to_string();
    assert_eq!(error, "node: is_bad: failed, and failed again alone");
}

#[test]
fn neither_a_crash_nor_a_test_of_another_package_has_a_second_chance() {
    let made = Made::with(&[("lab", CRASHES)], GOOD);
    let ended_with = |made: &Made| made.run().unwrap_err().to_string();
    assert!(ended_with(&made).contains("ended with exit status: 101"));
    made.write("lab/tests/lab.rs", UNSTEADY);
    made.write("other/tests/api.rs", BAD);
    assert!(ended_with(&made).contains("ended with exit status: 101"));
    // Neither does what cannot be compiled.
    made.write("lab/tests/lab.rs", "fn");
    assert!(ended_with(&made).contains("ended with exit status: 101"));
}

/// What cargo and libtest say, in short.
fn outcome(lines: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    lines.iter().for_each(|line| outcome.read(line));
    outcome
}

#[test]
fn names_are_those_of_the_last_list_and_as_many_as_failed() {
    let said = |result: &str| {
        outcome(&[
            "     Running tests/e2e/main.rs (target/debug/deps/e2e-28283c5cb677294d)",
            "failures:",
            "",
            "---- a::b stdout ----",
            "failures:",
            "    what it printed",
            "",
            "failures:",
            "    a::b",
            "    c",
            "",
            result,
            "",
            "error: test failed, to rerun pass `-p forwarder-tests --test e2e`",
            "error: 1 target failed:",
            "    `-p forwarder-tests --test e2e`",
        ])
    };
    let outcome = said("test result: FAILED. 5 passed; 2 failed; 0 ignored; finished in 0.10s");
    let names: Vec<String> = outcome
        .second_chances()
        .unwrap()
        .iter()
        .map(Failed::to_string)
        .collect();
    assert_eq!(names, ["e2e: a::b", "e2e: c"]);
    assert_eq!(outcome.passed, 5);
    let outcome = said("test result: FAILED. 4 passed; 3 failed; 0 ignored; finished in 0.10s");
    assert_eq!(outcome.second_chances(), None);
}

#[test]
fn unit_tests_have_no_second_chance_and_many_failures_are_none() {
    let unit = outcome(&[
        "     Running unittests src/bin/demo/main.rs (target/debug/deps/demo-ee43d0bfd7154118)",
        "failures:",
        "    a",
        "",
        "test result: FAILED. 5 passed; 1 failed; 0 ignored",
        "error: 1 target failed:",
        "    `-p forwarder-tests --bin demo`",
    ]);
    assert_eq!(unit.second_chances(), None);
    let names: Vec<String> = (0..=MOST).map(|n| format!("    t{n}")).collect();
    let result = format!("test result: FAILED. 5 passed; {} failed", names.len());
    let mut said = vec![
        "     Running tests/lab.rs (target/debug/deps/lab-28283c5cb677294d)",
        "failures:",
    ];
    said.extend(names.iter().map(String::as_str));
    said.extend([
        "",
        &result,
        "error: 1 target failed:",
        "    `-p forwarder-tests --test lab`",
    ]);
    assert_eq!(outcome(&said).failed.len(), MOST + 1);
    assert_eq!(outcome(&said).second_chances(), None);
}

#[test]
fn suites_are_there_and_no_other_package_has_one_of_that_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let has = |package: &str, suite: &str| {
        let tests = root.join(package).join("tests");
        tests.join(format!("{suite}.rs")).exists() || tests.join(suite).join("main.rs").exists()
    };
    for suite in SUITES {
        assert!(has("tests", suite), "{suite}");
        assert!(
            !has("forwarder", suite) && !has("forwarder-common", suite),
            "{suite}"
        );
    }
}
