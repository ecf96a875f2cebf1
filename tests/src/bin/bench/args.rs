//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cases::Path;
use crate::sessions::Sessions;

/// Measures the forwarder in namespaces of its own. Needs root.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub struct Args {
    #[command(subcommand)]
    pub bench: Bench,
}

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Cost per replica by fan-out, payload and path, with the floors interleaved in the same run.
    Fanout(Fanout),
    /// How throughput grows from one CPU to two.
    Scaling(Common),
    /// Latency that the kernel path adds: p50 and p99.
    Latency(Common),
    /// What sessions cost: CPU time of a set-up, memory of an idle session and of a subscription, times of API calls.
    Sessions(Sessions),
}

#[derive(Debug, clap::Args)]
pub struct Common {
    /// Print JSON instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Fewer cases and rounds: a smoke test, not figures to quote.
    #[arg(long)]
    pub quick: bool,
    /// How many rounds; each case counts by its best.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub struct Fanout {
    #[command(flatten)]
    pub common: Common,
    /// Draw a chart into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Only these fan-outs.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = fan_out)]
    pub fan_out: Vec<u32>,
    /// Only these payloads, bytes.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(20..=1400))]
    pub payload: Vec<u32>,
    /// Only these paths.
    #[arg(long, value_name = "PATH", value_delimiter = ',', value_enum)]
    pub path: Vec<Path>,
    /// The core to measure on.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub core: usize,
}

fn fan_out(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|n| crate::cases::FAN_OUTS.contains(n))
        .ok_or_else(|| format!("allowed are {:?}", crate::cases::FAN_OUTS))
}
