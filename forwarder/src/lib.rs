//! The forwarder library: control plane, API and shell.

pub mod api;
pub mod args;
pub mod config;
pub mod core;
pub mod node;

use config::Config;

/// Runs a node until it is asked to stop.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub fn run(config: Config) -> anyhow::Result<()> {
    anyhow::bail!("cannot run {:?}: this build has no data plane", config.name)
}

/// Stops the node of this name and cleans up after it.
///
/// # Errors
/// Whatever could not be removed.
pub fn stop(name: &str) -> anyhow::Result<()> {
    anyhow::bail!("cannot stop {name:?}: this build has no data plane")
}

/// Examines an interface and prints the findings; whether it is fit.
///
/// # Errors
/// Where it cannot be examined.
pub fn examine(iface: &str, _json: bool) -> anyhow::Result<bool> {
    anyhow::bail!("cannot examine {iface:?}: this build has no data plane")
}
