//! The forwarder binary: reads the command line and hands over to the library.

use std::process::ExitCode;

use clap::Parser;
use forwarder::args::{Cli, Command};

/// A library warns of each extension of a hello that it does not know; peers decide how many those are.
const LOGGED: &str = "info,rtc_dtls=error";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(LOGGED)).init();
    let outcome = match Cli::parse().command {
        Command::Run(args) => args
            .into_config()
            .map_err(anyhow::Error::from)
            .and_then(forwarder::run),
        Command::Token(args) => args.mint().map(|token| println!("{token}")),
        Command::Stop { name } => forwarder::stop(&name),
        Command::Doctor { iface, json } => match forwarder::examine(&iface, json) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forwarder: {error:#}");
            // As a wrong command line, which clap ends with 2: not the 1 of `doctor` with findings.
            ExitCode::from(2)
        }
    }
}
