//! `test`: all tests, those of the kernel as root.

use anyhow::Result;

use crate::args;
use crate::build::{self, Profile};
use crate::clients;
use crate::fuzzer;
use crate::privilege::{NO_ROOT, Privilege};
use crate::process::{cargo, run as run_command};
use crate::progress;
use crate::setup;
use crate::workspace::Workspace;

/// `cargo xtask test`.
pub fn run(workspace: &Workspace, args: &args::Test) -> Result<()> {
    let privilege = if args.quick {
        Privilege::None
    } else {
        Privilege::acquire()
    };
    let mut missing = Vec::new();
    if !args.quick {
        setup::packages_if_possible(setup::TESTS);
        if clients::are_wanted(args.package.as_deref(), args.suite.as_deref())
            && !clients::ensure_if_possible(workspace)
        {
            missing.push("browsers and other people's clients");
        }
        if !fuzzer::ensure_if_possible(workspace) {
            missing.push("the API fuzzed by Schemathesis");
        }
    }
    let profile = if args.release {
        Profile::Release
    } else {
        Profile::Dev
    };

    // The tests start the forwarder as a program; cargo would not build it for the tests of another package.
    build::all(workspace, profile)?;

    let mut test = cargo(workspace);
    test.arg("test");
    match &args.package {
        Some(package) => test.args(["--package", package]),
        None => test.args(["--workspace", "--exclude", "forwarder-ebpf"]),
    };
    if args.quick && args.package.is_none() {
        test.args(["--exclude", "forwarder-tests"]);
    }
    if let Some(suite) = &args.suite {
        test.args(["--test", suite]);
    }
    profile.apply(&mut test);
    test.args(args.filter.as_deref());
    if !args.rest.is_empty() {
        test.arg("--").args(&args.rest);
    }
    test.env(
        "FORWARDER_BIN",
        workspace.program(profile.folder(), "forwarder"),
    );
    test.env(
        "FORWARDER_TEST_ROOT",
        if privilege == Privilege::None {
            "0"
        } else {
            "1"
        },
    );
    if privilege == Privilege::Sudo {
        // cargo and rustc stay the user's; only the built tests are run as root.
        test.env(runner_variable(), "sudo -n -E --");
    }
    run_command(&mut test)?;

    match privilege {
        Privilege::None if args.quick => {
            println!("passed; left out by --quick: the suites of tests/")
        }
        Privilege::None => println!("passed; left out: the tests that need root ({NO_ROOT})"),
        Privilege::Root | Privilege::Sudo if missing.is_empty() => {
            println!("passed; nothing was left out")
        }
        Privilege::Root | Privilege::Sudo => {
            println!(
                "passed; left out, since it could not be installed: {}",
                missing.join(", ")
            )
        }
    }
    if privilege == Privilege::None && !args.quick {
        progress::note("run `cargo xtask test` as root, or with passwordless sudo, for the rest");
    }
    Ok(())
}

/// `CARGO_TARGET_<TRIPLE>_RUNNER` of the host, which is what tests are built for.
fn runner_variable() -> String {
    format!(
        "CARGO_TARGET_{}_RUNNER",
        env!("HOST_TRIPLE").to_uppercase().replace('-', "_")
    )
}
