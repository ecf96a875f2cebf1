//! The demo: a room of WebRTC clients, or endpoints of plain RTP, with the forwarder in the middle and every frame or packet checked;
//! or a room that stays open for a browser. What `cargo xtask demo` runs.

mod browser;
mod cpu;
mod ffmpeg;
mod interrupt;
mod options;
mod plain;
mod room;
mod table;
mod unprivileged;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.browser {
        return match browser::show(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) if interrupt::wanted() => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        };
    }
    match play(&options) {
        Ok((ok, text)) => {
            println!("{text}");
            if ok {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(_) if interrupt::wanted() => {
            eprintln!("interrupted; the namespaces are removed");
            ExitCode::from(130)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// Plays what was asked for: whether all went well, and the summary.
fn play(options: &Options) -> Result<(bool, String)> {
    if options.plain {
        let summary = plain::demo(options)?;
        let text = if options.json {
            summary.json()?
        } else {
            summary.text()
        };
        return Ok((summary.ok, text));
    }
    let summary = room::demo(options)?;
    let text = if options.json {
        summary.json()?
    } else {
        summary.text()
    };
    Ok((summary.ok, text))
}
