//! The control API, version 0: HTTP and JSON.

pub mod error;
mod fields;
mod model;
mod process_model;
mod requests;
pub mod routes;
mod session_model;
mod session_requests;
mod session_routes;

use std::{io, time::Duration};

use tokio::net::TcpListener;

use crate::node::NodeHandle;

/// How long requests that are being answered may take after the node was asked to stop.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Answers requests until the node is asked to stop.
///
/// # Errors
/// Where the listener fails for good.
pub async fn serve(listener: TcpListener, node: NodeHandle) -> io::Result<()> {
    let stopped = {
        let node = node.clone();
        async move { node.stopped().await }
    };
    let server =
        axum::serve(listener, routes::router(node.clone())).with_graceful_shutdown(stopped);
    let give_up = async {
        node.stopped().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        outcome = server => outcome,
        () = give_up => Ok(()),
    }
}
