//! `test`: all tests, those of the kernel as root.

use std::process::Command;

use anyhow::Result;

use crate::args;
use crate::build::{self, Profile};
use crate::clients;
use crate::fuzzer;
use crate::privilege::{NO_ROOT, Privilege};
use crate::process::{cargo, run as run_command};
use crate::progress;
use crate::second_chance::{self, Failed};
use crate::setup;
use crate::workspace::Workspace;

/// `cargo xtask test`.
pub fn run(workspace: &Workspace, args: &args::Test) -> Result<()> {
    let suites = Suites::prepare(workspace, args)?;
    run_command(&mut suites.command(args.suite.as_deref(), &[]))?;
    suites.tell();
    Ok(())
}

/// All tests, those of the lab with a second chance: gives what failed once and passed alone.
pub fn run_with_second_chances(workspace: &Workspace) -> Result<Vec<Failed>> {
    let everything = args::Test::default();
    let suites = Suites::prepare(workspace, &everything)?;
    let mut all = suites.command(None, &[]);
    all.arg("--no-fail-fast");
    let alone = |failed: &Failed| suites.command(Some(&failed.suite), &["--exact", &failed.test]);
    let unsteady = second_chance::run(all, alone)?;
    suites.tell();
    Ok(unsteady)
}

/// Installs what tests call; gives what could not be.
pub fn install(workspace: &Workspace, args: &args::Test) -> Vec<&'static str> {
    if args.quick {
        return Vec::new();
    }
    let mut missing = Vec::new();
    setup::packages_if_possible(setup::TESTS);
    if clients::are_wanted(args.package.as_deref(), args.suite.as_deref())
        && !clients::ensure_if_possible(workspace)
    {
        missing.push("browsers and other people's clients");
    }
    if !fuzzer::ensure_if_possible(workspace) {
        missing.push("the API fuzzed by Schemathesis");
    }
    missing
}

/// Tests that were asked for, with all that they call built and installed.
struct Suites<'a> {
    workspace: &'a Workspace,
    args: &'a args::Test,
    privilege: Privilege,
    profile: Profile,
    missing: Vec<&'static str>,
}

impl<'a> Suites<'a> {
    fn prepare(workspace: &'a Workspace, args: &'a args::Test) -> Result<Self> {
        let suites = Self {
            workspace,
            args,
            privilege: if args.quick {
                Privilege::None
            } else {
                Privilege::acquire()
            },
            profile: if args.release {
                Profile::Release
            } else {
                Profile::Dev
            },
            missing: install(workspace, args),
        };
        // The tests start the forwarder as a program; cargo would not build it for the tests of another package.
        build::all(workspace, suites.profile)?;
        Ok(suites)
    }

    /// `cargo test` of one suite or all, with more arguments for the test programs.
    fn command(&self, suite: Option<&str>, more: &[&str]) -> Command {
        let args = self.args;
        let mut test = cargo(self.workspace);
        test.arg("test");
        match &args.package {
            Some(package) => test.args(["--package", package]),
            None => test.args(["--workspace", "--exclude", "forwarder-ebpf"]),
        };
        if args.quick && args.package.is_none() {
            test.args(["--exclude", "forwarder-tests"]);
        }
        if let Some(suite) = suite {
            test.args(["--test", suite]);
        }
        self.profile.apply(&mut test);
        test.args(args.filter.as_deref());
        if !args.rest.is_empty() || !more.is_empty() {
            test.arg("--").args(&args.rest).args(more);
        }
        test.env(
            "FORWARDER_BIN",
            self.workspace.program(self.profile.folder(), "forwarder"),
        );
        test.env(
            "FORWARDER_TEST_ROOT",
            if self.privilege == Privilege::None {
                "0"
            } else {
                "1"
            },
        );
        if self.privilege == Privilege::Sudo {
            // cargo and rustc stay the user's; only the built tests are run as root.
            test.env(runner_variable(), "sudo -n -E --");
        }
        test
    }

    /// Says that all passed, and what was left out.
    fn tell(&self) {
        match self.privilege {
            Privilege::None if self.args.quick => {
                println!("passed; left out by --quick: the suites of tests/")
            }
            Privilege::None => {
                println!("passed; left out: the tests that need root ({NO_ROOT})");
                progress::note(
                    "run `cargo xtask test` as root, or with passwordless sudo, for the rest",
                );
            }
            Privilege::Root | Privilege::Sudo if self.missing.is_empty() => {
                println!("passed; nothing was left out")
            }
            Privilege::Root | Privilege::Sudo => println!(
                "passed; left out, since it could not be installed: {}",
                self.missing.join(", ")
            ),
        }
    }
}

/// `CARGO_TARGET_<TRIPLE>_RUNNER` of the host, which is what tests are built for.
fn runner_variable() -> String {
    format!(
        "CARGO_TARGET_{}_RUNNER",
        env!("HOST_TRIPLE").to_uppercase().replace('-', "_")
    )
}
