//! SIGTERM and SIGINT stop the node as `POST /v0/stop` does.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use super::NodeHandle;

/// Asks the node to stop at the first signal. Returns once it has been asked to, by whomever.
///
/// # Errors
/// Where the handlers cannot be installed.
pub async fn stop_on_signals(node: &NodeHandle) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => log::info!("stopping: SIGTERM"),
        _ = interrupt.recv() => log::info!("stopping: SIGINT"),
        () = node.stopped() => log::info!("stopping: asked to over the API"),
    }
    node.stop();
    Ok(())
}

/// Runs a node with its API until it is asked to stop; gives back what it was made of, to be taken down.
///
/// # Errors
/// Where the API or the signal handlers fail; the node has stopped then, too.
pub async fn run_node(
    listener: tokio::net::TcpListener,
    handle: NodeHandle,
    task: super::Task,
) -> (super::parts::Parts, io::Result<()>) {
    let api = async {
        let outcome = crate::api::serve(listener, handle.clone()).await;
        // Without its API a node cannot be controlled.
        handle.stop();
        outcome
    };
    let signals = async {
        let outcome = stop_on_signals(&handle).await;
        handle.stop();
        outcome
    };
    let task = tokio::spawn(task.run());
    let (api, signals) = tokio::join!(api, signals);
    let parts = task.await;
    match parts {
        Ok(parts) => (parts, api.and(signals)),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
