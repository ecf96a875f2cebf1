//! Loads eBPF objects into the kernel and holds each program against a budget: what `cargo xtask verify` runs as root.
//!
//! A program that grows is a diff in the budget file that somebody has to write and somebody has to read.

mod budget;
mod measure;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::budget::Budget;
use crate::measure::Object;

/// Loads eBPF objects into the kernel and holds each program against a budget.
#[derive(Debug, Parser)]
struct Args {
    /// The budget file (TOML).
    #[arg(long, value_name = "FILE")]
    budget: PathBuf,
    /// Write what was measured, plus some room, as the new budget.
    #[arg(long)]
    update: bool,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// The objects; the name of each without `.o` is its name in the budget.
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match verify(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // For people: the causes (the verifier's log among them), without anyhow's backtrace.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every program is within its budget.
fn verify(args: &Args) -> Result<bool> {
    let objects = args
        .objects
        .iter()
        .map(|path| Object::load(path))
        .collect::<Result<Vec<_>>>()?;
    let cannot = |what: &str| format!("cannot {what} {}", args.budget.display());
    let text = std::fs::read_to_string(&args.budget).with_context(|| cannot("read"))?;
    let mut budget: Budget = toml::from_str(&text).with_context(|| cannot("understand"))?;
    if args.update {
        budget = Budget::with_room(&objects);
        std::fs::write(&args.budget, budget.to_text()?).with_context(|| cannot("write"))?;
    }
    let over = budget.check(&objects);
    if args.json {
        println!("{}", report::json(&objects, &over)?);
    } else {
        println!("{}", report::table(&objects, &budget));
        for line in &over {
            eprintln!("over budget: {line}");
        }
        if !over.is_empty() {
            eprintln!(
                "make it smaller, or accept it with `cargo xtask verify --update` and commit the budget"
            );
        }
    }
    Ok(over.is_empty())
}
