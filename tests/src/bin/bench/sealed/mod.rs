//! `bench sealed`: what the sealed path costs, how it grows with workers, and how late packets are.

mod bells;
mod cases;
mod cost;
mod floors;
mod keys;
mod latency;
mod packet;
mod room;
mod rows;
mod scaling;
mod sockets;

pub use cases::{FAN_OUTS, Path, SuiteName};

use anyhow::{Result, anyhow};
use serde::Serialize;

use crate::args::{Part, Sealed as Flags};

/// Runs the parts that are asked for; gives whether nothing was lost on the sealed path.
///
/// # Errors
/// The system's.
pub fn run(flags: &Flags) -> Result<bool> {
    let json = flags.common.json;
    let parts = match (flags.part, json) {
        (Some(part), _) => vec![part],
        (None, true) => vec![Part::Cost],
        (None, false) => vec![Part::Cost, Part::Scaling, Part::Latency],
    };
    let mut whole = true;
    let mut goals = Vec::new();
    for part in parts {
        match part {
            Part::Cost | Part::Bells => {
                let measured = alone(|| cost::run(flags))?;
                whole &= measured
                    .rows
                    .iter()
                    .all(|row| row.path != Path::Sealed || row.lost == 0);
                goals.extend(rows::goals(&measured.rows));
                match (json, part) {
                    (true, Part::Cost) => print_json(&measured.rows)?,
                    (true, _) => print_json(&measured.bells)?,
                    (false, _) => {
                        println!("{}\n", rows::table(&measured.rows));
                        println!("{EXPLAINED}\n\n{}\n", bells::table(&measured.bells));
                    }
                }
            }
            Part::Scaling => {
                let measured = alone(|| scaling::run(&flags.common))?;
                whole &= measured.iter().all(|row| !row.is_ours() || row.lost == 0);
                goals.extend(scaling::goals(&measured));
                match json {
                    true => print_json(&measured)?,
                    false => println!("{}\n", scaling::table(&measured)),
                }
            }
            Part::Latency => {
                let measured = alone(|| latency::run(&flags.common))?;
                whole &= measured.iter().all(|row| row.lost == 0);
                goals.extend(latency::goals(&measured));
                match json {
                    true => print_json(&measured)?,
                    false => println!("{}\n", latency::table(&measured)),
                }
            }
        }
    }
    if !json {
        goals.iter().for_each(|goal| println!("{goal}"));
    }
    Ok(whole)
}

/// Runs a part in a thread of its own: it is pinned and given priority, which must not pass to the next part.
fn alone<T: Send>(part: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| scope.spawn(part).join())
        .map_err(|_| anyhow!("a thread panicked"))?
}

const EXPLAINED: &str = "Nanoseconds of one core per replica, best of several rounds. The payload is RTP payload: 28 bytes \
of RTP header\nand the suite's tag (16 or 10 bytes) come on top, in the floors too.";

fn print_json<T: Serialize>(rows: &[T]) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(rows)?);
    Ok(())
}
