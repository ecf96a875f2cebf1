//! `ci`: the tasks that CI runs, in the order in which they fail soonest.

use std::time::Instant;

use anyhow::Result;

use crate::args::{BenchFlags, Lint, Test, Verify};
use crate::build::Profile;
use crate::privilege::{NO_ROOT, Privilege};
use crate::progress::{heading, seconds};
use crate::workspace::Workspace;
use crate::{bench, lint, test, verify};

/// `cargo xtask ci`.
pub fn run(workspace: &Workspace) -> Result<()> {
    let started = Instant::now();
    let privilege = Privilege::detect();
    lint::run(
        workspace,
        &Lint {
            fix: false,
            install_deny: true,
        },
    )?;

    heading("verify");
    verify::run(
        workspace,
        &Verify {
            update: false,
            json: false,
        },
    )?;

    heading("test");
    let all = Test {
        filter: None,
        quick: false,
        package: None,
        suite: None,
        release: false,
        rest: Vec::new(),
    };
    test::run(workspace, &all)?;

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
    Ok(())
}
