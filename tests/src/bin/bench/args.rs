//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cases::Path;
use crate::sealed::{self, SuiteName};
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
    /// The sealed path: cost per replica by fan-out, payload, suite and path, with the floors interleaved in the same run;
    /// then two workers against one, and latency. JSON has one part: the cost, unless told.
    Sealed(Sealed),
    /// What sessions cost: CPU time of a set-up, memory of an idle session and of a subscription, times of API calls.
    Sessions(Sessions),
    /// What a person at a browser waits for: time to the first picture, and freezes of 720p beside a call without a forwarder.
    Browsers(Browsers),
    /// What a caller of the control API waits for, on a node with ten thousand subscriptions.
    Api(Common),
}

/// A part of `bench sealed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Cost per replica, and bells against `send`.
    Cost,
    /// The same; JSON has the bells.
    Bells,
    /// Two workers against one.
    Scaling,
    /// p50 and p99.
    Latency,
}

/// A part of `bench browsers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wait {
    /// Freezes of a minute of 720p.
    Freezes,
    /// Time until 720p after the first picture.
    Ramp,
    /// Time from the POST to WHEP to the first picture.
    First,
    /// Time from opening the page to the first picture.
    Join,
}

#[derive(Debug, clap::Args)]
pub struct Browsers {
    #[command(flatten)]
    pub common: Common,
    /// Only this part.
    #[arg(long, value_enum)]
    pub part: Option<Wait>,
}

#[derive(Debug, clap::Args)]
pub struct Sealed {
    #[command(flatten)]
    pub common: Common,
    /// Only this part.
    #[arg(long, value_enum)]
    pub part: Option<Part>,
    /// Only these fan-outs.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = sealed_fan_out)]
    pub fan_out: Vec<u32>,
    /// Only these payloads, bytes of RTP payload.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(20..=1400))]
    pub payload: Vec<u32>,
    /// Only these suites.
    #[arg(long, value_name = "SUITE", value_delimiter = ',')]
    pub suite: Vec<SuiteName>,
    /// Only these paths.
    #[arg(long, value_name = "PATH", value_delimiter = ',', value_enum)]
    pub path: Vec<sealed::Path>,
    /// The core to measure on.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub core: usize,
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
    one_of(&crate::cases::FAN_OUTS, text)
}

fn sealed_fan_out(text: &str) -> Result<u32, String> {
    one_of(&sealed::FAN_OUTS, text)
}

fn one_of(allowed: &[u32], text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|n| allowed.contains(n))
        .ok_or_else(|| format!("allowed are {allowed:?}"))
}
