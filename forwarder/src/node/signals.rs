//! SIGTERM and SIGINT stop the node as `POST /v0/stop` does.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::NodeHandle;
use crate::api::serve::Server;

/// The signals that stop a node. From when this is made they no longer end the process, and none is missed.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// Where the handlers cannot be installed.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Asks the node to stop at the first signal. Returns once it has been asked to, by whomever.
async fn stop_on_signals(mut signals: Signals, node: &NodeHandle) {
    tokio::select! {
        _ = signals.terminate.recv() => log::info!("stopping: SIGTERM"),
        _ = signals.interrupt.recv() => log::info!("stopping: SIGINT"),
        () = node.stopped() => log::info!("stopping: asked to over the API"),
    }
    node.stop();
}

/// Runs a node with its API until it is asked to stop; gives back what it was made of, to be taken down.
///
/// # Errors
/// Where the API fails; the node has stopped then, too.
pub async fn run_node(
    api: Server,
    signals: Signals,
    handle: NodeHandle,
    task: super::Task,
) -> (super::parts::Parts, io::Result<()>) {
    let api = async {
        let outcome = api.run(handle.clone()).await;
        // Without its API a node cannot be controlled.
        handle.stop();
        outcome
    };
    let task = tokio::spawn(task.run());
    let (api, ()) = tokio::join!(api, stop_on_signals(signals, &handle));
    let parts = task.await;
    match parts {
        Ok(parts) => (parts, api),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
