//! `cargo xtask`: every task of the repository under one name, the same for developers and for CI.
//!
//! xtask runs as the user who calls it and never runs cargo with more rights than that. Only programs
//! that it has built are run as root (see [`privilege`]), so `target/` stays the user's.

mod args;
mod bench;
mod boundary;
mod bpf;
mod build;
mod ci;
mod clients;
mod debian;
mod demo;
mod fuzzer;
mod lint;
mod object_file;
mod privilege;
mod process;
mod progress;
mod run;
mod second_chance;
mod setup;
mod test;
mod toolchain;
mod venv;
mod verify;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::args::{Args, Task};
use crate::workspace::Workspace;

fn main() -> ExitCode {
    let args = Args::parse();
    match perform(args.task, &Workspace::locate()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // For people: the causes, without anyhow's backtrace.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task, workspace: &Workspace) -> Result<()> {
    match task {
        Task::Setup(args) => setup::run(workspace, &args),
        Task::Build(args) => build::run(workspace, &args),
        Task::Demo(args) => demo::run(workspace, &args),
        Task::Test(args) => test::run(workspace, &args),
        Task::Lint(args) => lint::run(workspace, &args),
        Task::Verify(args) => verify::run(workspace, &args),
        Task::Bench(args) => bench::run(workspace, &args),
        Task::Run(args) => run::run(workspace, &args),
        Task::Ci => ci::run(workspace),
    }
}
