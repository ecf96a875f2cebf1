//! `ci`: the tasks that CI runs, in the order in which they fail soonest.

use std::thread;
use std::time::Instant;

use anyhow::Result;

use crate::args::{BenchFlags, Lint, Test, Verify};
use crate::build::{self, Profile};
use crate::privilege::{NO_ROOT, Privilege};
use crate::progress::{heading, seconds};
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;
use crate::{bench, lint, test, verify};

/// `cargo xtask ci`.
pub fn run(workspace: &Workspace) -> Result<()> {
    let started = Instant::now();
    let privilege = Privilege::detect();
    // First, so that no other package is in its way.
    Toolchain::packages(workspace)?;
    thread::scope(|scope| {
        // What tests call is fetched and unpacked while others compile. Whether it is there is asked again before the tests.
        scope.spawn(|| test::install(workspace, &Test::default()));
        let flags = Lint {
            fix: false,
            install_deny: true,
        };
        lint::run(workspace, &flags)
    })?;

    // Programs and tests in one go: the more there is to compile, the less often a CPU waits for the other.
    heading("build");
    build::tests(workspace)?;

    heading("verify");
    verify::run(
        workspace,
        &Verify {
            update: false,
            json: false,
        },
    )?;

    heading("test");
    let unsteady = test::run_with_second_chances(workspace)?;

    // Whether it runs: an optimised build of everything takes longer than all tests, and figures are for a quiet machine.
    heading("bench fanout --quick (not optimised)");
    if privilege == Privilege::None {
        println!("left out: the bench ({NO_ROOT})");
    } else {
        let flags = BenchFlags {
            json: false,
            quick: true,
            rest: Vec::new(),
        };
        bench::run_kind(workspace, privilege, "fanout", &flags, Profile::Dev)?;
    }
    println!("ci passed in {}", seconds(started.elapsed()));
    for test in unsteady {
        println!("unsteady: {test} failed once and passed alone");
    }
    Ok(())
}
