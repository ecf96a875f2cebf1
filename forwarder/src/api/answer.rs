//! How handlers ask the node.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::error::Problem;
use crate::{
    core::refusal::Refusal,
    node::{Node, NodeHandle},
};

/// The node, as handlers take it.
pub type Owner = State<NodeHandle>;

/// Looks at the node, or changes it; the answer comes when the tables hold the outcome.
pub async fn ask<T: Serialize + Send + 'static>(
    node: &NodeHandle,
    status: StatusCode,
    question: impl FnOnce(&mut Node) -> Result<T, Refusal> + Send + 'static,
) -> Result<Response, Problem> {
    let answer = node.call(question).await??;
    Ok((status, Json(answer)).into_response())
}
